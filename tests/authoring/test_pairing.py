import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from hub.authoring.errors import AssignmentNotFound, SyncConflict, UnreadableNotebook
from hub.authoring.pairing import SyncStep, current, decide, pairs, post_save_hook, sync
from tests.authoring.conftest import TEXT


def edit_text(source: Path, old: str = "GIVEN = 3", new: str = "GIVEN = 30") -> None:
    path = source / "doubling.py"
    path.write_text(path.read_text().replace(old, new))


def edit_notebook(source: Path, line: str = "IN_NOTEBOOK = 1") -> None:
    path = source / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += f"\n{line}"
    nbformat.write(notebook, path)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("text", "notebook", "last", "keep", "step"),
    [
        ("a", "a", None, None, SyncStep.NOTHING),
        ("a", "a", "b", None, SyncStep.NOTHING),
        ("a", None, None, None, SyncStep.WRITE_NOTEBOOK),
        (None, "a", None, None, SyncStep.WRITE_TEXT),
        ("b", "a", "a", None, SyncStep.WRITE_NOTEBOOK),
        ("a", "b", "a", None, SyncStep.WRITE_TEXT),
        ("a", "b", "c", None, SyncStep.CONFLICT),
        ("a", "b", None, None, SyncStep.CONFLICT),
        ("a", "b", "c", "text", SyncStep.WRITE_NOTEBOOK),
        ("a", "b", None, "notebook", SyncStep.WRITE_TEXT),
    ],
)
def test_the_half_that_differs_from_the_last_common_state_is_the_newer(
    text, notebook, last, keep, step
):
    assert decide(text, notebook, last, keep) is step


def test_a_text_makes_its_notebook_and_a_second_sync_does_nothing(source: Path):
    assert sync(source) == ["doubling.ipynb written from doubling.py"]
    before = files(source)
    assert sync(source) == []
    assert files(source) == before
    assert (source / "doubling.py").read_text() == TEXT


def test_an_edited_text_updates_the_notebook(source: Path):
    sync(source)
    edit_text(source)
    sync(source)
    assert "GIVEN = 30" in (source / "doubling.ipynb").read_text()


def test_an_edited_notebook_updates_the_text_whatever_the_file_times(source: Path):
    sync(source)
    edit_notebook(source)
    (source / "doubling.py").touch()
    assert sync(source)[0] == "doubling.py written from doubling.ipynb"
    assert (source / "doubling.py").read_text() == TEXT.replace(
        "GIVEN = 3\n", "GIVEN = 3\nIN_NOTEBOOK = 1\n"
    )


def test_edits_of_either_half_in_turn_all_arrive(source: Path):
    sync(source)
    edit_notebook(source, "FIRST = 1")
    sync(source)
    edit_text(source, "FIRST = 1", "FIRST = 1\nSECOND = 2")
    sync(source)
    edit_notebook(source, "THIRD = 3")
    sync(source)
    assert "GIVEN = 3\nFIRST = 1\nSECOND = 2\nTHIRD = 3\n" in (source / "doubling.py").read_text()


def test_when_both_changed_nothing_is_touched_and_both_files_and_choices_are_named(source: Path):
    sync(source)
    edit_text(source)
    edit_notebook(source)
    before = files(source)
    with pytest.raises(SyncConflict) as refused:
        sync(source)
    for part in ("doubling.py", "doubling.ipynb", "--keep text", "--keep notebook"):
        assert part in str(refused.value)
    assert files(source) == before
    with pytest.raises(SyncConflict):
        current(pairs(source)[0])


def test_differing_halves_that_were_never_in_step_are_refused_too(source: Path):
    sync(source)
    edit_notebook(source)
    (source / ".sync.json").unlink()
    with pytest.raises(SyncConflict):
        sync(source)


@pytest.mark.parametrize(
    ("keep", "wins", "backup"),
    [
        ("text", "GIVEN = 30", "doubling.ipynb.bak"),
        ("notebook", "IN_NOTEBOOK = 1", "doubling.py.bak"),
    ],
)
def test_the_losing_half_of_a_choice_is_kept_as_a_backup(source: Path, keep, wins, backup):
    sync(source)
    edit_text(source)
    edit_notebook(source)
    loser = (source / backup.removesuffix(".bak")).read_bytes()
    sync(source, keep=keep)
    assert wins in (source / "doubling.py").read_text()
    assert wins in (source / "doubling.ipynb").read_text()
    assert (source / backup).read_bytes() == loser
    assert sync(source) == []


