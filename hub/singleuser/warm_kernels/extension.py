"""In a person's server: its kernels come from the kernel template, which starts once it answers."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory

from hub.singleuser.warm_kernels.provisioner import TEMPLATE, WarmProvisioner

NAME = "logitlab-warm"


def use_warm_kernels(factory: KernelProvisionerFactory) -> None:
    """Make the template's kernels those that are started where a kernel names no provisioner."""
    target = f"{WarmProvisioner.__module__}:{WarmProvisioner.__qualname__}"
    factory.provisioners[NAME] = EntryPoint(NAME, target, factory.GROUP_NAME)
    factory.default_provisioner_name = NAME


def _load_jupyter_server_extension(server: Any) -> None:
    use_warm_kernels(KernelProvisionerFactory.instance(parent=server))
    # The loop runs once the server answers.
    server.io_loop.add_callback(TEMPLATE.start)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub.singleuser.warm_kernels.extension"}]
