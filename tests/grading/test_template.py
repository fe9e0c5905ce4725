"""The template process, from which the processes of isolated tests are forked."""

from __future__ import annotations

import os
import signal
import threading
import time

import psutil
import pytest
from nbformat import NotebookNode

from hub.grading.pipeline.execute import Execution, execute
from hub.grading.template import do_import
from tests.isolation.notebooks import failed, notebook

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


def run(source: NotebookNode) -> Execution:
    return execute(source, source=source, tests="isolated")


def printed(execution: Execution) -> str:
    """What its second cell printed."""
    return str(execution.notebook.cells[1].outputs[0].text)


def templates() -> list[psutil.Process]:
    """The template processes of this process; what is forked from them has their command line."""
    found = psutil.Process().children()
    return [child for child in found if "hub.grading.template" in child.cmdline()]


def test_submissions_are_forked_from_one_process_that_has_imported_for_them():
    source = notebook(
        ("released", "import sqlite3.dbapi2"),
        ("solution", "import sys\nfound = [name for name in sys.modules if 'sqlite3' in name]"),
        ("test", "assert found"),
    )
    seen = set()
    for _ in range(3):
        assert failed(run(source).notebook) == []
        seen |= {template.pid for template in templates()}
    assert len(seen) == 1


def test_what_the_instructors_cells_to_play_with_import_is_imported_before_too():
    source = notebook(
        ("solution", "import sys\nfound = 'imaplib' in sys.modules"),
        ("student", "import imaplib"),
        ("test", "assert found"),
    )
    assert failed(run(source).notebook) == []


def test_what_students_cells_import_is_not():
    source = notebook(
        ("solution", "import sys\nfound = 'poplib' in sys.modules"), ("test", "assert not found")
    )
    theirs = notebook(
        ("solution", "import sys\nfound = 'poplib' in sys.modules"),
        ("test", "assert not found"),
        ("student", "import poplib"),
    )
    for _ in range(2):
        assert failed(execute(theirs, source=source, tests="isolated").notebook) == []
        assert failed(execute(theirs, tests="in_kernel").notebook) == []


def test_no_two_submissions_draw_the_same_random_numbers():
    source = notebook(
        ("released", "import random\nimport numpy\nimport torch"),
        ("solution", "print(random.random(), numpy.random.rand(), torch.rand(1).item())"),
        ("test", "assert True"),
    )
    drawn = [printed(run(source)).split() for _ in range(3)]
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == 3


def test_each_submission_has_folders_of_its_own_also_for_what_libraries_have_looked_up_before():
    source = notebook(
        ("released", "import tempfile\nfrom pathlib import Path\ntempfile.gettempdir()"),
        (
            "solution",
            "(Path.home() / 'note').write_text('mine')\n"
            "with tempfile.NamedTemporaryFile() as file:\n    print(Path.home(), file.name)",
        ),
        ("test", "assert True"),
    )
    homes = []
    for _ in range(3):
        home, file = printed(run(source)).split()
        assert home.endswith("/home") and file.startswith(home.removesuffix("home") + "tmp/")
        homes.append(home)
    assert len(set(homes)) == 3


def test_an_import_that_breaks_off_in_the_middle_is_named(monkeypatch, tmp_path):
    (tmp_path / "whole.py").write_text("")
    (tmp_path / "broken.py").write_text("import whole\nraise RuntimeError('half')")
    (tmp_path / "lacking.py").write_text("import whole\nimport there_is_none")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert do_import([], ["whole", "there_is_none", "there.is.none"]) == {}
    for name in ("broken", "lacking"):
        assert do_import([], ["whole", name])["broken"] == name


def test_a_submission_is_graded_whose_template_was_killed():
    source = notebook(
        ("solution", "import time\ntime.sleep(3)\ndone = True"),
        ("test", "assert done"),
    )
    assert failed(run(source).notebook) == []

    def kill() -> None:
        time.sleep(1)
        for template in templates():
            os.kill(template.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    execution = run(source)
    killer.join()
    assert failed(execution.notebook) == []
    assert execution.seconds > 4  # it ran twice


def test_nothing_of_one_submission_is_left_for_the_next():
    source = notebook(
        ("released", "import json"),
        ("solution", "found = hasattr(json, 'left')\njson.left = True"),
        ("test", "assert found is False"),
    )
    for _ in range(3):
        assert failed(run(source).notebook) == []
