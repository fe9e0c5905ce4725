"""Text that other people wrote, made fit for a terminal, a page or a spreadsheet. Pure.

Characters that control a terminal, or the direction in which text is read, are left out; the text
around them stays.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

# Sequences by which a terminal moves, asks, titles, links or erases, each with what belongs to it
# (ECMA-48: control sequences; operating system commands and the like; two characters).
_COLOUR = r"\x1b\[[0-9;:]{0,64}m"
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]{0,16}[0-~]?"
)
# They turn the direction of text round, and so what a reader believes to see.
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# What is left of C0 and C1 but tab and line feed, and the line ends that only Unicode knows.
_CONTROL = rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{BIDI}]"
_ANY = re.compile(_CONTROL)
_ALL = re.compile(f"{_SEQUENCE}|{_CONTROL}")
_ALL_BUT_COLOURS = re.compile(f"({_COLOUR})|{_SEQUENCE}|{_CONTROL}")

# A spreadsheet takes a text that begins with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

JOINERS = "\u200c\u200d"  # within words of some languages, and within emoji


def uncontrolled(text: str, colours: bool = False) -> str:
    """`text` without control characters and escape sequences, but tabs and line feeds.

    A carriage return ends a line with a line feed after it, else the line begins anew, as where
    a progress bar is drawn over the one before.

    colours: keep those that choose colours and weight (`ESC [ … m`).
    """
    if not _ANY.search(text):
        return text
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    if colours:
        return _ALL_BUT_COLOURS.sub(lambda found: found[1] or "", text)
    return _ALL.sub("", text)


def printable(text: str) -> str:
    """`text` for a terminal: what is neither printable nor a space, a tab or a line feed stands
    there as its escape (`\\x1b`), so that nothing in it is hidden or obeyed."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if _is_printable(character) else _escape(character) for character in text
    )


def _is_printable(character: str) -> bool:
    known = character.isprintable() or character in f"\n\t{JOINERS}"
    return known or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet takes `text` for a formula; some also read `＝` as one."""
    return unicodedata.normalize("NFKC", text[:1]).startswith(FORMULA_STARTS)


def csv_line(values: Iterable[Any]) -> str:
    """Values as one line of CSV, without its end, safe to open in a spreadsheet."""
    line = io.StringIO()
    csv.writer(line).writerow([csv_field(value) for value in values])
    return line.getvalue().removesuffix("\r\n")  # without it, line breaks would not be quoted


def csv_field(value: Any) -> str | int | float:
    """A value as one field: numbers as they are, text never a formula, times as ISO 8601 UTC."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="seconds") + "Z"
    text = str(value)
    return f"'{text}" if is_formula(text) else text
