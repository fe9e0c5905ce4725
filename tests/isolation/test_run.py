"""Whole notebooks executed with isolated tests: what is shown, what fails, and what goes on."""

import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from hub.grading.isolation.manifest import ManifestError, read
from hub.grading.isolation.modes import Isolated, MismatchError
from hub.grading.isolation.session import run_cells
from hub.grading.pipeline.execute import execute
from hub.grading.sandbox.trouble import Trouble
from tests.isolation.notebooks import answered, failed, failures, notebook, outputs, run_isolated

pytestmark = pytest.mark.kernel

ADD = notebook(
    ("released", "N = 3\nprint('given')"),
    ("solution", "def f(x):\n    return x + N"),
    ("test", "assert f(1) == 4"),
    ("solution", "def g(x):\n    return 2 * x"),
    ("test", "assert g(1) == 2"),
)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_right_answer_passes_and_its_tests_show_nothing():
    executed = run_isolated(ADD)
    assert failures(executed) == []
    assert "given" in outputs(executed, 1)
    assert executed.cells[2].outputs == []


def test_a_wrong_answer_fails_its_own_test_only():
    executed = run_isolated(
        ADD, answered(ADD, "def f(x):\n    return x", "def g(x):\n    return 2 * x")
    )
    assert failed(executed) == ["test-3"]
    assert "assert f(1) == 4" in outputs(executed, 3)


def test_a_missing_name_fails_with_a_name_error():
    executed = run_isolated(ADD, answered(ADD, "", "def g(x):\n    return 2 * x"))
    assert failures(executed) == ["NameError: name 'f' is not defined"]


def test_the_students_cells_behave_as_in_a_notebook():
    executed = run_isolated(
        ADD,
        notebook(
            ("student", "%%bash\necho from bash"),
            ("student", "import subprocess\n_ = subprocess.run(['echo', 'from a child'])"),
            ("student", "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1]))"),
            ("student", "import sys\nprint('warned', file=sys.stderr)\n1 / 0"),
            ("student", "40 + 2"),
        ),
    )
    assert "from bash" in outputs(executed, 1)
    assert "from a child" in outputs(executed, 2)
    assert "application/vnd.plotly.v1+json" in executed.cells[2].outputs[0].data
    stream, failure = executed.cells[3].outputs
    assert (stream.name, stream.text) == ("stderr", "warned\n")
    assert failure.ename == "ZeroDivisionError" and "1" in "".join(failure.traceback)
    assert executed.cells[4].outputs[0].data["text/plain"] == "42"
    assert executed.cells[4].execution_count == 5


def test_output_of_the_students_code_during_a_test_is_not_shown():
    noisy = "import os\ndef f(x):\n    print('NOISE')\n    os.write(1, b'NOISE')\n    return x + N"
    executed = run_isolated(
        ADD, answered(ADD, noisy, "print('NOT NOISE')\ndef g(x):\n    return 2 * x")
    )
    assert failures(executed) == []
    shown = "".join(outputs(executed, k) for k in range(1, 6))
    assert "NOT NOISE" in shown and shown.count("NOISE") == 1


def test_a_given_cell_that_uses_a_students_name_runs_with_the_student_only():
    source = notebook(
        ("solution", "def f(x):\n    return x + 1"),
        ("released", "value = f(1)\nvalue"),
        ("test", "assert value == 2"),
    )
    assert failures(run_isolated(source)) == []
    cheat = run_isolated(source, answered(source, "def f(x):\n    return 7"))
    assert failed(cheat) == ["test-3"] and "7" in outputs(cheat, 2)


def test_given_cells_that_draw_show_their_pictures_once_and_harm_no_test():
    source = notebook(
        ("released", "import plotly.graph_objects as go\ngo.Figure().show()\ndisplay('shown')"),
        ("solution", "def f(): return go.Figure()"),
        ("test", "assert isinstance(f(), go.Figure)"),
    )
    executed = run_isolated(source)
    assert failures(executed) == []
    assert [o.output_type for o in executed.cells[0].outputs] == ["display_data"] * 2


def test_a_failed_test_says_which_given_cell_had_failed_before():
    source = notebook(
        ("released", "given = {}['nothing']"),
        ("solution", "def f(): return 1"),
        ("test", "assert f() == given"),
    )
    assert "the given cell released-1 had failed" in outputs(run_isolated(source), 3)


def test_a_later_test_can_use_definitions_of_an_earlier_test():
    source = notebook(
        ("solution", "def f(x):\n    return x + 1"),
        ("test", "def twice(x):\n    return f(f(x))\nassert twice(1) == 3"),
        ("student", "pass"),
        ("test", "assert twice(2) == 4"),
    )
    assert failures(run_isolated(source)) == []


