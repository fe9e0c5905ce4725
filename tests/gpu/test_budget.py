"""A kernel's share of GPU memory: set when torch first uses CUDA, at no cost before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from hub.singleuser.gpu import startup
from hub.singleuser.gpu.budget import fraction, kernels

# A torch that only remembers what it is told, and "initialises CUDA" when it is asked to.
FAKE_TORCH = """
    told, waiting = [], []
    class cuda:
        @staticmethod
        def _lazy_call(call): waiting.append(call)
        @staticmethod
        def get_device_properties(index):
            class device: total_memory = 40960 * 2**20
            return device
        @staticmethod
        def set_per_process_memory_fraction(fraction, device): told.append((fraction, device))
        @staticmethod
        def init():
            for call in waiting: call()
"""


@pytest.mark.parametrize(
    ("mib", "device", "count", "expected"),
    [
        (10240, 40960, 1, 9728 / 40960),
        (10240, 40960, 2, 4608 / 40960),
        (10240, 40960, 100, 256 / 40960),  # never nothing
        (50000, 40960, 1, 1.0),  # never more than there is
        (10240, 40960, 0, 9728 / 40960),
    ],
)
def test_a_servers_budget_is_divided_over_its_kernels(mib, device, count, expected):
    assert fraction(mib, device, count) == pytest.approx(expected)


def test_kernels_of_the_same_server_are_counted_and_nothing_else(tmp_path):
    def process(pid: int, command: str, parent: int, name: str = "python") -> None:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes(command.replace(" ", "\0").encode())
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0")

    kernel = "python -m ipykernel_launcher -f k.json"
    process(7, "jupyterhub-singleuser", 1)
    process(20, kernel, 7, "odd) name")
    process(21, kernel, 7)
    process(22, kernel, 99)
    process(23, "bash", 7)
    template = "python -m hub.singleuser.warm_kernels.template 5 7"
    process(30, template, 7)
    process(31, template, 30)
    process(40, template, 99)
    process(41, template, 40)
    assert kernels(tmp_path, 20) == kernels(tmp_path, 31) == 3
    assert kernels(tmp_path, 22) == kernels(tmp_path, 41) == 2
    assert kernels(tmp_path, 404) == 1


def run(code: str, folder: Path, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{os.getcwd()}", **variables}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.stdout + done.stderr


@pytest.fixture
def fake_torch(tmp_path: Path) -> Path:
    (tmp_path / "torch.py").write_text(textwrap.dedent(FAKE_TORCH))
    return tmp_path


HOOK = "from hub.singleuser.gpu.budget import begin as hook; hook(); hook()\n"


def test_the_limit_is_set_when_cuda_starts_and_not_before(fake_torch):
    code = HOOK + "import torch; print(torch.told); torch.cuda.init(); print(torch.told)"
    output = run(code, fake_torch, LOGITLAB_GPU_MIB="10240")
    assert output == f"[]\n[({9728 / 40960}, 0)]\n"


def test_a_torch_that_is_already_there_is_limited_too(fake_torch):
    code = "import torch\n" + HOOK.replace("; hook()\n", "\n") + "print(len(torch.waiting))"
    assert run(code, fake_torch, LOGITLAB_GPU_MIB="10240") == "1\n"


@pytest.mark.parametrize("value", ["", "0", "many", "-1"])
def test_without_a_budget_nothing_is_hooked(fake_torch, value):
    code = "import sys\nbefore = list(sys.meta_path)\n" + HOOK
    code += "import torch\nprint(sys.meta_path == before, torch.waiting)"
    assert run(code, fake_torch, LOGITLAB_GPU_MIB=value) == "True []\n"


def test_a_torch_that_cannot_be_limited_is_imported_all_the_same(tmp_path):
    (tmp_path / "torch.py").write_text("here = 1\n")
    output = run(HOOK + "import torch; print(torch.here)", tmp_path, LOGITLAB_GPU_MIB="10240")
    assert output.startswith("1\nGPU memory limit not set:")


def test_a_missing_torch_is_missing_as_ever(tmp_path):
    code = (
        HOOK
        + """
import sys
sys.path = [entry for entry in sys.path if "site-packages" not in entry]
try:
    import torch
except ModuleNotFoundError as error:
    print(error)
"""
    )
    assert run(code, tmp_path, LOGITLAB_GPU_MIB="10240") == "No module named 'torch'\n"


def test_the_real_torch_keeps_the_limit_for_its_first_use_of_cuda(tmp_path):
    code = (
        HOOK
        + """
import torch
calls = [call for call, _ in torch.cuda._queued_calls]
print([call.__module__ for call in calls].count("hub.singleuser.gpu.budget"))
print(torch.cuda.is_initialized(), float(torch.ones(2).sum()))
import inspect
print(list(inspect.signature(torch.cuda.set_per_process_memory_fraction).parameters))
"""
    )
    output = run(code, tmp_path, LOGITLAB_GPU_MIB="10240", OMP_NUM_THREADS="1")
    assert output == "1\nFalse 2.0\n['fraction', 'device']\n"


@pytest.mark.kernel
def test_a_kernel_without_torch_pays_less_than_ten_milliseconds(tmp_path):
    code = """
import time, ipykernel.kernelapp
before = time.process_time()
from hub.singleuser.gpu.budget import begin
begin()
print((time.process_time() - before) * 1000)
"""
    times = [float(run(code, tmp_path, LOGITLAB_GPU_MIB="10240")) for _ in range(5)]
    assert min(times) < 10, times


@pytest.mark.kernel
def test_a_real_kernel_runs_the_startup_file_and_shows_nothing_of_it(fake_torch, tmp_path):
    folder = tmp_path / "ipython" / "profile_default" / "startup"
    folder.mkdir(parents=True)
    shutil.copy(startup.__file__, folder / "10-logitlab-gpu.py")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{fake_torch}:{os.getcwd()}",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "LOGITLAB_GPU_MIB": "10240",
    }
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment)
    client = manager.client()
    client.start_channels()
    output: list[str] = []

    def hear(message: dict) -> None:
        content = message["content"]
        output.append(content.get("text") or "\n".join(content.get("traceback", [])))

    try:
        client.wait_for_ready(timeout=60)
        code = "%who\nimport torch; torch.cuda.init(); print(torch.told)"
        client.execute_interactive(code, output_hook=hear, timeout=60)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    words = "".join(output)
    assert "Interactive namespace is empty" in words
    assert f"[({9728 / 40960}, 0)]" in words


def test_a_startup_file_that_fails_says_nothing(tmp_path):
    started = time.monotonic()
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "__init__.py").write_text("raise RuntimeError('broken image')")
    source = Path(startup.__file__).read_text()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", source + "\nprint('alive')"],
        env=environment,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.stdout == "alive\n"
    assert done.stderr == ""
    assert time.monotonic() - started < 30
