"""One student of the roster, and what its fields may contain."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from hub.facts.names import USER_NAME, USER_NAME_RULE
from hub.facts.text import BIDI, is_formula

FIELDS = ("username", "first_name", "last_name", "email", "lms_id")
# Lengths of the gradebook's columns.
LONGEST = dict.fromkeys(("first_name", "last_name", "email", "lms_id"), 128)


@dataclass(frozen=True)
class Student:
    """A row of the roster. `lms_id` is the student's id in a learning management system."""

    username: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def __str__(self) -> str:
        return f"{self.username} ({self.full_name})" if self.full_name else self.username


def student(row: Mapping[str, str]) -> Student:
    """The student in `row`, with spaces normalised and the user name lower-cased.

    Raises ValueError, saying what is wrong, if a field is not valid.
    """
    tidy = {field: _tidy(row.get(field) or "") for field in FIELDS}
    tidy["username"] = unicodedata.normalize("NFKC", tidy["username"]).lower()
    if not USER_NAME.fullmatch(tidy["username"]):
        raise ValueError(f"user name {tidy['username']!r}: expected {USER_NAME_RULE}")
    for field, longest in LONGEST.items():
        _check(field, tidy[field], longest)
    email = tidy["email"]
    if email and (email.count("@") != 1 or " " in email or email[0] == "@" or email[-1] == "@"):
        raise ValueError(f"email {email!r}: expected something like ada@example.org")
    return Student(**tidy)


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _check(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise ValueError(f"{field}: longer than {longest} characters")
    if any(unicodedata.category(char) == "Cc" or char in BIDI for char in text):
        raise ValueError(f"{field} {text!r}: an unprintable character")
    if is_formula(text):
        raise ValueError(f"{field} {text!r}: begins with {text[0]!r}, like a spreadsheet formula")
