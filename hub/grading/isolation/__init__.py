"""Tests apart from the student's process.

The student's cells run in an untrusted process S, the test cells in a trusted process T, the
given cells in both. T reaches the student's work only by messages that carry plain data:

    session.py       starts S and T, sends them the cells, assembles the executed notebook
    manifest.py      what the instructor's notebook says: which names are the student's
    trusted.py       T: runs given cells and test cells       student.py  S: runs the student's
    conversation.py  T's side of the talk with S              shell.py    its IPython shell
    handles.py       what stands for a student's object in T
    services.py      `course.calls` in T                given_models.py  what tests do is undone
    values.py, arrays.py, wire.py, errors.py   what crosses, and how: the same on both sides

T and S share no memory, hidden tests never enter S, T compiles no student text and believes
nothing that S says: lengths, sizes, types and the order of messages are checked.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.grading.isolation.manifest import ManifestError
    from hub.grading.isolation.session import MismatchError, cells_apart

__all__ = ["ManifestError", "MismatchError", "cells_apart"]


def __getattr__(name: str) -> Any:
    # T and S are started from this package and need none of what their parent needs.
    if name in __all__:
        from hub.grading.isolation import session

        return getattr(session, name)
    raise AttributeError(name)
