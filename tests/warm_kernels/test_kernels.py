"""A kernel from the template is the kernel that ipykernel would have started, only sooner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub.jupyterhub.configuration.jupyterlab import server_config
from hub.singleuser.warm_kernels import template
from hub.singleuser.warm_kernels.provisioner import KernelTemplate, kernel_arguments
from hub.singleuser.warm_kernels.template import Imports
from tests.warm_kernels.kernels import kernel, output, parent, wait_until_ready

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

# What a program can see of the process that it is in.
PROBE = """
import json, logging, os, resource, signal, sys, threading, warnings
import transformer_lens
from course import checks, drawings, models, plots, viewer
import numpy, plotly.io, torch, tqdm.auto
print(json.dumps({
    "arguments": [os.path.basename(sys.argv[0]).removesuffix(".py"), *sys.argv[1:-1]],
    "path": sys.path,
    "folder": os.getcwd(),
    "environment": {k: v for k, v in os.environ.items() if k not in VARIES},
    "names": sorted(name for name in globals() if name.startswith("__")),
    "main": sys.modules["__main__"].__dict__ is globals(),
    "shell": type(get_ipython()).__module__,
    "config": sorted(get_ipython().config),
    "signals": {s: str(signal.getsignal(s)) for s in (2, 13, 15, 17)},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "threads": threading.active_count(),
    "session": os.getsid(0) == os.getpid(),
    "umask": os.umask(0o77),
    "limits": [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)],
    "nice": os.nice(0),
    "standard": [os.path.exists(f"/proc/self/fd/{n}") for n in (0, 1, 2)],
    "logging": logging.root.level,
    "warnings": sorted(map(str, warnings.filters)),
    "plotly": plotly.io.renderers.default,
    "tqdm": tqdm.auto.tqdm.__mro__[1].__module__,
    "torch": [torch.get_num_threads(), torch.cuda.is_initialized(), torch.is_grad_enabled(),
              str(torch.get_default_dtype())],
    "numpy": numpy.get_printoptions()["precision"],
}))
"""
# What differs from kernel to kernel, or is ours: see run_kernel.
VARIES = "VARIES = {'JPY_PARENT_PID', 'JPY_SESSION_NAME'}\n"


def seen(folder: Path) -> dict:
    with kernel(folder) as (_, client):
        return json.loads(output(client, VARIES + PROBE))


def test_a_program_sees_what_it_sees_in_a_fresh_kernel(
    warm: KernelTemplate, tmp_path: Path
) -> None:
    wait_until_ready(warm)
    forked = seen(tmp_path)
    warm.stop()
    with kernel(tmp_path) as (_, client):
        assert parent(client) == os.getpid()  # started afresh, as there is no template
        fresh = json.loads(output(client, VARIES + PROBE))
    # Those of libraries that nothing has imported in the fresh one.
    assert {*fresh.pop("warnings")} <= {*forked.pop("warnings")}
    assert {k: (forked[k], v) for k, v in fresh.items() if forked[k] != v} == {}


def test_random_numbers_differ_between_kernels_as_they_do_between_fresh_ones(
    warm: KernelTemplate, tmp_path: Path
) -> None:
    wait_until_ready(warm)
    draw = (
        "import numpy, random, torch, uuid, transformer_lens\n"
        "print(numpy.random.rand(), random.random(), torch.rand(()).item(), uuid.uuid4())"
    )
    drawn = []
    for _ in range(2):
        with kernel(tmp_path) as (_, client):
            drawn.append(output(client, draw).split())
    assert all(one != other for one, other in zip(*drawn, strict=True))


def test_a_cell_is_interrupted_a_kernel_restarted_and_a_dead_one_noticed(
    warm: KernelTemplate, tmp_path: Path
) -> None:
    with kernel(tmp_path) as (manager, client):
        assert parent(client) == warm.pid
        client.execute("import time; time.sleep(60)")
        time.sleep(1)
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=30)
        assert reply["content"].get("ename") == "KeyboardInterrupt"

        output(client, "x = 1")
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=60)
        assert "NameError" in output(client, "x")

        client.execute("import os; os._exit(3)")
        deadline = time.monotonic() + 30
        while manager.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not manager.is_alive()


def test_a_kernel_outlives_its_template_and_the_next_one_starts_afresh(
    warm: KernelTemplate, tmp_path: Path
) -> None:
    with kernel(tmp_path) as (_, client):
        output(client, "kept = 42")
        first = warm.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        with kernel(tmp_path) as (_, other):
            assert parent(other) == os.getpid()
        with kernel(tmp_path) as (_, later):
            assert parent(later) == warm.pid != first
        assert output(client, "print(kept)") == "42"


SERVER = """
import sys, time
from pathlib import Path
from hub.singleuser.warm_kernels.extension import use_warm_kernels
from hub.singleuser.warm_kernels.provisioner import TEMPLATE
from jupyter_client.provisioning import KernelProvisionerFactory
from tests.warm_kernels.kernels import kernel, output
use_warm_kernels(KernelProvisionerFactory.instance())
TEMPLATE.start()
with kernel(Path(sys.argv[1])) as (manager, client):
    print(TEMPLATE.pid, manager.provisioner.pid, flush=True)
    time.sleep(600)
"""


def test_template_and_kernels_end_with_a_server_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pids = [int(pid) for pid in server.stdout.readline().split()]
        assert len(pids) == 2
        server.kill()
    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_imports_little_by_little_and_only_while_a_processor_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a kernel that is wanted early does not wait, and others are not slowed."""
    busy = iter([(0, 0), (0, 100), (100, 200), (200, 300)])  # idle ticks, and all
    monkeypatch.setattr(template, "_processor_times", lambda: next(busy))
    monkeypatch.setattr(template, "SLICE", 0)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    imports = Imports(("this_library_does_not_exist", "colorsys"))
    imports.go_on()
    assert len(imports) == 3  # with what is imported by use
    imports.go_on()
    assert "colorsys" not in sys.modules
    imports.go_on()
    assert "colorsys" in sys.modules and len(imports) == 1


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("PYTHON -m ipykernel_launcher -f k.json", "-f k.json"),
        ("PYTHON -Xfrozen_modules=off -m ipykernel_launcher -f k.json", "-f k.json"),
        ("PYTHON -m ipykernel_launcher -f k.json --no-secure", "-f k.json --no-secure"),
        ("/elsewhere/bin/python -m ipykernel_launcher -f k.json", None),
        ("PYTHON -O -m ipykernel_launcher -f k.json", None),
        ("PYTHON -m xeus_python -f k.json", None),
        ("ir -f k.json", None),
    ],
)
def test_kernels_of_another_kind_are_not_taken_from_the_template(
    command: str, arguments: str | None
) -> None:
    found = kernel_arguments(command.replace("PYTHON", sys.executable).split())
    assert found == (arguments.split() if arguments else None)


def test_warm_kernels_can_be_switched_off_and_the_grader_has_none() -> None:
    def uses(role, wanted: bool = True) -> bool:
        extensions = server_config(role, 0, wanted)["ServerApp"]["jpserver_extensions"]
        return extensions["hub.singleuser.warm_kernels.extension"]

    assert uses("student") and uses("instructor")
    assert not uses("student", False) and not uses("grader")
