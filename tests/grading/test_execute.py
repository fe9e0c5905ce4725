"""Executing a notebook: what runs, what is stopped, what is left behind. Real processes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from hub.grading.pipeline import execute as execution
from hub.grading.pipeline.execute import Execution, ExecutionLimits, IsolationError, Tests, execute
from hub.grading.sandbox.run import RunOutcome
from tests.grading.tiny_course import ONLY_HIDDEN_FAILS, cell_named, source_notebook
from tests.isolation import notebooks as apart_notebooks

pytestmark = pytest.mark.kernel


def notebook(*sources: str) -> NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def text(cell: NotebookNode) -> str:
    return "".join(
        output.get("text", "") + output.get("evalue", "") + str(output.get("data", ""))
        for output in cell.outputs
    )


SLEEPER = f"sleep 60{os.getpid()}"  # found in no other process

MIXED = {
    "stdout": "import sys\nprint('to stdout')\nprint('to stderr', file=sys.stderr)",
    "environment": "import os\nprint('\\n'.join(f'{k}={v}' for k, v in os.environ.items()))",
    "folder": "print(os.path.exists('../../source'), open('data.txt').read(), os.listdir('.'))",
    "error": "1 / 0",
    "slow": "kept = 5\nwhile True:\n    pass",
    "after slow": "kept",
    "display": "from IPython.display import HTML\nHTML('<b>bold</b>')",
    "flood": "print('a' * 30_000_000)",
    "runaway": f"import subprocess\n"
    f"subprocess.Popen(['sh', '-c', 'env -i setsid {SLEEPER} & setsid {SLEEPER} &'])\n"
    "import time; time.sleep(0.3)",
    "exit": "os._exit(3)",
    "never": "print('never')",
}


@pytest.fixture(name="mixed", scope="module")
def _mixed(tmp_path_factory: pytest.TempPathFactory) -> Execution:
    folder = tmp_path_factory.mktemp("files")
    (folder / "data.txt").write_text("given data")
    (folder / "link.txt").symlink_to("/etc/passwd")
    files = {
        "data.txt": folder / "data.txt",
        "link.txt": folder / "link.txt",
        "../outside.txt": folder / "data.txt",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTERHUB_API_TOKEN", "secret-token")
        patch.setenv("COURSE_MODELS", "/models")
        return execute(
            notebook(*MIXED.values()), files=files, limits=ExecutionLimits(cell_seconds=2)
        )


def cell(execution: Execution, name: str) -> NotebookNode:
    return execution.notebook.cells[list(MIXED).index(name)]


def test_outputs_are_those_of_a_kernel(mixed: Execution) -> None:
    streams = {output.name: output.text for output in cell(mixed, "stdout").outputs}
    assert streams == {"stdout": "to stdout\n", "stderr": "to stderr\n"}
    assert cell(mixed, "error").outputs[0].ename == "ZeroDivisionError"
    assert cell(mixed, "display").outputs[0].data["text/html"] == "<b>bold</b>"
    assert cell(mixed, "stdout").execution_count == 1


def test_no_token_reaches_the_cells_and_the_models_do(mixed: Execution) -> None:
    environment = text(cell(mixed, "environment"))
    assert "secret-token" not in environment
    assert "COURSE_MODELS=/models" in environment
    assert "OMP_NUM_THREADS=1" in environment
    assert "HF_HUB_OFFLINE=1" in environment
    assert "CUDA_VISIBLE_DEVICES=\n" in environment


def test_cells_run_beside_their_files_and_nothing_else(mixed: Execution) -> None:
    assert text(cell(mixed, "folder")) == "False given data ['data.txt']\n"


def test_a_slow_cell_is_stopped_with_a_message_and_the_next_ones_go_on(mixed: Execution) -> None:
    assert "was stopped after 2 s, its time limit" in text(cell(mixed, "slow"))
    assert text(cell(mixed, "after slow")) == "{'text/plain': '5'}"
    assert any("was stopped after 2 s" in problem for problem in mixed.problems)


def test_a_flood_of_output_is_cut_with_a_note(mixed: Execution) -> None:
    flood = text(cell(mixed, "flood"))
    assert len(flood) < 1_100_000
    assert flood.endswith("[the rest of what this cell printed is cut]\n")
    assert any("printed too much" in problem for problem in mixed.problems)


def test_the_output_of_a_whole_notebook_is_cut_with_a_note() -> None:
    execution = execute(
        notebook(*["print('a' * 50_000)"] * 3), limits=ExecutionLimits(output_mib=0.1)
    )
    sizes = [len(text(cell)) for cell in execution.notebook.cells]
    assert sizes[:2] == [50_001, 50_001] and sizes[2] < 5_000
    assert "The output was cut here" in text(execution.notebook.cells[2])
    assert any("at most 0.1 MiB" in problem for problem in execution.problems)


def test_after_a_crash_the_rest_is_run_without_the_cell_that_crashed(mixed: Execution) -> None:
    assert "exit status 3" in text(cell(mixed, "exit"))
    assert not [output for output in cell(mixed, "never").outputs if "ename" in output]
    assert any("exit status 3" in problem for problem in mixed.problems)


def test_no_process_outlives_the_execution(mixed: Execution) -> None:
    assert not [p for p in psutil.process_iter() if SLEEPER in " ".join(_command(p))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_no_scratch_folder_outlives_the_execution(mixed: Execution) -> None:
    environment = text(cell(mixed, "environment"))
    home = next(line for line in environment.splitlines() if line.startswith("HOME="))
    assert not Path(home.removeprefix("HOME=")).parent.exists()


def test_text_and_metadata_stay_the_given_ones() -> None:
    given = new_notebook(cells=[new_markdown_cell("# *", id="m"), new_code_cell("  ", id="blank")])
    given.cells[1].metadata["tags"] = ["mine"]
    executed = execute(given).notebook
    assert executed == given
    assert executed is not given


def test_a_notebook_without_code_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "run_here", lambda *_: pytest.fail("started one"))
    given = new_notebook(cells=[new_markdown_cell("# *", id="m"), new_code_cell("  ", id="blank")])
    assert execute(given).notebook == given


def test_a_cell_that_cannot_be_interrupted_is_ended_and_the_rest_runs_without_it() -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    execution = execute(
        notebook("print('kept')", stubborn, "1"), limits=ExecutionLimits(cell_seconds=1)
    )
    assert text(execution.notebook.cells[0]) == "kept\n"
    assert "did not stop when it was interrupted" in text(execution.notebook.cells[1])
    assert text(execution.notebook.cells[2]) == "{'text/plain': '1'}"


def test_killing_the_process_above_keeps_what_ran_and_leaves_nothing() -> None:
    killer = f"import os, subprocess\nsubprocess.Popen(['setsid', 'sh', '-c', '{SLEEPER}'])\n" + (
        "import time; time.sleep(0.3); os.kill(os.getppid(), 9); time.sleep(30)"
    )
    execution = execute(notebook("print('kept')", killer, "1"))
    assert text(execution.notebook.cells[0]) == "kept\n"
    assert execution.notebook.cells[1].outputs[0].output_type == "error"
    assert execution.seconds < 20
    time.sleep(0.2)
    assert not [p for p in psutil.process_iter() if SLEEPER in " ".join(_command(p))]


def test_memory_and_the_time_of_the_whole_notebook_are_limited() -> None:
    limits = ExecutionLimits(memory_mib=512, total_seconds=3)
    execution = execute(
        notebook("x = bytearray(800 * 1024 * 1024)", "while True: pass", "1"), limits=limits
    )
    assert execution.notebook.cells[0].outputs[0].ename == "MemoryError"
    assert "its time limit" in text(execution.notebook.cells[1])
    assert execution.notebook.cells[2].outputs[0]["data"] == {"text/plain": "1"}
    assert "the time for the whole notebook, 3 s, was over" in " ".join(execution.problems)


def test_too_many_processes_end_the_notebook() -> None:
    many = "import subprocess, time\n" + (
        "for _ in range(30): subprocess.Popen(['sleep', '60'])\ntime.sleep(30)"
    )
    execution = execute(notebook("print('kept')", many), limits=ExecutionLimits(processes=12))
    assert text(execution.notebook.cells[0]) == "kept\n"
    assert any("more than 12 processes" in problem for problem in execution.problems)
    assert execution.seconds < 20


def test_an_error_that_is_kept_from_being_shown_still_counts() -> None:
    silent = "get_ipython().showtraceback = lambda *a, **k: None"
    execution = execute(notebook(silent, "assert False, 'no'"))
    assert [output.output_type for output in execution.notebook.cells[1].outputs] == ["error"]


def test_isolated_tests_need_the_source() -> None:
    with pytest.raises(ValueError, match="source"):
        execute(notebook("1"), tests="isolated")


@pytest.mark.parametrize("tests", ["isolated", "in_kernel"])
def test_where_a_submission_runs_there_is_no_answer_of_the_reference(
    monkeypatch: pytest.MonkeyPatch, tests: Tests
) -> None:
    source = source_notebook()
    tried = source_notebook()
    cell_named(source, "double").source = "def double(x):\n    return x + x  # THE ANSWER"
    sent = []

    def refused(request: dict[str, Any], *_: Any) -> RunOutcome:
        sent.append(json.dumps(request))
        return RunOutcome(b'{"refused": "enough is known"}', None, 0.0)

    monkeypatch.setattr(execution, "run_here", refused)
    with pytest.raises(IsolationError, match="enough is known"):
        execute(tried, source=source, tests=tests)
    assert "THE ANSWER" not in sent[0]


def test_both_modes_say_the_same_about_the_same_answers() -> None:
    source = source_notebook()
    tried = source_notebook()
    cell_named(tried, "double").source = ONLY_HIDDEN_FAILS
    for tests in ("in_kernel", "isolated"):
        executed = execute(tried, source=source, tests=tests).notebook
        failed = [c.metadata.nbgrader.grade_id for c in executed.cells if c.get("outputs")]
        assert failed == ["double_test_2"], tests


def test_a_notebook_that_does_not_fit_its_source_is_refused_not_scored() -> None:
    tried = source_notebook()
    cell_named(tried, "double_test").source = "assert True"
    with pytest.raises(IsolationError, match="double_test"):
        execute(tried, source=source_notebook(), tests="isolated")


@pytest.mark.parametrize("tests", ["isolated", "in_kernel"])
def test_a_test_can_measure_the_cost_of_a_call(tests: Tests) -> None:
    source = apart_notebooks.notebook(
        ("released", "from course.calls import cost"),
        ("solution", "def f():\n    return len(b'x' * 50_000_000)"),
        ("test", "cost(f)\nassert 40_000_000 < cost(f).peak < 80_000_000"),
    )
    executed = execute(source, source=source, tests=tests).notebook
    assert apart_notebooks.failures(executed) == []
