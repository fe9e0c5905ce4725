"""The words of the field: search them, or look one up.

    from course import glossary

    glossary()                # all of them, with a search box
    glossary("OV circuit")    # one
    glossary("patching")      # all that mention it

The terms are data (terms.toml). They are here, and not in `source/`, because a student's machine
has this package and nothing of the sources. `docs/glossary.md` is made of the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course.terms.shown import Glossary


def glossary(term: str = "") -> Glossary:
    """All terms, or one with its code, its drawing, the exercises that use it and its paper.

    Without HTML, as in a terminal, it is the same as text.

    Raises:
        LookupError: nothing mentions `term`; the message names what is spelled alike.
    """
    # Only here, since whoever imports anything of `course` would otherwise load Plotly for it.
    from course.terms.shown import Glossary
    from course.terms.terms import find, terms

    return Glossary(tuple(find(term)) if term else terms())


__all__ = ["glossary"]
