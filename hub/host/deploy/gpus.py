"""The host's GPUs, and what stops containers from using them.

Standard library only. `gather` collects the facts and `judge` decides on them, so that a test can
describe any machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.facts.gpu_devices import Device, Gpu, missing, read_gpus, usable

SECONDS = 30
HOOK = "nvidia-container-runtime-hook"
TOOLKIT_PAGE = (
    "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
)
REGISTER = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"


@dataclass(frozen=True)
class Check:
    """One line of `doctor`: `message` says what was found, `fix` lists the commands that fix it."""

    name: str
    ok: bool
    message: str
    fix: tuple[str, ...] = ()


@dataclass(frozen=True)
class GpuFacts:
    """Facts about this host's GPUs."""

    cards: int = 0  # NVIDIA display controllers on the PCI bus
    smi: bool = False  # nvidia-smi is installed
    smi_error: str = ""  # its output if it failed
    gpus: tuple[Gpu, ...] = ()
    hook: bool = False  # the toolkit's hook is on dockerd's PATH
    runtimes: tuple[str, ...] = ()  # of the engine
    default_runtime: str = "runc"
    cgroup_driver: str = "cgroupfs"
    char_links: bool = True  # /dev/char has links to the NVIDIA devices
    trial: str | None = None  # output of a trial container; "": success, None: not tried


def discover() -> list[Device]:
    """Every GPU and MIG device that containers on this host can request; may be empty.

    `LOGITLAB_GPUS` is `hub.facts.gpu_devices.to_variable(discover())`.
    """
    return usable(_gpus()[0])


def doctor(setting: str | Sequence[str] = "auto", image: str | None = None) -> list[Check]:
    """What stops GPUs from working on this host, with the commands that fix it.

    `setting`: `gpus.devices` of course.yaml. `image`: a local image with a
    shell, for a trial container; None: no trial.
    """
    return judge(gather(image), setting)


def gather(image: str | None = None) -> GpuFacts:
    """Inspect this host. Changes nothing, but a trial of `image` runs and removes a container."""
    gpus, error = _gpus()
    info = _docker_info()
    return GpuFacts(
        cards=_cards(),
        smi=shutil.which("nvidia-smi") is not None,
        smi_error=error,
        gpus=tuple(gpus),
        hook=shutil.which(HOOK) is not None,
        runtimes=tuple(info.get("Runtimes") or ()),
        default_runtime=info.get("DefaultRuntime") or "runc",
        cgroup_driver=info.get("CgroupDriver") or "cgroupfs",
        char_links=_char_links(),
        trial=_trial(image, gpus) if image and gpus else None,
    )


def judge(facts: GpuFacts, setting: str | Sequence[str] = "auto") -> list[Check]:
    """The checks, up to the first failure that makes the rest pointless."""
    if setting == "none":
        return [Check("GPUs", True, "course.yaml has gpus.devices: none")]
    named = not isinstance(setting, str)
    if not facts.cards and not facts.gpus:
        message = "no NVIDIA GPU in this host: servers use the CPU"
        fix = ("set gpus.devices: auto in course.yaml",) if named else ()
        return [Check("GPUs", not named, message, fix)]
    if not facts.gpus:
        return [_driver(facts)]
    devices = usable(facts.gpus)
    checks = [
        Check("GPUs", True, ", ".join(f"{each.name} ({each.mib} MiB)" for each in devices) or "-"),
        *_undivided(facts.gpus),
    ]
    absent = missing(devices, setting)
    if absent:
        message = f"course.yaml names {', '.join(absent)}, which this host lacks"
        here = ", ".join(each.uuid for each in devices) or "none"
        checks.append(
            Check("GPUs named", False, message, (f"gpus.devices in course.yaml: {here}",))
        )
    checks += _engine(facts)
    return checks


def _driver(facts: GpuFacts) -> Check:
    if not facts.smi:
        return Check(
            "NVIDIA driver",
            False,
            f"{facts.cards} NVIDIA card(s) on the PCI bus, but no driver (nvidia-smi is missing)",
            (
                "Debian, with contrib and non-free enabled: "
                "sudo apt-get install nvidia-driver nvidia-smi && sudo reboot",
                "Ubuntu: sudo ubuntu-drivers install --gpgpu && sudo reboot",
            ),
        )
    if "version mismatch" in facts.smi_error:
        message = "the driver was upgraded, but the old one is still loaded"
        return Check("NVIDIA driver", False, message, ("sudo reboot",))
    message = f"nvidia-smi finds no GPU: {facts.smi_error or 'it lists none'}"
    return Check(
        "NVIDIA driver", False, message, ("sudo modprobe nvidia && nvidia-smi", "sudo reboot")
    )


