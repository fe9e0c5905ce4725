"""What the host's tools print, as devices, checks and Docker's requests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hub.facts.gpu_devices import (
    Device,
    chosen,
    from_variable,
    missing,
    read_gpus,
    to_variable,
    usable,
)
from hub.host.deploy import gpus as host
from hub.host.deploy.gpus import GpuFacts, judge
from hub.jupyterhub.spawners.gpu.failures import gpu_failure
from hub.jupyterhub.spawners.gpu.request import Placement
from tests.gpu.samples import LISTING, OLD_LISTING, XML

A100 = "NVIDIA A100-SXM4-40GB"


def test_a_gpu_in_mig_mode_is_its_parts_and_the_others_are_whole():
    assert usable(read_gpus(LISTING, XML)) == [
        Device("MIG-c7384736-a75d-5afc-978f-d2f1294409fd", 19968, f"{A100} MIG 3g.20gb"),
        Device("MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d", 4864, f"{A100} MIG 1g.5gb"),
        Device("GPU-bbbb852c-d268-c3f3-1b07-005d5ae1dc3f", 24564, "NVIDIA GeForce RTX 4090"),
    ]


def test_the_older_listing_is_read_and_memory_distinguished_from_the_profile():
    parent = "63feeb45-94c6-b9cb-78ea-98e9b7a5be6b"
    assert usable(read_gpus(OLD_LISTING)) == [
        Device(f"MIG-GPU-{parent}/7/0", 4864, "A100-SXM4-40GB MIG 1g.5gb"),
        Device(f"MIG-GPU-{parent}/2/0", 19456, "A100-SXM4-40GB MIG 1c.3g.20gb"),
    ]


def test_malformed_output_yields_no_devices():
    assert read_gpus("No devices found.\n") == []
    assert read_gpus("Failed to initialize NVML: Unknown Error\n", "") == []


@pytest.mark.parametrize("listing", [LISTING, OLD_LISTING])
def test_the_hub_reads_what_the_host_tool_writes(listing):
    devices = usable(read_gpus(listing, XML if listing == LISTING else ""))
    assert from_variable(to_variable(devices)) == devices


def test_a_name_cannot_break_the_list_of_devices():
    odd = Device("GPU-1", 1, "A, B:${HOME}`x`")
    assert "$" not in to_variable([odd])
    assert [each.uuid for each in from_variable(to_variable([odd, odd]))] == ["GPU-1", "GPU-1"]


def test_memory_and_name_may_be_missing_but_not_the_uuid():
    assert from_variable("GPU-1, MIG-2:4864") == [Device("GPU-1", 0), Device("MIG-2", 4864)]
    assert from_variable("") == []
    for wrong in ("0", "all", "GPU-1:many", "GPU-1;MIG-2"):
        with pytest.raises(ValueError, match="LOGITLAB_GPUS"):
            from_variable(wrong)


def test_settings_choose_among_the_devices_of_the_host():
    a, b = Device("GPU-a", 1), Device("GPU-b", 1)
    assert chosen([a, b], "auto") == [a, b]
    assert chosen([a, b], "none") == []
    assert chosen([a, b], ["GPU-b", "GPU-x", "GPU-b"]) == [b]
    assert missing([a, b], ["GPU-b", "GPU-x"]) == ["GPU-x"]
    assert missing([a], "auto") == []


def test_a_container_asks_for_one_device_by_its_uuid_and_never_by_count():
    placement = Placement(Device("GPU-a", 40960, "A100"), 10240)
    assert placement.device_requests == [
        {"Driver": "nvidia", "DeviceIDs": ["GPU-a"], "Capabilities": [["gpu"]]}
    ]
    assert placement.environment == {"LOGITLAB_GPU": "GPU-a: A100", "LOGITLAB_GPU_MIB": "10240"}
    assert placement.labels == {"logitlab.gpu": "GPU-a"}


def test_a_container_without_a_slot_asks_for_nothing_and_says_why():
    placement = Placement(None, reason="all GPU slots are taken")
    assert placement.device_requests == []
    assert placement.environment == {
        "LOGITLAB_GPU": "cpu: all GPU slots are taken",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }
    assert placement.labels == {"logitlab.gpu": "cpu"}


@pytest.mark.parametrize(
    ("message", "reach"),
    [
        ('could not select device driver "nvidia" with capabilities: [[gpu]]', "host"),
        ("Unknown runtime specified nvidia", "host"),
        ("unknown or invalid runtime name: nvidia", "host"),
        (
            "OCI runtime create failed: runc create failed: unable to start container process: "
            "error during container init: error running hook #0: error running hook: exit status "
            "1, stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: device "
            "error: GPU-aaaa: unknown device: unknown",
            "device",
        ),
        ("nvidia-container-cli: initialization error: nvml error: driver not loaded", "host"),
        ("nvidia-container-cli: detection error: nvml error: unknown error", "device"),
        ("nvidia-container-cli: initialization error: driver rpc error: timed out", "host"),
        ("CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=x", "device"),
        ("no space left on device", None),
        ("Conflict. The container name is already in use", None),
        ("permission denied", None),
    ],
)
def test_the_engines_words_say_what_is_out_of_order(message, reach):
    assert gpu_failure(message) == reach


# --- doctor ---------------------------------------------------------------------------------

WELL = GpuFacts(
    cards=1,
    smi=True,
    gpus=tuple(read_gpus("GPU 0: NVIDIA A10 (UUID: GPU-a)")),
    hook=True,
    runtimes=("runc", "nvidia"),
    trial="",
)


def changed(**facts) -> GpuFacts:
    return GpuFacts(**{**WELL.__dict__, **facts})


@pytest.mark.parametrize(
    ("facts", "setting", "name", "words", "command"),
    [
        (GpuFacts(cards=1), "auto", "NVIDIA driver", "no driver", "apt-get install nvidia-driver"),
        (
            GpuFacts(cards=1, smi=True, smi_error="NVML: Driver/library version mismatch"),
            "auto",
            "NVIDIA driver",
            "upgraded",
            "reboot",
        ),
        (
            GpuFacts(cards=1, smi=True, smi_error="couldn't communicate with the NVIDIA driver"),
            "auto",
            "NVIDIA driver",
            "couldn't communicate",
            "modprobe nvidia",
        ),
        (
            changed(hook=False),
            "auto",
            "NVIDIA toolkit",
            "not installed",
            "nvidia-container-toolkit",
        ),
        (changed(runtimes=("runc",)), "auto", "NVIDIA runtime", "not registered", "nvidia-ctk"),
        (changed(default_runtime="nvidia"), "auto", "NVIDIA runtime", "every GPU", "daemon.json"),
        (
            changed(gpus=tuple(read_gpus(LISTING, XML))),
            "auto",
            "MIG",
            "GPU 2 (GPU-cccc",
            "nvidia-smi mig -i 2 -cgi",
        ),
        (changed(), ["GPU-x"], "GPUs named", "GPU-x", "GPU-a"),
        (GpuFacts(), ["GPU-x"], "GPUs", "no NVIDIA GPU", "auto"),
        (
            changed(cgroup_driver="systemd", char_links=False),
            "auto",
            "GPUs persist",
            "daemon-reload",
            "create-dev-char-symlinks",
        ),
        (changed(trial="GPU-a: hook failed"), "auto", "GPU in a container", "hook failed", "ctk"),
    ],
)
def test_the_obstacle_to_gpus_is_named_with_the_command_that_fixes_it(
    facts, setting, name, words, command
):
    wrong = [check for check in judge(facts, setting) if not check.ok]
    assert [check.name for check in wrong] == [name]
    assert words in wrong[0].message
    assert command in " ".join(wrong[0].fix)


@pytest.mark.parametrize(
    ("facts", "setting"), [(WELL, "auto"), (GpuFacts(), "auto"), (GpuFacts(), "none")]
)
def test_a_host_in_order_and_one_without_gpus_have_nothing_to_fix(facts, setting):
    assert all(check.ok for check in judge(facts, setting))


def test_the_host_tool_reads_what_nvidia_smi_prints(tmp_path, monkeypatch):
    smi = tmp_path / "nvidia-smi"
    (tmp_path / "xml").write_text(XML)
    (tmp_path / "listing").write_text(LISTING)
    smi.write_text(f'#!/bin/sh\n[ "$1" = -L ] && cat {tmp_path}/listing || cat {tmp_path}/xml\n')
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert [device.mib for device in host.discover()] == [19968, 4864, 24564]
    smi.write_text("#!/bin/sh\necho 'Failed to initialize NVML: Unknown Error'; exit 255\n")
    assert host.discover() == []
    assert host.gather().smi_error == "Failed to initialize NVML: Unknown Error"


def test_the_host_tool_needs_nothing_but_python():
    heavy = ("pydantic", "docker", "yaml", "tornado")
    code = f"import sys, hub.host.deploy.gpus; print([m for m in sys.modules if m in {heavy}])"
    isolated = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert isolated.stdout.strip() == "[]", isolated.stderr