def test_cells_report_the_end_of_the_students_process_and_its_tests_fail():
    executed = run_isolated(
        ADD, answered(ADD, "import os; os._exit(3)", "def g(x):\n    return 2 * x")
    )
    assert failed(executed) == ["test-3", "test-5"]
    assert "exit status 3" in outputs(executed, 2)


def problems(source, *answers, seconds=20.0, total=60.0):
    """What went wrong beside ordinary errors: with cells, by their place, and what ended all."""
    ran = list(
        run_cells(
            answered(source, *answers),
            Isolated(read(source)),
            cell_seconds=seconds,
            total_seconds=total,
        )
    )
    return {r.index: r.problem for r in ran if r.problem}, [
        r.trouble.message for r in ran if r.trouble and r.trouble.kind == "time"
    ]


def troubles(source, *answers, seconds=20.0):
    mode = Isolated(read(source))
    ran = run_cells(answered(source, *answers), mode, cell_seconds=seconds, total_seconds=60)
    return [r.trouble for r in ran if r.trouble]


def test_a_cell_that_awaits_for_too_long_is_stopped_and_the_next_ones_go_on():
    waits = "import asyncio\nawait asyncio.sleep(60)"
    executed = run_isolated(ADD, answered(ADD, waits, RIGHT[1]), seconds=2)
    assert failed(executed) == ["test-3"]
    assert "its time limit" in outputs(executed, 2)


@pytest.mark.parametrize(
    "breaks",
    [
        "asyncio.get_event_loop()._selector.close()",
        "asyncio.get_event_loop().stop()\nawait asyncio.sleep(0.1)",
        "asyncio.get_event_loop().call_soon(asyncio.get_event_loop().stop)",
        "import threading\n"
        "loop = asyncio.get_event_loop()\n"
        "loop.is_running = lambda: False\n"
        "loop.close()",
    ],
)
def test_cells_go_on_after_one_that_broke_the_event_loop(breaks):
    broken = f"import asyncio\n{breaks}\n{RIGHT[0]}"
    executed = run_isolated(ADD, answered(ADD, broken, f"await asyncio.sleep(0)\n{RIGHT[1]}"))
    assert failed(executed) == []


RIGHT = ("def f(x):\n    return x + N", "def g(x):\n    return 2 * x")


CLOSE_AND_LEAVE = """import os, stat, time
for descriptor in range(3, 100):
    try:
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode): os.close(descriptor)
    except OSError: pass
time.sleep(1)
os._exit(3)"""


def test_the_end_of_the_students_process_is_reported_even_if_its_socket_closed_first():
    report = troubles(ADD, CLOSE_AND_LEAVE, RIGHT[1])
    assert [(trouble.kind, trouble.cell) for trouble in report] == [("ended", 1)]
    assert "exit status 3" in report[0].message


def test_a_good_notebook_has_no_problems():
    assert problems(ADD, *RIGHT) == ({}, [])


def test_the_end_of_the_students_process_is_reported_once_with_the_cell_it_came_in():
    cells, notebook_as_a_whole = problems(ADD, "import os; os._exit(3)", RIGHT[1])
    assert (cells, notebook_as_a_whole) == ({}, [])
    assert troubles(ADD, "import os; os._exit(3)", RIGHT[1]) == [
        Trouble("ended", 1, "it ended the process that runs your cells (exit status 3)")
    ]


def test_a_stopped_cell_and_cut_output_are_reported_with_the_cell():
    endless = "def f(x):\n    while True: pass"
    cells, _ = problems(ADD, endless, "while True: print('a' * 99_999)", seconds=2)
    assert cells[2] == cells[3] == "was stopped after 2 s, its time limit"
    loud = "from IPython.display import HTML\nHTML('a' * 20_000_000)"
    cells, _ = problems(ADD, "print('a' * 1_500_000)", loud)
    assert cells == {
        1: "printed too much: the rest was cut",
        3: "had too much output, which was left out",
    }


def test_the_end_of_the_notebooks_time_is_reported_once_and_not_as_the_cells_limit():
    cells, ended = problems(ADD, "import time; time.sleep(30)", RIGHT[1], total=1.0)
    assert cells == {}
    assert ended == ["the time for the whole notebook, 1 s, was over"]


def test_the_end_of_the_judge_process_is_reported_once():
    source = notebook(
        ("solution", "def f(x):\n    return x"),
        *[("test", "import os\nos._exit(0)")] * 2,
    )
    assert troubles(source, source.cells[0].source) == [
        Trouble("grading", 1, "a process of the grading ended")
    ]