def _undivided(gpus: Sequence[Gpu]) -> list[Check]:
    return [
        Check(
            "MIG",
            False,
            f"GPU {index} ({gpu.device.uuid}) is in MIG mode but has no MIG devices, so nothing "
            "can use it",
            (
                f"sudo nvidia-smi mig -i {index} -lgip    # the profiles it offers",
                f"sudo nvidia-smi mig -i {index} -cgi 1g.5gb,1g.5gb -C    # of the profiles named",
                f"or turn MIG off: sudo nvidia-smi -i {index} -mig 0",
            ),
        )
        for index, gpu in enumerate(gpus)
        if gpu.mig and not gpu.mig_devices
    ]


def _engine(facts: GpuFacts) -> list[Check]:
    if not facts.hook:
        message = f"the NVIDIA Container Toolkit is not installed ({HOOK} is not on PATH)"
        install = f"sudo apt-get install nvidia-container-toolkit    # repository: {TOOLKIT_PAGE}"
        return [Check("NVIDIA toolkit", False, message, (install, REGISTER))]
    checks = [Check("NVIDIA toolkit", True, "installed")]
    if "nvidia" not in facts.runtimes:
        message = "the nvidia runtime is not registered with the engine"
        checks.append(Check("NVIDIA runtime", False, message, (REGISTER,)))
    if facts.default_runtime == "nvidia":
        message = (
            "nvidia is the engine's default runtime: an image with NVIDIA_VISIBLE_DEVICES=all "
            "would see every GPU"
        )
        fix = 'remove "default-runtime" from /etc/docker/daemon.json, sudo systemctl restart docker'
        checks.append(Check("NVIDIA runtime", False, message, (fix,)))
    if facts.cgroup_driver == "systemd" and not facts.char_links:
        # https://github.com/NVIDIA/nvidia-container-toolkit/issues/48
        message = "running containers lose their GPUs at the next `systemctl daemon-reload`"
        links = "sudo nvidia-ctk system create-dev-char-symlinks --create-all    # at each boot"
        rule = (
            'ACTION=="add", DEVPATH=="/bus/pci/drivers/nvidia", RUN+="/usr/bin/nvidia-ctk system '
            'create-dev-char-symlinks --create-all"    # /lib/udev/rules.d/71-nvidia-dev-char.rules'
        )
        checks.append(Check("GPUs persist", False, message, (links, rule)))
    if facts.trial:
        message = f"a trial container did not get its GPU: {facts.trial}"
        checks.append(Check("GPU in a container", False, message, (REGISTER,)))
    elif facts.trial is not None:
        checks.append(Check("GPU in a container", True, "all work"))
    return checks


def _gpus() -> tuple[list[Gpu], str]:
    code, listing = _output("nvidia-smi", "-L")
    if code:
        return [], listing.strip()
    return read_gpus(listing, _output("nvidia-smi", "-q", "-x")[1]), ""


def _docker_info() -> dict:
    code, text = _output("docker", "info", "--format", "{{json .}}")
    try:
        return json.loads(text) if not code else {}
    except ValueError:
        return {}


def _trial(image: str, gpus: Sequence[Gpu]) -> str:
    for device in usable(gpus):
        code, output = _output(
            *("docker", "run", "--rm", "--network=none", "--entrypoint=nvidia-smi"),
            *(f"--gpus=device={device.uuid}", image, "-L"),
        )
        if code or device.uuid not in output:
            return f"{device.uuid}: {output.strip()[-300:]}"
    return ""


def _cards() -> int:
    count = 0
    for card in Path("/sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = (card / "vendor").read_text(), (card / "class").read_text()
        except OSError:
            continue
        # 0x03....: display controllers (VGA, 3D).
        count += vendor.strip() == "0x10de" and kind.startswith("0x03")
    return count


def _char_links() -> bool:
    """Whether /dev/char links to the first NVIDIA device (major 195) and its control device."""
    return all(Path("/dev/char", name).exists() for name in ("195:0", "195:255"))


def _output(*command: str) -> tuple[int, str]:
    """(exit status, stdout and stderr); 127 if the command is not found."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        return 127, ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout
