"""Other people's text reaches a terminal, a page or a spreadsheet without controlling it."""

from __future__ import annotations

import csv
import io

import pytest

from hub.facts.text import csv_line, printable, uncontrolled


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b]0;title\x07a", "a"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;" + "A" * 50 + "\x9cb", "b"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x9b2Jgone", "gone"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x1b]never ended", "never ended"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcdef"),
        ("\u202egpj.exe\u2066x", "gpj.exex"),
        ("10 %\r50 %\r100 %\r\nend\r", "100 %\nend"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_nothing_of_a_control_sequence_is_left(text: str, left: str) -> None:
    assert uncontrolled(text) == left


def test_colours_stay_where_they_are_wanted() -> None:
    text = "\x1b[0;31mred\x1b[0m\x1b[2K\x1b[38;5;9mx"
    assert uncontrolled(text, colours=True) == "\x1b[0;31mred\x1b[0m\x1b[38;5;9mx"


def test_text_of_many_languages_is_printable_as_it_is() -> None:
    text = "Müller, 北京, می\u200cخواهم, 👩\u200d🔬, a\u00a0b\tc\n"
    assert printable(text) == uncontrolled(text) == text


def test_a_terminal_shows_what_it_would_have_obeyed() -> None:
    assert printable("\x1b[2J\x9b\u202e\ud800") == "\\x1b[2J\\x9b\\u202e\\ud800"


def test_a_field_of_csv_with_a_line_break_is_read_back_as_one() -> None:
    row = ["a\nb", "c\rd", 'e"f', "g,h"]
    assert list(csv.reader(io.StringIO(csv_line(row), newline=""))) == [row]


@pytest.mark.parametrize("start", "=+-@\t\r＝＋－＠")
def test_no_field_of_csv_begins_as_a_formula(start: str) -> None:
    assert next(csv.reader(io.StringIO(csv_line([f"{start}1"]), newline=""))) == [f"'{start}1"]
