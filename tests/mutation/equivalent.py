"""Equivalent mutants, which no test can tell: (module, the changed lines in one) and why."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str], str] = {
    (
        "hub.services.firewall.rules",
        'ends = (f"-j {wanted.input}", f"-j {wanted.forward}")',
    ): "a line ends with one of them, whichever is asked first",
    (
        "hub.services.firewall.rules",
        "return True",
    ): "the jumps stand somewhere, which `is_applied` has seen: the loop comes to them",
    (
        "hub.jupyterhub.spawners.gpu.placement",
        "return max(0, self.capacity.get(device, -1) - self.load(device))",
    ): "a device that is gone has no room, however far below none",
    (
        "hub.jupyterhub.spawners.gpu.placement",
        "if state.room(before):",
    ): "nobody's device has no room either; the type checker wants to know that it is one",
    (
        "hub.services.guard.create",
        '"AttachStdout": _dropped_if("AttachStdout", False, True),',
    ): "both are accepted, whichever is asked first",
    (
        "hub.services.guard.create",
        '"AttachStderr": _dropped_if("AttachStderr", False, True),',
    ): "both are accepted, whichever is asked first",
    (
        "hub.services.guard.create",
        '"HostConfig.SecurityOpt", (["no-new-privileges:true"], ["no-new-privileges"])',
    ): "both are accepted, whichever is asked first",
    (
        "hub.services.guard.create",
        "if not any(_is_equal(each, value) for each in wanted):",
    ): "equal is equal, whichever is asked first",
    (
        "hub.services.guard.create",
        "if not (any(_is_equal(each, value) for each in wanted) if wanted else empty):",
    ): "equal is equal, whichever is asked first",
    (
        "hub.services.guard.create",
        "if type(value) is not list or len(value) != 1 or type(value[-1]) is not dict:",
    ): "of one request the first is the last",
    (
        "hub.services.guard.create",
        'path, request = "HostConfig.DeviceRequests.", value[-1]',
    ): "of one request the first is the last",
    (
        "hub.services.guard.create",
        '_one_of("HostConfig.Tmpfs", sorted(TMPFS_PATHS))(path)',
    ): "a list is looked through as a tuple is",
    (
        "hub.services.guard.create",
        '_one_of("HostConfig.Tmpfs", tuple(TMPFS_PATHS))(path)',
    ): "the order shows in the message only, and it is one of two",
    (
        "hub.services.guard.create",
        '_one_of(f"Labels.{GPU_LABEL}", (*policy.gpus, NO_GPU))(labels[GPU_LABEL])',
    ): "both are accepted, whichever is asked first",
}
