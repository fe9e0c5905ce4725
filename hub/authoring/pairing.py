"""Synchronises the two halves of a notebook, .py text and .ipynb, while people edit either.

Which half is newer is decided by content, never by file times: a small state file remembers the
fingerprint both halves had when they were last the same. If only one half differs from it, that
half updates the other; if both do, nothing is changed and SyncConflict is raised.
"""

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat.notebooknode import NotebookNode

from hub.authoring.errors import (
    AssignmentNotFound,
    NotRepresentable,
    SyncConflict,
    UnreadableNotebook,
)
from hub.authoring.notebook import (
    complete,
    fingerprint,
    notebook_to_text,
    text_fingerprint,
    text_to_notebook,
)
from hub.facts import files

STATE_FILE = ".sync.json"
ANSWERS_FILE = "answers.py"
UNSAVED_NAME = "Untitled"  # JupyterLab's name for a new notebook
Half = Literal["text", "notebook"]


@dataclass(frozen=True)
class NotebookPair:
    """The two files of one notebook; either may be missing."""

    text: Path
    notebook: Path

    @property
    def name(self) -> str:
        return self.text.stem


class SyncStep(enum.Enum):
    """How to synchronise a pair."""

    NOTHING = "nothing"
    WRITE_NOTEBOOK = "text is newer"
    WRITE_TEXT = "notebook is newer"
    CONFLICT = "both changed"


def decide(text: str | None, notebook: str | None, last: str | None, keep: Half | None) -> SyncStep:
    """The step for a pair, from fingerprints: of each half (None: no such file) and of the last
    time both were the same (None: never). `keep` names the half that wins if they differ."""
    if text == notebook:
        return SyncStep.NOTHING
    if notebook is None:
        return SyncStep.WRITE_NOTEBOOK
    if text is None:
        return SyncStep.WRITE_TEXT
    if keep is not None:
        return SyncStep.WRITE_NOTEBOOK if keep == "text" else SyncStep.WRITE_TEXT
    if last == notebook:
        return SyncStep.WRITE_NOTEBOOK
    if last == text:
        return SyncStep.WRITE_TEXT
    return SyncStep.CONFLICT


def pairs(source_folder: Path) -> list[NotebookPair]:
    """The notebooks of an assignment, by name: each .ipynb and each percent text in its folder."""
    if not source_folder.is_dir():
        raise AssignmentNotFound(f"There is no folder {source_folder}.")
    names = {
        path.stem
        for path in source_folder.iterdir()
        if not path.name.startswith(".")
        and (path.suffix == ".ipynb" or (path.suffix == ".py" and is_notebook_text(path)))
    }
    return [_pair(source_folder, name) for name in sorted(names)]


def is_notebook_text(path: Path) -> bool:
    """Whether a .py file is a notebook: it has percent cells and is not the list of answers."""
    if path.name == ANSWERS_FILE or not path.is_file():
        return False
    return any(line.startswith("# %%") for line in path.read_text(encoding="utf-8").splitlines())


def sync(source_folder: Path, keep: Half | None = None) -> list[str]:
    """Synchronise every pair in an assignment's folder. Yields a line for each file written.

    With `keep`, the named half wins wherever the two differ and the other is kept as a .bak copy.
    Raises SyncConflict (and leaves that pair unchanged) if both halves changed and no half was
    named, UnreadableNotebook, NotRepresentable.
    """
    lines = []
    for pair in pairs(source_folder):
        lines += sync_pair(pair, keep)
        lines += _complete_on_disk(pair)
    return lines


def sync_pair(pair: NotebookPair, keep: Half | None = None) -> list[str]:
    """Synchronise one pair. Writes only the older half, so that a notebook that is open in a
    browser tab and has just been saved does not change under its editor."""
    text, notebook = _read_text(pair), _read_notebook(pair)
    step = _step(pair, text, notebook, keep)
    if step is SyncStep.CONFLICT:
        raise SyncConflict(pair.text, pair.notebook)
    lines: list[str] = []
    if step is SyncStep.WRITE_NOTEBOOK:
        assert text is not None
        lines += _set_aside(pair.notebook, keep)
        notebook = text_to_notebook(text, previous=notebook)
        _write(pair.notebook, notebook_json(notebook))
        lines.append(f"{pair.notebook.name} written from {pair.text.name}")
    elif step is SyncStep.WRITE_TEXT:
        assert notebook is not None
        new_text = _as_text(pair, notebook, like=text or "")
        lines += _set_aside(pair.text, keep)
        _write(pair.text, new_text)
        lines.append(f"{pair.text.name} written from {pair.notebook.name}")
    assert notebook is not None
    _remember(pair, fingerprint(notebook))
    return lines


