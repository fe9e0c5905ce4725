import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from hub.authoring.errors import AssignmentNotFound, AuthoringMistakes, LeaksFound
from hub.authoring.pairing import sync
from hub.authoring.preview import preview
from hub.authoring.release import differences, make_release
from tests.authoring.conftest import TEXT, make_source

MAKE = """
import sys
from pathlib import Path
from hub.authoring.release import make_release
for line in make_release(Path(sys.argv[1]), "01-double", Path(sys.argv[2])):
    print(line)
"""
REPOSITORY = Path(__file__).resolve().parents[2]


def release(course: Path) -> list[str]:
    return list(make_release(course / "source", "01-double", course / "release"))


def released(course: Path) -> dict[str, bytes]:
    folder = course / "release" / "01-double"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def cells(course: Path) -> list:
    return nbformat.reads(released(course)["doubling.ipynb"].decode(), as_version=4).cells


def test_students_get_notebooks_and_pictures_and_nothing_else(course: Path):
    release(course)
    assert set(released(course)) == {"doubling.ipynb", "line.png"}


def test_students_get_stubs_visible_tests_and_locks(course: Path):
    release(course)
    by_id = {cell.id: cell for cell in cells(course)}
    assert "raise NotImplementedError()" in by_id["double"].source
    assert "result_of_adding" not in by_id["double"].source
    assert by_id["double_test"].source == 'assert double(2) == 4, "twice 2 is 4"'
    assert by_id["why"].source == "YOUR ANSWER HERE"
    for locked in ("released-1", "released-2", "double_test"):
        assert by_id[locked].metadata.editable is False
        assert by_id[locked].metadata.deletable is False
    assert "editable" not in by_id["double"].metadata
    assert dict(by_id["cell-3"].metadata) == {"tags": ["play"]}


def test_a_release_says_whose_the_names_are_that_its_cells_show(course: Path):
    release(course)
    notebook = nbformat.reads(released(course)["doubling.ipynb"].decode(), as_version=4)
    assert notebook.metadata.logitlab == {"names": ["double"], "classes": []}


def test_a_notebook_whose_tests_cannot_run_isolated_says_nothing_of_names(
    source: Path, course: Path
):
    text = TEXT.replace("GIVEN = 3", "GIVEN = 3\n\n\ndef double(x): ...")
    (source / "doubling.py").write_text(text)
    release(course)
    notebook = nbformat.reads(released(course)["doubling.ipynb"].decode(), as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_a_release_holds_no_outputs_and_nothing_of_a_machine(source: Path, course: Path):
    sync(source)
    path = source / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python", "version": "3.11.99"}
    notebook.metadata["celltoolbar"] = "Create Assignment"
    for cell in notebook.cells:
        cell.metadata["scrolled"] = True
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="hi")], 3
    nbformat.write(notebook, path)
    release(course)
    text = released(course)["doubling.ipynb"].decode()
    for left_over in ("mine", "3.11", "celltoolbar", "scrolled", '"hi"'):
        assert left_over not in text
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"


def test_cells_stay_folded_for_students_and_lose_their_titles(source: Path, course: Path):
    fold = '# %% The constant jupyter={"source_hidden": true}\nimport math'
    (source / "doubling.py").write_text(TEXT.replace("# %%\nimport math", fold))
    release(course)
    given = cells(course)[1].metadata
    assert given.jupyter == {"source_hidden": True}
    assert "The constant" not in released(course)["doubling.ipynb"].decode()


