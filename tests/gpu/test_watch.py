"""A kernel that uses more of a shared GPU than its slot is named and stopped, and no other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.manager import KernelManager

from hub.services.gpuwatch import __main__ as watch
from hub.services.gpuwatch import processes
from hub.services.gpuwatch.processes import container_of
from hub.services.gpuwatch.usage import GpuProcess, Use, read_use
from hub.services.gpuwatch.verdict import NEARLY_FULL, HeldSlot, over_budget
from hub.singleuser.gpu import startup
from tests.gpu.samples import LISTING, XML

ONE, TWO = "1" * 64, "2" * 64
GPU = "GPU-bbbb852c-d268-c3f3-1b07-005d5ae1dc3f"


def test_memory_is_read_by_device_and_by_mig_device():
    assert read_use(LISTING, XML) == [
        Use("MIG-c7384736-a75d-5afc-978f-d2f1294409fd", 19500, 19968, (GpuProcess(4001, 15000),)),
        Use("MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d", 12, 4864, ()),
        Use(GPU, 24000, 24564, (GpuProcess(5001, 14000), GpuProcess(5003, 9000))),
        Use("GPU-cccc852c-d268-c3f3-1b07-005d5ae1dc3f", 0, 40960, ()),
    ]


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        (f"8:pids:/docker/{ONE}\n1:name=systemd:/docker/{ONE}\n0::/\n", ONE),
        (f"0::/system.slice/docker-{ONE}.scope\n", ONE),
        (f"0::/../docker-{ONE}.scope\n", ONE),
        (f"0::/../{ONE}\n", ONE),
        (f"8:pids:/docker/{ONE}/docker/{TWO}\n", TWO),
        ("8:pids:/user.slice\n0::/init.scope\n", None),
        (f"0::/user.slice/{'3' * 63}\n", None),
        ("", None),
    ],
)
def test_a_process_is_traced_to_its_container(cgroup, expected):
    assert container_of(cgroup) == expected


def verdict(used: int, use_of_one: list[int], use_of_two: list[int], mib: int = 10000):
    groups = ((ONE, 100, use_of_one), (TWO, 200, use_of_two))
    own = [
        (GpuProcess(start + number, mib), container)
        for container, start, group in groups
        for number, mib in enumerate(group)
    ]
    positions = {ONE: HeldSlot("alice", "G", mib), TWO: HeldSlot("bob", "G", mib)}
    owners = {process.pid: container for process, container in own}
    use = Use("G", used, 20000, tuple(process for process, _ in own))
    return over_budget(use, owners, positions)


@pytest.mark.parametrize(
    ("used", "one", "two", "expected"),
    [
        (19900, [12000], [7000], [("alice", 100)]),
        (12000, [12000], [], []),  # room for others
        (19900, [9900], [9900], []),  # full, and everybody within
        (19900, [6000, 5000, 1000], [7000], [("alice", 100)]),  # together over: the largest
        (19900, [10001], [11000], [("bob", 200), ("alice", 100)]),  # the worst first
        (19900, [10000], [9000], []),  # exactly the budget
    ],
)
def test_only_on_a_full_device_whoever_is_over_is_named_and_the_worst_first(
    used, one, two, expected
):
    assert [(over.slot.user, over.largest.pid) for over in verdict(used, one, two)] == expected


@given(
    used=st.integers(0, 20000),
    one=st.lists(st.integers(1, 9000), max_size=4),
    two=st.lists(st.integers(1, 9000), max_size=4),
    mib=st.integers(0, 20000),
)
def test_a_kernel_within_its_budget_is_never_stopped(used, one, two, mib):
    found = verdict(used, one, two, mib)
    for over in found:
        assert over.used > over.slot.mib > 0
        assert used >= NEARLY_FULL * 20000
    over_by = [over.used - over.slot.mib for over in found]
    assert over_by == sorted(over_by, reverse=True)


def test_processes_of_no_container_of_ours_are_left_alone():
    use = Use("G", 20000, 20000, (GpuProcess(1, 15000), GpuProcess(2, 4000)))
    positions = {ONE: HeldSlot("alice", "G", 1000)}
    assert over_budget(use, {1: TWO}, positions) == ()
    assert over_budget(use, {}, positions) == ()
    without_budget = {TWO: HeldSlot("alice", "G", 0)}
    assert over_budget(use, {1: TWO}, without_budget) == ()


# --- with processes -------------------------------------------------------------------------


@pytest.fixture
def everything_is_of(monkeypatch):
    """Processes of these tests run in no container: say which they are of."""

    def say(container: str) -> None:
        monkeypatch.setattr(processes, "owner", lambda pid: container)
        monkeypatch.setattr(watch, "owner", lambda pid: container)

    return say


def child(code: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", code + "\nprint('up', flush=True)\ntime.sleep(60)"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize(
    ("code", "words", "number"),
    [
        ("import time", "it exited", signal.SIGUSR1),
        (
            "import time, signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
            "it was killed",
            signal.SIGKILL,
        ),
    ],
)
def test_a_process_is_reported_and_then_killed(everything_is_of, code, words, number):
    everything_is_of(ONE)
    process = child(code)
    assert processes.stop(process.pid, ONE, grace=0.5) == words
    assert process.wait(10) == -number


def test_a_process_of_another_container_is_not_touched(everything_is_of):
    everything_is_of(TWO)
    process = child("import time")
    assert processes.stop(process.pid, ONE, grace=0.1) == "it had already exited"
    assert process.poll() is None
    process.kill()
    process.wait(10)
    assert processes.stop(process.pid, ONE, grace=0.1) == "it had already exited"


def test_a_round_names_and_stops_the_worst_once(tmp_path, monkeypatch, everything_is_of):
    everything_is_of(ONE)
    process = child("import time")
    xml = XML.replace("5001", str(process.pid))
    (tmp_path / "nvidia-smi").write_text(
        f'#!/bin/sh\n[ "$1" = -L ] && cat {tmp_path}/listing || cat {tmp_path}/xml\n'
    )
    (tmp_path / "nvidia-smi").chmod(0o755)
    (tmp_path / "listing").write_text(LISTING)
    (tmp_path / "xml").write_text(xml)
    positions = tmp_path / "slots.json"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    looking = watch.GpuWatch(positions)
    assert list(looking.check()) == []  # the hub has not written a map yet
    entry = f'{{"user": "alice", "device": "{GPU}", "mib": 20000}}'
    positions.write_text(f'{{"{ONE}": {entry}}}')
    output = list(looking.check())
    assert output == [
        "alice uses 23000 MiB of GPU memory, 3000 MiB more than the 20000 MiB of the slot on "
        f"{GPU}",
        f"{GPU} is full (24000 of 24564 MiB): stopped alice's process {process.pid} (14000 MiB): "
        "it exited",
    ]
    assert process.wait(10) == -signal.SIGUSR1
    (tmp_path / "xml").write_text(XML.replace("14000 MiB", "1 MiB"))
    assert list(looking.check()) == []


def test_a_watcher_that_cannot_see_says_so_once_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    looking = watch.GpuWatch(tmp_path / "slots.json")
    assert "cannot watch: nvidia-smi" in "".join(looking.check())
    assert list(looking.check()) == []
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho Failed to initialize NVML; exit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert list(looking.check()) == ["cannot watch: nvidia-smi: Failed to initialize NVML"]
    empty = "#!/bin/sh\necho '<nvidia_smi_log></nvidia_smi_log>'\n"
    (tmp_path / "nvidia-smi").write_text(empty)
    assert list(looking.check()) == ["watching again"]
    (tmp_path / "slots.json").write_text("[1, 2")
    assert "slots.json" in "".join(looking.check())


@pytest.mark.kernel
def test_a_stopped_kernel_says_why_in_its_cell(tmp_path):
    folder = tmp_path / "profile_default" / "startup"
    folder.mkdir(parents=True)
    shutil.copy(startup.__file__, folder / "10-logitlab-gpu.py")
    manager = KernelManager(kernel_name="python3")
    variables = {"IPYTHONDIR": str(tmp_path), "PYTHONPATH": os.getcwd(), "LOGITLAB_GPU_MIB": "777"}
    manager.start_kernel(env={**os.environ, **variables})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute("import os, time; print(os.getpid()); time.sleep(60)")
        output, deadline = "", time.monotonic() + 60
        report = False
        while "that you do not need" not in output and time.monotonic() < deadline:
            message = client.get_iopub_msg(timeout=30)
            output += message["content"].get("text", "")
            if not report and output.strip().isdigit():
                os.kill(int(output), signal.SIGUSR1)
                report = True
        assert "more GPU memory than your slot has (777 MiB)" in output
        while manager.is_alive() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not manager.is_alive()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_kernel_without_a_gpu_is_left_as_it_is(tmp_path):
    code = "import signal\nexec(open(%r).read())\nprint(signal.getsignal(signal.SIGUSR1))"
    done = subprocess.run(
        [sys.executable, "-c", code % str(Path(startup.__file__))],
        env={key: value for key, value in os.environ.items() if key != "LOGITLAB_GPU_MIB"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() in ("0", "Handlers.SIG_DFL"), done
