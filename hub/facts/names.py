"""Which names assignments, courses, their graders and people can have."""

from __future__ import annotations

import re
import unicodedata

# Between letters and digits, what means nothing in an address, a shell, a file pattern or a path.
# A regular expression of Python and of JavaScript.
IDENTIFIER = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"
IDENTIFIER_RULE = (
    "letters from a to z, digits, '-', '_' and '.', first a letter or digit, last no '.', "
    "at most 100 characters"
)

# The id of a course in course.yaml: also in user names, groups, labels and addresses.
COURSE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}", re.ASCII)
COURSE_ID_RULE = "lowercase letters, digits, '-' and '_', at most 41 characters"

USER_NAME = re.compile(r"[a-z0-9]([a-z0-9@._-]{0,61}[a-z0-9])?", re.ASCII)
USER_NAME_RULE = "lowercase letters a to z and digits, with . _ - @ between, at most 63 characters"


def grader_of(course: str) -> str:
    """The Hub user whose server runs the formgrader of the course with the id `course`."""
    return f"grader-{course}"


def is_identifier(name: str) -> bool:
    """Whether `name` can name an assignment or a course."""
    return re.fullmatch(IDENTIFIER, name) is not None


def suggestion(name: str) -> str:
    """The nearest name that can name an assignment or a course; "" where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-_.")[:100].rstrip("-.")


def rule_for(name: str) -> str:
    """The rule that `name` breaks, and the nearest name that follows it."""
    near = suggestion(name)
    return IDENTIFIER_RULE + (f", for example {near!r}" if near else "")


def assignment_name_fault(name: str) -> tuple[str, str] | None:
    """Why `name` cannot name an assignment, and the fix; None where it can."""
    if is_identifier(name):
        return None
    return (
        f"{name!r} cannot be the name of an assignment, as students could not fetch it.",
        f"Use {rule_for(name)}.",
    )
