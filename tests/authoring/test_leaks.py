"""Each kind of leak is planted in a good release; the check must see it."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode

from hub.authoring.leaks import find_leaks, squeeze
from hub.authoring.release import make_release
from tests.authoring.conftest import TEXT


@pytest.fixture
def release(course: Path) -> Path:
    list(make_release(course / "source", "01-double", course / "release"))
    return course / "release" / "01-double"


def plant(release: Path, change: Callable[[NotebookNode], None]) -> None:
    path = release / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def kinds(release: Path, source: Path) -> set[str]:
    return {leak.kind for leak in find_leaks(release, source)}


def test_a_good_release_has_no_leaks(release: Path, source: Path):
    assert find_leaks(release, source) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("result_of_adding = x + x", "solution"),
        ("    result_of_adding=x+x", "solution"),
        ("# result_of_adding  =  x + x", "solution"),
        ("print(1); result_of_adding = x + x", "solution"),
        ("return result_of_adding", "solution"),
        ('assert double(-17) == -34, "negative numbers count"', "hidden test"),
        ("Because adding a number to itself doubles it.", "solution"),
        ("squared_by_mistake = x * x", "a line of answers.py"),
        ("Careful: squares instead of doubling", "a line of answers.py"),
        ("    ### BEGIN SOLUTION", "a BEGIN/END marker"),
        ("### END HIDDEN TESTS", "a BEGIN/END marker"),
        ("### HASHED AUTOTEST double(2)", "a BEGIN/END marker"),
        ("from course.training import gates", "course.training, where answers live"),
        ("from course import plots, training", "course.training, where answers live"),
        ("open('course/training/gates.py')", "course.training, where answers live"),
        ("![](data:image/png;base64,iVBORw0KGgo)", "an encoded blob"),
        ("A" * 100 + "b/9+" * 30, "an encoded blob"),
    ],
)
@pytest.mark.parametrize("cell", [0, 2])
def test_a_secret_in_a_cell_is_found(release: Path, source: Path, text: str, kind: str, cell: int):
    plant(release, lambda notebook: notebook.cells[cell].update(source=f"x\n{text}\ny"))
    assert kinds(release, source) == {kind}


@pytest.mark.parametrize("name", ["hint.txt", "data.json"])
def test_a_secret_in_another_file_is_found(release: Path, source: Path, name: str):
    (release / name).write_text('{"a": "result_of_adding = x + x"}')
    assert kinds(release, source) == {"solution"}


def test_a_secret_in_metadata_is_found(release: Path, source: Path):
    def change(notebook: NotebookNode) -> None:
        notebook.cells[0].metadata["tags"] = ["result_of_adding = x + x"]

    plant(release, change)
    assert kinds(release, source) == {"solution"}


@pytest.mark.parametrize(
    "name",
    ["answers.py", "doubling.py", "doubling.py.bak", ".hidden", "gradebook.db", "a/notes.py"],
)
def test_a_file_that_is_never_released_is_found(release: Path, source: Path, name: str):
    path = release / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("harmless")
    assert name in {leak.where for leak in find_leaks(release, source)}


def test_a_link_is_found(release: Path, source: Path):
    (release / "link.png").symlink_to(source / "line.png")
    assert kinds(release, source) == {"a hidden file or a link"}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda nb: nb.metadata.update(celltoolbar="x"), "metadata that does not belong"),
        (lambda nb: nb.cells[1].metadata.update(execution={}), "metadata that does not belong"),
        (lambda nb: nb.cells[1].update(execution_count=1), "an output or execution count"),
        (
            lambda nb: nb.cells[1].outputs.append(nbformat.v4.new_output("stream", text="4")),
            "an output or execution count",
        ),
        (
            lambda nb: nb.cells[0].update(attachments={"a.png": {"image/png": "aaaa"}}),
            "an embedded file",
        ),
    ],
)
def test_left_overs_of_editing_and_running_are_found(release: Path, source: Path, change, kind):
    plant(release, change)
    (found,) = kinds(release, source)
    assert found.startswith(kind)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"names": ["double", "result_of_adding"], "classes": []}, "a name that no cell shows"),
        ({"names": ["double"], "classes": ["Doubler"]}, "a name that no cell shows"),
        ({"names": ["double"], "classes": [], "seed": 3}, "metadata that does not belong"),
        ({"names": "double"}, "metadata that does not belong"),
    ],
)
def test_names_that_students_do_not_see_are_found(release: Path, source: Path, data, kind):
    plant(release, lambda nb: nb.metadata.update(logitlab=data))
    (found,) = kinds(release, source)
    assert found.startswith(kind)


def test_a_whole_solution_repeated_in_a_given_cell_of_the_source_is_found(
    source: Path, release: Path
):
    body = "def twice(x):\n    result_of_adding = x + x\n    return result_of_adding"
    (source / "doubling.py").write_text(TEXT.replace("GIVEN = 3", body))
    plant(release, lambda notebook: notebook.cells[1].update(source=body))
    assert kinds(release, source) == {"a whole solution repeated in the open"}


def test_lines_that_the_source_shows_openly_are_not_secret(source: Path, release: Path):
    text = TEXT.replace("GIVEN = 3", "GIVEN = 3\nassert GIVEN * 2 == 6").replace(
        "### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TESTS\nassert GIVEN * 2 == 6"
    )
    (source / "doubling.py").write_text(text)
    plant(release, lambda notebook: notebook.cells[1].update(source="assert GIVEN * 2 == 6"))
    assert find_leaks(release, source) == []


def test_squeezing_takes_white_space_and_comment_signs_out():
    assert squeeze("  # >>> a  = b ") == "a=b"
