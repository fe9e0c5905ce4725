"""The given cells before the first answer are run once, and nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook

from course import models
from hub.facts.execution import Tests
from hub.grading.pipeline.batch import autograde
from hub.grading.pipeline.execute import Execution, execute
from hub.grading.sandbox import templates
from hub.grading.sandbox.limits import ReferenceTimes
from tests.grading.tiny_course import ASSIGNMENT, course_config, make_course, marks, submit
from tests.grading.tiny_course import answered as course_answered
from tests.isolation.notebooks import answered, failed, failures, notebook, outputs

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

RUNS = 4  # the first alone, the second makes what the others are forked from


# As after a run of the reference; the cells that are meant to fail cost nothing.
SHARES = ReferenceTimes(shares=True, failing=frozenset({"released-1"}))


def graded(
    source: NotebookNode,
    submission: NotebookNode | None = None,
    tests: Tests = "isolated",
    given: dict[str, Path] | None = None,
    own: dict[str, Path] | None = None,
) -> Execution:
    return execute(
        source if submission is None else submission,
        source=source,
        tests=tests,
        yardstick=SHARES,
        given_files=given,
        files=own,
    )


def printed(execution: Execution, cell: int) -> str:
    return "".join(output.get("text", "") for output in execution.notebook.cells[cell - 1].outputs)


@pytest.mark.parametrize("tests", ["isolated", "in_kernel"])
def test_the_first_cells_are_run_once_for_all_and_each_shows_what_they_showed(tests: Tests):
    source = notebook(
        ("released", "import os\nmade_by = os.getpid()\nprint('given', 6 * 7)\nmade_by > 0"),
        ("solution", "mine = os.getpid()\nprint(made_by, mine)"),
        ("test", "assert mine != made_by or True"),
    )
    seen = []
    for _ in range(RUNS):
        execution = graded(source, tests=tests)
        assert failed(execution.notebook) == []
        assert printed(execution, 1) == "given 42\n"
        assert execution.notebook.cells[0].outputs[-1].data["text/plain"] == "True"
        assert [cell.execution_count for cell in execution.notebook.cells] == [1, 2, 3]
        seen.append(printed(execution, 2).split())
    by, mine = zip(*seen[1:], strict=True)
    assert len(set(by)) == 1
    assert len({*by, *mine}) == RUNS


def test_the_courses_models_are_loaded_once_for_all_and_each_has_them_as_loaded():
    count = "len(models._models)"
    source = notebook(
        (
            "released",
            "import torch\nimport transformer_lens.model_bridge\nfrom course import models",
        ),
        (
            "solution",
            f"before = {count}\nlayer = models.model('induction-1l').unembed.W_U.detach()\n"
            "print(before, float(layer.sum()))\nlayer[:] = 0",
        ),
        ("test", "assert before >= 0"),
    )
    seen = [printed(graded(source), 2).split() for _ in range(RUNS)]
    assert len({total for _, total in seen}) == 1
    assert {int(before) for before, _ in seen[1:]} == {len(models.available())}


def test_what_one_submission_does_to_a_given_object_no_other_sees():
    source = notebook(
        (
            "released",
            "import torch\ndata = []\nlayer = torch.nn.Linear(2, 2)\nlayer.weight.data.zero_()",
        ),
        (
            "solution",
            "found = len(data), layer.weight.sum().item()\ndata.append(1)\nlayer.weight.data += 1",
        ),
        ("test", "assert found == (0, 0.0)\nassert data == [] and layer.weight.sum() == 0"),
    )
    for _ in range(RUNS):
        assert failures(graded(source).notebook) == []


def test_given_objects_still_cross_by_name():
    source = notebook(
        ("released", "class Point:\n    def __init__(self, x): self.x = x\norigin = Point(0)"),
        ("solution", "def is_origin(p):\n    return p is origin"),
        ("test", "assert is_origin(origin)"),
    )
    for _ in range(RUNS):
        assert failures(graded(source).notebook) == []


def test_numbers_are_drawn_anew_but_where_the_given_cells_have_seeded_them():
    source = notebook(
        ("released", "import random, numpy, torch\ntorch.manual_seed(3)\nrandom.seed(5)"),
        ("solution", "print(torch.rand(1).item(), random.random(), numpy.random.rand())"),
        ("test", "assert True"),
    )
    drawn = [printed(graded(source), 2).split() for _ in range(RUNS)]
    seeded_torch, seeded_python, fresh = (set(numbers) for numbers in zip(*drawn, strict=True))
    assert len(seeded_torch) == 1
    assert len(seeded_python) == 1
    assert len(fresh) == RUNS


def test_the_files_beside_the_notebook_are_part_of_what_is_shared(tmp_path: Path):
    source = notebook(
        ("released", "from pathlib import Path\nword = Path('word.txt').read_text()"),
        ("solution", "found = word, Path('word.txt').read_text()"),
        ("test", "assert found[0] == found[1]"),
    )
    for word in ("one", "one", "one", "two", "two", "two"):
        (tmp_path / "word.txt").write_text(word)
        execution = graded(source, given={"word.txt": tmp_path / "word.txt"})
        assert failures(execution.notebook) == []


def test_files_of_the_students_own_are_there_for_the_first_cells(tmp_path: Path):
    source = notebook(
        ("released", "from pathlib import Path\nfound = Path('mine.txt').exists()"),
        ("solution", "print(found)"),
        ("test", "assert True"),
    )
    (tmp_path / "mine.txt").write_text("mine")
    for number in range(RUNS + 2):
        own = {"mine.txt": tmp_path / "mine.txt"} if number % 2 else {}
        assert printed(graded(source, own=own), 2) == f"{bool(own)}\n"


def test_a_cell_of_the_students_own_among_the_first_runs_in_its_place():
    source = notebook(
        ("released", "values = [1, 2]"),
        ("released", "total = sum(values)"),
        ("solution", "doubled = 2 * total"),
        ("test", "assert doubled == 6"),
    )
    submission = answered(source, "doubled = 2 * total\nprint(extra)")
    submission.cells.insert(1, notebook(("student", "extra = 'mine'")).cells[0])
    for _ in range(RUNS):
        assert printed(graded(source, submission), 4) == "mine\n"
        assert failures(graded(source).notebook) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("open('left.txt', 'w').write('x')", "wrote files"),
        ("import os\nos.environ['MINE'] = 'x'", "changed the environment"),
        ("import os\nos.chdir('/tmp')", "changed the working folder"),
        (
            "import threading, time\n"
            "t = threading.Thread(target=time.sleep, args=(30,), daemon=True)\n"
            "t.start()",
            "left threads",
        ),
        ("held = open('/dev/null')", "left files open"),
        ("import subprocess\nchild = subprocess.Popen(['sleep', '30'])", "left processes"),
        (
            "import asyncio\nwaits = asyncio.get_event_loop().create_task(asyncio.sleep(9))",
            "left tasks",
        ),
        ("from pathlib import Path\nHERE = Path.cwd()", "keep the path of their folder"),
        ("import os, sys\nsys.path.append(os.getcwd())", "keep the path of their folder"),
        ("import tempfile\nmade = tempfile.mkdtemp()", "wrote files"),
        ("from pathlib import Path\n_ = (Path.home() / 'x').write_text('x')", "wrote files"),
        ("import mmap\nbox = mmap.mmap(-1, 100)", "share memory with other processes"),
        ("raise ValueError('given')", "failed"),
        ("import mmap\nmemory = mmap.mmap(-1, 100)", "share memory with other processes"),
        ("from pathlib import Path\n(Path.home() / 'x').write_text('x')", "wrote files"),
        ("import tempfile\nfolder = tempfile.mkdtemp()", "wrote files"),
        (
            "import logging\nlogging.getLogger('mine').addHandler(logging.NullHandler())",
            "register what is called later",
        ),
        ("import os, sys\nsys.path.append(os.path.abspath('lib'))", "keep the path"),
        ("import os\nassert os.getcwd().endswith('work')", "failed in the judge process"),
    ],
)
def test_cells_that_cannot_be_shared_run_in_each_submission(
    given: str, why: str, caplog: pytest.LogCaptureFixture
):
    source = notebook(
        ("released", given),
        ("solution", "import os\nfound = os.getcwd()"),
        ("test", "assert found"),
    )
    results = [graded(source).notebook for _ in range(3)]
    assert [failed(executed) for executed in results] == [[], [], []]
    assert len({outputs(executed, 1) for executed in results}) == 1
    assert any(why in message for message in caplog.messages)


def test_a_given_cells_choice_of_how_numpy_prints_holds_in_all_later_cells():
    source = notebook(
        ("released", "import numpy as np\nnp.set_printoptions(precision=2)"),
        ("solution", "text = str(np.array([1 / 3]))"),
        ("test", "assert text == '[0.33]', text"),
    )
    for _ in range(3):
        assert failures(graded(source).notebook) == []
        assert failures(graded(source, tests="in_kernel").notebook) == []


def test_a_module_beside_the_notebook_can_be_read_by_the_cells(tmp_path: Path):
    (tmp_path / "helper.py").write_text("def twice(x):\n    return 2 * x\n")
    source = notebook(
        ("released", "import inspect\nimport helper"),
        ("solution", "found = inspect.getsource(helper.twice)"),
        ("test", "assert 'return 2 * x' in found"),
    )
    for _ in range(3):
        given = {"helper.py": tmp_path / "helper.py"}
        assert failures(graded(source, tests="in_kernel", given=given).notebook) == []


def test_first_cells_that_do_not_end_are_given_up(monkeypatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr("hub.grading.sandbox.templates.CELLS_SECONDS", 1.0)
    source = notebook(
        ("released", "import time\ntime.sleep(2)\ndone = True"),
        ("solution", "found = done"),
        ("test", "assert found"),
    )
    for _ in range(3):
        assert failures(graded(source).notebook) == []
    assert any("take more than 1 s" in message for message in caplog.messages)


def test_one_byte_of_a_given_cell_makes_another_state():
    for text in ("one", "one", "one", "two", "two", "two"):
        source = notebook(
            ("released", f"word = '{text}'"),
            ("solution", "found = word"),
            ("test", f"assert found == '{text}'"),
        )
        assert failures(graded(source).notebook) == []


def test_a_changed_line_of_ours_or_another_torch_makes_another_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "course"
    package.mkdir()
    (package / "tools.py").write_text("SIZE = 1\n")
    monkeypatch.setattr("course.__path__", [str(package)])
    first = templates.code_version()
    assert templates.code_version() == first
    (package / "tools.py").write_text("SIZE = 12\n")
    second = templates.code_version()
    monkeypatch.setattr(templates, "version", lambda package: f"9.9 of {package}")
    assert len({first, second, templates.code_version()}) == 3


def test_a_changed_template_is_replaced_and_the_next_submission_graded(
    monkeypatch: pytest.MonkeyPatch,
):
    source = notebook(
        ("released", "import os\nmade_by = os.getpid()"),
        ("solution", "print(made_by)"),
        ("test", "assert True"),
    )
    before = {printed(graded(source), 2) for _ in range(RUNS)}
    changed = f"{templates.code_version()} changed"
    monkeypatch.setattr(templates, "code_version", lambda: changed)
    after = [printed(graded(source), 2) for _ in range(RUNS)]
    assert before.isdisjoint(after)
    assert len(set(after[2:])) == 1


KEEPS_ITS_FOLDER = """from pathlib import Path
PATHS = {"data": Path.cwd() / "data.txt"}"""


def test_where_the_reference_does_otherwise_with_shared_cells_nothing_is_shared(tmp_path: Path):
    answer = "def read():\n    return PATHS['data'].read_text()"
    cells = [
        new_code_cell(KEEPS_ITS_FOLDER, metadata=marks("given", locked=True), id="given"),
        new_code_cell(answer, metadata=marks("read", solution=True), id="read"),
        new_code_cell(
            "assert read() == 'given data\\n'",
            metadata=marks("read_test", grade=True, locked=True, points=1),
            id="read_test",
        ),
    ]
    book = new_notebook(cells=cells)
    book.nbformat_minor = 5
    make_course(tmp_path, source=book)
    for student in ("ann", "bea", "cid", "dan"):
        submit(tmp_path, student, course_answered(tmp_path, read=f"{answer}  # {student}"))
    list(autograde(tmp_path, ASSIGNMENT, config=course_config(tmp_path)))
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", "tiny") as gradebook:
        scores = {one.student_id: one.score for one in gradebook.assignment_submissions(ASSIGNMENT)}
    assert scores == {"ann": 1, "bea": 1, "cid": 1, "dan": 1}
