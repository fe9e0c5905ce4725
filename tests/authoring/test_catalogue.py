import shutil
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest

from hub.authoring.catalogue import Update, add, available, plan
from hub.authoring.errors import AssignmentNotFound, AuthoringMistakes, SubmissionsExist
from hub.core.gradebook import open_gradebook
from tests.authoring.conftest import COURSE_ID, TEXT, make_source

DUE = {"01-double": datetime(2030, 1, 1, tzinfo=UTC)}


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    make_source(tmp_path / "shipped" / "01-double")
    make_source(tmp_path / "shipped" / "02-again")
    (tmp_path / "shipped" / "empty").mkdir()
    return tmp_path / "shipped"


@pytest.fixture
def root(tmp_path: Path, empty_gradebook: Path) -> Path:
    (tmp_path / "live").mkdir()
    shutil.copy(empty_gradebook, tmp_path / "live" / "gradebook.db")
    return tmp_path / "live"


def put(root: Path, shipped: Path, *names: str) -> list[str]:
    db_url = f"sqlite:///{root / 'gradebook.db'}"
    return list(
        add(root, names, course_id=COURSE_ID, db_url=db_url, due=DUE, sources=shipped)
    )  # fmt: skip


def everything(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "gradebook.db"
    }


def ship(shipped: Path, old: str, new: str) -> None:
    path = shipped / "01-double" / "doubling.py"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("shipped", "present", "record", "update"),
    [
        ({"f": "1"}, {}, {}, Update(copy=["f"])),
        ({"f": "1"}, {"f": "1"}, {}, Update()),
        ({"f": "2"}, {"f": "1"}, {"f": "1"}, Update(copy=["f"])),
        ({"f": "2"}, {"f": "x"}, {"f": "1"}, Update(keep={"f": "changed here"})),
        ({"f": "2"}, {"f": "x"}, {}, Update(keep={"f": "changed here"})),
        ({"f": "1"}, {}, {"f": "1"}, Update(keep={"f": "deleted here"})),
        ({}, {"f": "1"}, {"f": "1"}, Update(remove=["f"])),
        ({}, {"f": "x"}, {"f": "1"}, Update(keep={"f": "no longer shipped, but modified here"})),
        ({}, {"mine": "x"}, {}, Update()),
        ({}, {}, {"f": "1"}, Update()),
    ],
)
def test_only_files_that_are_as_they_were_shipped_are_replaced(shipped, present, record, update):
    assert plan(shipped, present, record) == update


def test_the_catalogue_lists_folders_with_notebooks(shipped: Path):
    assert available(shipped) == ["01-double", "02-again"]


def test_adding_brings_source_release_and_gradebook(root: Path, shipped: Path):
    put(root, shipped, "01-double")
    names = set(everything(root))
    assert {f"source/01-double/{name}" for name in ("doubling.py", "doubling.ipynb", "answers.py",
            "line.png")} <= names  # fmt: skip
    assert {name for name in names if name.startswith("release/")} == {
        "release/01-double/doubling.ipynb",
        "release/01-double/line.png",
    }
    assert "source/01-double/old.py.bak" not in names
    with open_gradebook(f"sqlite:///{root / 'gradebook.db'}", COURSE_ID) as gradebook:
        assert gradebook.find_assignment("01-double").max_score == 5
        assert gradebook.find_assignment("01-double").duedate == datetime(2030, 1, 1)


def test_adding_again_changes_nothing(root: Path, shipped: Path):
    put(root, shipped, "01-double", "02-again")
    before = everything(root)
    lines = put(root, shipped, "01-double", "02-again")
    assert everything(root) == before
    assert not any("copied" in line or "written" in line for line in lines)


def test_a_new_version_reaches_what_nobody_changed(root: Path, shipped: Path):
    put(root, shipped, "01-double")
    ship(shipped, "GIVEN = 3", "GIVEN = 44")
    (shipped / "01-double" / "line.png").unlink()
    put(root, shipped, "01-double")
    after = everything(root)
    assert b"GIVEN = 44" in after["source/01-double/doubling.py"]
    assert b"GIVEN = 44" in after["source/01-double/doubling.ipynb"]
    assert b"GIVEN = 44" in after["release/01-double/doubling.ipynb"]
    assert "source/01-double/line.png" not in after


def test_a_new_version_leaves_an_instructors_text_alone_and_says_so(root: Path, shipped: Path):
    put(root, shipped, "01-double")
    text = root / "source" / "01-double" / "doubling.py"
    text.write_text(TEXT.replace("GIVEN = 3", "GIVEN = 5"))
    ship(shipped, "GIVEN = 3", "GIVEN = 44")
    for _ in range(2):
        assert "01-double/doubling.py: kept, changed here" in put(root, shipped, "01-double")
        assert "GIVEN = 5" in text.read_text()
        assert "GIVEN = 5" in (root / "release" / "01-double" / "doubling.ipynb").read_text()


def test_a_new_version_leaves_a_notebook_edited_in_jupyterlab_alone(root: Path, shipped: Path):
    put(root, shipped, "01-double")
    path = root / "source" / "01-double" / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += "\nMINE = 1"
    nbformat.write(notebook, path)
    ship(shipped, "GIVEN = 3", "GIVEN = 44")
    assert "01-double/doubling.py: kept, changed here" in put(root, shipped, "01-double")
    assert "MINE = 1" in path.read_text()
    assert "MINE = 1" in path.with_suffix(".py").read_text()


def test_a_deleted_file_stays_deleted(root: Path, shipped: Path):
    put(root, shipped, "01-double")
    (root / "source" / "01-double" / "line.png").unlink()
    for _ in range(2):
        assert "01-double/line.png: kept, deleted here" in put(root, shipped, "01-double")
    assert "source/01-double/line.png" not in everything(root)


def test_an_unknown_name_is_refused_before_anything_is_copied(root: Path, shipped: Path):
    with pytest.raises(AssignmentNotFound, match="There are: 01-double, 02-again"):
        put(root, shipped, "01-double", "03-missing")
    assert everything(root) == {}


def test_an_update_that_the_gradebook_refuses_changes_no_file(root: Path, shipped: Path):
    put(root, shipped, "01-double")
    with open_gradebook(f"sqlite:///{root / 'gradebook.db'}", COURSE_ID) as gradebook:
        gradebook.add_student("alice")
        gradebook.add_submission("01-double", "alice")
    before = everything(root)
    ship(shipped, "GIVEN + 1", "GIVEN + 1\n\n# %%\nmore = 1")
    with pytest.raises(SubmissionsExist):
        put(root, shipped, "01-double")
    assert everything(root) == before


def test_an_update_with_mistakes_changes_no_file(root: Path, shipped: Path):
    put(root, shipped, "01-double")
    before = everything(root)
    ship(shipped, "### END HIDDEN TESTS\n", "")
    with pytest.raises(AuthoringMistakes):
        put(root, shipped, "01-double")
    assert everything(root) == before