def test_a_second_backup_does_not_replace_the_first(source: Path):
    for value in ("31", "32"):
        sync(source)
        edit_text(source, "GIVEN = 3", f"GIVEN = {value} #")
        edit_notebook(source)
        sync(source, keep="text")
    assert {path.name for path in source.glob("*.ipynb.bak*")} == {
        "doubling.ipynb.bak",
        "doubling.ipynb.bak2",
    }


def test_a_broken_notebook_is_named_and_left_alone(source: Path):
    (source / "doubling.ipynb").write_text("{ broken")
    with pytest.raises(UnreadableNotebook, match=r"doubling\.ipynb"):
        sync(source)
    assert (source / "doubling.ipynb").read_text() == "{ broken"


def test_the_list_of_answers_is_not_a_notebook(source: Path):
    sync(source)
    assert not (source / "answers.ipynb").exists()


def test_a_missing_folder_is_reported(tmp_path: Path):
    with pytest.raises(AssignmentNotFound, match="nowhere"):
        sync(tmp_path / "nowhere")


def save(course: Path, name: str, model: dict) -> dict:
    """Save a file as JupyterLab does: through the server's contents manager, with our hook."""
    contents = AsyncLargeFileManager(
        root_dir=str(course), post_save_hook="hub.authoring.pairing.post_save_hook"
    )
    return asyncio.run(contents.save(model, f"source/01-double/{name}"))


def save_notebook(course: Path, line: str) -> dict:
    path = course / "source" / "01-double" / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += f"\n{line}"
    return save(
        course, "doubling.ipynb", {"type": "notebook", "format": "json", "content": notebook}
    )


def save_text(course: Path, text: str) -> dict:
    return save(course, "doubling.py", {"type": "file", "format": "text", "content": text})


def test_saving_a_notebook_in_jupyterlab_updates_its_text(source: Path, course: Path):
    sync(source)
    save_notebook(course, "SAVED = 1")
    assert "GIVEN = 3\nSAVED = 1\n" in (source / "doubling.py").read_text()


def test_saving_a_text_in_jupyterlab_updates_its_notebook(source: Path, course: Path):
    sync(source)
    save_text(course, TEXT.replace("GIVEN = 3", "GIVEN = 99"))
    assert "GIVEN = 99" in (source / "doubling.ipynb").read_text()


def test_a_notebook_just_saved_is_not_changed_under_its_editor(source: Path, course: Path):
    sync(source)
    path = source / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("new = 1"))
    model = save(
        course, "doubling.ipynb", {"type": "notebook", "format": "json", "content": notebook}
    )
    assert path.stat().st_mtime == pytest.approx(model["last_modified"].timestamp(), abs=1e-3)
    assert "new = 1" in (source / "doubling.py").read_text()
    assert "released-3" not in path.read_text()
    sync(source)
    assert "released-3" in path.read_text()


def test_a_save_that_meets_a_changed_text_is_an_error_in_jupyterlab(source: Path, course: Path):
    sync(source)
    edit_text(source)
    with pytest.raises(HTTPError, match="both changed"):
        save_notebook(course, "SAVED = 1")
    assert "GIVEN = 30" in (source / "doubling.py").read_text()
    assert "SAVED" not in (source / "doubling.py").read_text()
    assert "SAVED = 1" in (source / "doubling.ipynb").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "source/01-double/answers.py",
        "source/01-double/Untitled.ipynb",
        "source/01-double/notes.py",
        "submitted/alice/01-double/doubling.ipynb",
        "release/01-double/doubling.ipynb",
        "source/stray.ipynb",
    ],
)
def test_saving_anything_else_pairs_nothing(course: Path, name: str):
    path = course / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name == "notes.py":
        path.write_text("x = 1\n")
    elif not path.exists():
        nbformat.write(nbformat.v4.new_notebook(), path)
    before = files(path.parent)
    manager = SimpleNamespace(log=logging.getLogger("contents"))
    post_save_hook(os_path=str(path), model={}, contents_manager=manager)
    assert files(path.parent) == before