def test_a_dead_student_cannot_pass_a_test_that_swallows_everything():
    source = notebook(
        ("solution", "def f(x):\n    return x"),
        ("test", "try:\n    f(1)\nexcept:\n    pass"),
        ("test", "pass"),
    )
    answer = "def f(x):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)"
    assert failed(run_isolated(source, answered(source, answer))) == ["test-2", "test-3"]


def test_an_endless_cell_is_interrupted_and_the_rest_still_counts():
    executed = run_isolated(
        ADD, answered(ADD, "while True: pass", "def g(x):\n    return 2 * x"), seconds=2
    )
    assert failed(executed) == ["test-3"]
    assert "was stopped after 2 s, its time limit" in outputs(executed, 2)
    assert "student.py" not in outputs(executed, 2)


def test_an_endless_function_fails_its_test_and_the_rest_still_counts():
    endless = "def f(x):\n    while True: pass"
    executed = run_isolated(ADD, answered(ADD, endless, "def g(x):\n    return 2 * x"), seconds=2)
    assert failures(executed) == ["TooSlow: your code did not finish in the time that a cell has"]


def test_a_loop_that_ignores_the_interrupt_is_killed():
    deaf = "import signal\ndef f(x):\n    signal.signal(2, signal.SIG_IGN)\n    while True: pass"
    started = time.monotonic()
    executed = run_isolated(ADD, answered(ADD, deaf, "def g(x):\n    return 2 * x"), seconds=2)
    assert failed(executed) == ["test-3", "test-5"]
    assert time.monotonic() - started < 20


def test_a_test_that_hangs_by_itself_fails_and_the_next_one_counts():
    source = notebook(
        ("solution", "def f(x):\n    return x"),
        ("test", "f(1)\nwhile True:\n    pass"),
        ("test", "assert f(1) == 1"),
    )
    assert failed(run_isolated(source, seconds=2)) == ["test-2"]


def test_every_test_fails_after_the_end_of_the_judge_process():
    source = notebook(
        ("solution", "def f(x):\n    return x"),
        ("test", "import os\nos._exit(0)"),
        ("test", "assert f(1) == 1"),
    )
    executed = run_isolated(source)
    assert failed(executed) == ["test-2", "test-3"]


def test_a_changed_test_is_refused():
    submission = notebook(
        *[("student", "pass")] * 2, ("test", "assert True"), *[("student", "pass")] * 2
    )
    with pytest.raises(MismatchError, match="test-3"):
        run_isolated(ADD, submission)


def test_an_instructors_notebook_that_breaks_the_rules_is_refused():
    with pytest.raises(ManifestError, match=r"test-2 binds f, which is the student's"):
        run_isolated(notebook(("solution", "def f(x): return x"), ("test", "f = abs\nassert f(1)")))


def test_both_processes_know_their_execution_and_no_secret(monkeypatch):
    monkeypatch.setenv("LOGITLAB_EXECUTION", "mark")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    names = ("LOGITLAB_EXECUTION", "NBGRADER_EXECUTION", "PLOTLY_RENDERER", "JUPYTERHUB_API_TOKEN")
    source = notebook(
        ("released", f"import os\ndef seen():\n    return [os.environ.get(n) for n in {names}]"),
        ("solution", "mine = seen()"),
        ("test", "assert mine == ['mark', 'autograde', 'plotly_mimetype', None]"),
        ("test", "assert seen() == ['mark', 'autograde', 'json', None]"),
    )
    assert failures(run_isolated(source)) == []


def test_both_processes_end_when_their_parent_is_killed():
    note = Path("/dev/shm", f"logitlab-{uuid4().hex}")  # student code may write there
    says = f"open({str(note)!r}, 'a').write(f'{{os.getpid()}} ')"
    source = notebook(
        ("released", "import os"),
        ("solution", f"def f(): return 1\n{says}"),
        # From a test, as student code may signal nobody where the kernel can forbid it.
        ("test", f"import os, time\n{says}\nassert f()\nos.kill(os.getppid(), 9)\ntime.sleep(60)"),
    )
    execution = execute(source, source=source, tests="isolated")
    assert execution.problems
    assert execution.notebook.cells[0].execution_count == 1  # what had run is kept
    both = note.read_text().split()
    note.unlink()
    assert len(both) > 4  # a process of its own for each side of each run
    deadline = time.monotonic() + 30
    while any(_runs(int(pid)) for pid in both) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in both if _runs(int(pid))]


def _runs(pid: int) -> bool:
    """Whether a process is more than a number that nobody has asked for yet."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
