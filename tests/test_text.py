"""What other people wrote reaches a terminal or a page without controlling it."""

from __future__ import annotations

import pytest

from hub.text import printable, uncontrolled


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