@pytest.mark.slow
def test_a_release_is_byte_identical_wherever_and_whenever_it_is_made(tmp_path: Path):
    surroundings = (
        {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"},
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "4711"},
    )
    roots = [tmp_path / "here", tmp_path / "somewhere" / "deeper"]
    running = []
    for root, variables in zip(roots, surroundings, strict=True):
        make_source(root / "source" / "01-double")
        env = {**os.environ, **variables, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", MAKE, str(root / "source"), str(root / "release")]
        running.append(subprocess.Popen(command, cwd=root, env=env))
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    first, second = (released(root) for root in roots)
    assert first == second


def test_making_a_release_again_changes_nothing(course: Path):
    release(course)
    before = released(course)
    assert release(course) == ["01-double: release unchanged"]
    assert released(course) == before


def test_the_release_is_made_from_the_newer_half(source: Path, course: Path):
    release(course)
    path = source / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = "# Edited in JupyterLab"
    nbformat.write(notebook, path)
    release(course)
    assert cells(course)[0].source == "# Edited in JupyterLab"
    assert "# # Edited in JupyterLab" in (source / "doubling.py").read_text()


def test_files_of_a_kind_students_never_get_are_left_out_and_reported(source: Path, course: Path):
    (source / "model.pt").write_bytes(b"weights")
    (source / "link.png").symlink_to("/etc/hostname")
    lines = release(course)
    assert set(released(course)) == {"doubling.ipynb", "line.png"}
    for name in ("model.pt", "link.png"):
        assert f"left out of the student version: {name}" in lines


def test_a_python_file_that_is_left_out_is_named_and_a_notebooks_own_are_not(
    source: Path, course: Path
):
    (source / "helpers.py").write_text("size = 3\n")
    (source / "answers.py").write_text("# none\n")
    (source / "tools").mkdir()
    (source / "tools" / "shapes.py").write_text("size = 3\n")
    left_out = [line for line in release(course) if "left out" in line]
    assert left_out == [
        f"left out of the student version: {name} (Python files are not released: put what "
        "students need from it into a given cell)"
        for name in ("helpers.py", "tools/shapes.py")
    ]
    assert set(released(course)) == {"doubling.ipynb", "line.png"}


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("### END HIDDEN TESTS\n", "", AuthoringMistakes),
        ("GIVEN = 3", "from course.training import gates", LeaksFound),
    ],
)
def test_a_refused_release_leaves_the_old_one_and_no_debris(
    source: Path, course: Path, old: str, new: str, error: type[Exception]
):
    release(course)
    before = released(course)
    (source / "doubling.py").write_text(TEXT.replace(old, new))
    with pytest.raises(error):
        release(course)
    assert released(course) == before
    assert {path.name for path in course.iterdir()} == {"source", "release"}


def test_an_assignment_that_does_not_exist_is_reported(course: Path):
    with pytest.raises(AssignmentNotFound, match="02-triple"):
        list(make_release(course / "source", "02-triple", course / "release"))


def test_a_stale_release_is_reported_file_by_file(source: Path, course: Path):
    release(course)
    assert differences(course / "source", course / "release") == []
    (source / "doubling.py").write_text(TEXT.replace("GIVEN = 3", "GIVEN = 4"))
    (course / "release" / "01-double" / "extra.txt").write_text("x")
    (course / "release" / "01-double" / "line.png").unlink()
    (course / "release" / "09-gone").mkdir()
    assert differences(course / "source", course / "release") == [
        "09-gone is released but has no source",
        "01-double/doubling.ipynb differs from what the source generates",
        "01-double/extra.txt is not generated from the source",
        "01-double/line.png is missing from the release",
    ]


def test_a_preview_is_what_would_be_released_and_touches_nothing_else(course: Path):
    folder = preview(course, "01-double")
    (folder / "tried.txt").write_text("an instructor played here")
    assert preview(course, "01-double") == folder
    assert not (course / "release").exists() and not (course / "gradebook.db").exists()
    release(course)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == released(course)


@pytest.mark.parametrize(
    ("cell", "needs"),
    [
        ("import helpers\nGIVEN = 3", "helpers.py"),
        ("from helpers import size as GIVEN", "helpers.py"),
        ("def later():\n    import tools.shapes\nGIVEN = 3", "tools/"),
        ("%run helpers.py\nGIVEN = 3", "helpers.py"),
        ("GIVEN = 3\nimport answers", "answers.py"),
    ],
)
def test_a_given_cell_that_needs_a_python_file_of_the_author_is_refused_with_a_message(
    course: Path, cell: str, needs: str
):
    source = course / "source" / "01-double"
    (source / "helpers.py").write_text("size = 3\n")
    (source / "answers.py").write_text("# none\n")
    (source / "tools").mkdir()
    (source / "tools" / "shapes.py").write_text("size = 3\n")
    release(course)  # files that nothing needs stay with the author
    text = source / "doubling.py"
    text.write_text(text.read_text().replace("GIVEN = 3", cell))
    with pytest.raises(AuthoringMistakes, match=f"it needs {needs}; Python files are not released"):
        release(course)


def test_a_solution_may_import_what_only_its_author_has(course: Path):
    source = course / "source" / "01-double"
    (source / "helpers.py").write_text("size = 3\n")
    text = source / "doubling.py"
    text.write_text(text.read_text().replace("result_of_adding =", "import helpers\n    result ="))
    release(course)