def current(pair: NotebookPair) -> NotebookNode:
    """The complete notebook of a pair, from its newer half, writing nothing.

    Raises SyncConflict if both halves changed.
    """
    text, notebook = _read_text(pair), _read_notebook(pair)
    step = _step(pair, text, notebook, keep=None)
    if step is SyncStep.CONFLICT:
        raise SyncConflict(pair.text, pair.notebook)
    if text is not None and step is not SyncStep.WRITE_TEXT:
        return text_to_notebook(text)
    assert notebook is not None
    return complete(notebook)


def post_save_hook(os_path: str, model: dict[str, Any], contents_manager: Any) -> None:
    """For `FileContentsManager.post_save_hook`: saving one half in JupyterLab updates the other.

    Acts only on `source/<assignment>/<name>.ipynb` and `.py`. The saved file itself is never
    rewritten. A conflict raises, which JupyterLab shows as an error dialog: what was saved
    is on disk, and the other half is unchanged.
    """
    path = Path(os_path)
    if path.parent.parent.name != "source" or path.suffix not in (".ipynb", ".py"):
        return
    if path.name.startswith((".", UNSAVED_NAME)):
        return
    if path.suffix == ".py" and not is_notebook_text(path):
        return
    for line in sync_pair(_pair(path.parent, path.stem)):
        contents_manager.log.info("%s: %s", path.parent.name, line)


def notebook_json(notebook: NotebookNode) -> str:
    """The bytes of a notebook file, determined by its content alone."""
    return nbformat.writes(notebook) + "\n"


def _pair(folder: Path, name: str) -> NotebookPair:
    return NotebookPair(folder / f"{name}.py", folder / f"{name}.ipynb")


def _step(
    pair: NotebookPair, text: str | None, notebook: NotebookNode | None, keep: Half | None
) -> SyncStep:
    return decide(
        None if text is None else text_fingerprint(text),
        None if notebook is None else fingerprint(notebook),
        _state(pair).get(pair.name),
        keep,
    )


def _read_text(pair: NotebookPair) -> str | None:
    return pair.text.read_text(encoding="utf-8") if pair.text.is_file() else None


def _read_notebook(pair: NotebookPair) -> NotebookNode | None:
    if not pair.notebook.is_file():
        return None
    try:
        return nbformat.reads(pair.notebook.read_text(encoding="utf-8"), as_version=4)
    except (ValueError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise UnreadableNotebook(pair.notebook, str(error).splitlines()[0][:200]) from error


def _as_text(pair: NotebookPair, notebook: NotebookNode, like: str) -> str:
    try:
        return notebook_to_text(notebook, like=like)
    except NotRepresentable as error:
        raise NotRepresentable(
            f"{pair.notebook} was not written to its text. {error.message}", error.fix
        ) from error


def _complete_on_disk(pair: NotebookPair) -> Iterator[str]:
    """Give cells added in JupyterLab their generated metadata and ids in the .ipynb too."""
    before = _read_notebook(pair)
    assert before is not None
    after = complete(before)
    if notebook_json(after) != notebook_json(before):
        _write(pair.notebook, notebook_json(after))
        yield f"{pair.notebook.name} completed"


def _set_aside(loser: Path, keep: Half | None) -> Iterator[str]:
    """Copy the losing half of an explicit choice to an unused .bak name."""
    if keep is None or not loser.exists():
        return
    copy = loser.with_name(f"{loser.name}.bak")
    number = 1
    while copy.exists():
        number += 1
        copy = loser.with_name(f"{loser.name}.bak{number}")
    copy.write_bytes(loser.read_bytes())
    yield f"the old {loser.name} is kept as {copy.name}"


def _state(pair: NotebookPair) -> dict[str, str]:
    """The stored fingerprints by notebook name. Without a readable file none is known,
    which errs on the side of refusing to overwrite."""
    try:
        return json.loads((pair.text.parent / STATE_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _remember(pair: NotebookPair, fingerprint: str) -> None:
    state = _state(pair)
    if state.get(pair.name) != fingerprint:
        state[pair.name] = fingerprint
        content = json.dumps(state, indent=1, sort_keys=True) + "\n"
        _write(pair.text.parent / STATE_FILE, content)


def _write(path: Path, content: str) -> None:
    """Replace a file atomically: a reader sees either the old or the new one."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    files.replace(path, content, mode=mode)
