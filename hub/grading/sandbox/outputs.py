"""Outputs of cells as plain data: what is kept of what the student process claims.

Pure: nothing here knows a process. `checked_outputs` takes only what nbformat allows, and
`OutputBudget` keeps the outputs of a notebook within a number of bytes.
"""

from __future__ import annotations

import json
from typing import Any

from hub.facts.text import uncontrolled

Output = dict[str, Any]

MAX_ERROR_CHARACTERS = 20_000
MAX_OUTPUTS_OF_A_CELL = 2_000
MAX_ERRORS_OF_A_CELL = 20  # kept beside those
MAX_CHARACTERS_OF_A_CELL = 16 * 2**20
MAX_KINDS_OF_AN_OUTPUT = 20
MAX_NAME_CHARACTERS = 200
MAX_DEPTH = 50  # of JSON in an output; what copies it later calls itself a few times a level

NUMBERS = {int, float, bool, type(None)}

# What stands in a cell's output where tests run isolated and it was too much.
PRINT_CUT = "[the rest of what this cell printed is cut]"
LEFT_OUT = "[the output of this cell was too large and is left out]"
# The same, wherever tests run, for what belongs to Python and was put back after the cell.
PUT_BACK = "[what this cell had taken away of Python itself was put back"
CUT: Output = {
    "output_type": "stream",
    "name": "stdout",
    "text": "\n[The output was cut here: it reached the limit of a notebook.]\n",
}
OVER_LIMITS = "[the rest of this cell's output is left out: it is over the limits of a cell]"


def error_output(name: str, message: str) -> Output:
    """An error output that says `message`; nbgrader scores a test cell that has one with 0."""
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": [message]}


def first_error(outputs: list[Output]) -> str | None:
    """Name and message of the first error among a cell's outputs; None if there is none."""
    errors = (output for output in outputs if output["output_type"] == "error")
    return next((f"{error['ename']}: {error['evalue']}"[:300] for error in errors), None)


def remarked(outputs: list[Output]) -> str | None:
    """What the process that ran a cell says about it in its output, to follow its name."""
    printed = "".join(o["text"] for o in outputs if isinstance(o.get("text"), str))
    return next((message for note, message in _REMARKS.items() if note in printed), None)


_REMARKS = {
    PRINT_CUT: "printed too much: the rest was cut",
    LEFT_OUT: "had too much output, which was left out",
    PUT_BACK: "had taken away modules or functions of Python itself; they were put back",
}


class OutputBudget:
    """Keeps the outputs of a notebook within `limit` bytes together."""

    def __init__(self, limit: int) -> None:
        self.cut = False
        """Whether anything was cut or left out."""
        self._left = limit

    def kept(self, outputs: list[Output]) -> list[Output]:
        """What is kept of the outputs of a further cell, with a note where the first is cut.

        Errors are kept whatever was printed before: they decide about points.
        """
        kept: list[Output] = []
        for output in outputs:
            cut = output
            if output["output_type"] == "stream":
                text = output["text"].encode()
                cut = {**output, "text": text[: max(0, self._left)].decode(errors="ignore")}
                self._left -= len(text)
                if cut["text"]:
                    kept.append(cut)
            elif output["output_type"] == "error":
                kept.append(output)
            elif (size := len(json.dumps(output["data"]))) <= self._left:
                self._left -= size
                kept.append(output)
            else:
                cut = {}
            if cut != output and not self.cut:
                self.cut = True
                kept.append(CUT)
        return kept


def checked_outputs(raw: Any) -> list[Output]:
    """The well-formed outputs of `raw`, anything that an untrusted process may have sent as JSON.

    What is not one of nbformat's four kinds of output, with fields of the right types, is left
    out. Text is made encodable and loses what controls a terminal, colours excepted. What is
    over the limits of a cell is cut or left out, and a note says so; errors are kept, as they
    decide about points. The time is linear in what is kept.
    """
    kept = _Kept()
    for output in raw if isinstance(raw, list) else []:
        kept.take(output)
    return kept.outputs + ([_note(OVER_LIMITS)] if kept.cut else [])


def _note(message: str) -> Output:
    return {"output_type": "stream", "name": "stderr", "text": f"{message}\n"}


class _TooMuch(Exception):
    """A value is over a limit."""


class _Kept:
    """The outputs of one cell that have passed the check so far."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.cut = False
        self._room = MAX_CHARACTERS_OF_A_CELL
        self._errors = 0

    def take(self, raw: Any) -> None:
        kind = raw.get("output_type") if isinstance(raw, dict) else None
        if kind == "error":
            self._errors += 1
            if self._errors <= MAX_ERRORS_OF_A_CELL:
                self.outputs.append(_checked_error(raw))
            return
        if kind not in ("stream", "display_data", "execute_result"):
            return
        if len(self.outputs) >= MAX_OUTPUTS_OF_A_CELL or self._room <= 0:
            self.cut = True
            return
        try:
            output = self._stream(raw) if kind == "stream" else self._display(kind, raw)
        except _TooMuch:
            self.cut = True
        else:
            self.outputs += [output] if output else []

    def _stream(self, raw: dict[str, Any]) -> Output:
        name = raw.get("name") if raw.get("name") in ("stdout", "stderr") else "stdout"
        text = _text(raw.get("text"))
        if len(text) > self._room:
            self.cut = True
        text = text[: self._room]
        self._room -= len(text)
        return {"output_type": "stream", "name": name, "text": shown_text(text)}

    def _display(self, kind: str, raw: dict[str, Any]) -> Output | None:
        if not isinstance(raw.get("data"), dict):
            return None
        data = self._bundle(raw["data"])
        output: Output = {"output_type": kind, "data": data, "metadata": {}}
        if kind == "execute_result":
            count = raw.get("execution_count")
            output["execution_count"] = count if isinstance(count, int) else None
            data.setdefault("text/plain", "")  # nbgrader reads it of every result of a test cell
        return output

    def _bundle(self, data: dict[Any, Any]) -> dict[str, Any]:
        if len(data) > MAX_KINDS_OF_AN_OUTPUT:
            raise _TooMuch
        bundle: dict[str, Any] = {}
        for mime, value in data.items():
            kind = clean_text(mime)[:MAX_NAME_CHARACTERS]
            if kind == "application/json" or kind.endswith("+json"):
                self._spend(value)
                bundle[kind] = _plain_json(value)
            elif isinstance(value, str) or (isinstance(value, list) and _all_text(value)):
                self._spend(value)
                text = value if isinstance(value, str) else "".join(value)
                bundle[kind] = shown_text(text) if kind == "text/plain" else clean_text(text)
        return bundle

    def _spend(self, value: Any) -> None:
        """Take the size of a JSON value from what is left. Raises _TooMuch if it is not."""
        self._room -= len(value) if isinstance(value, str) else _size(value, self._room)
        if self._room < 0:
            raise _TooMuch


def _size(value: Any, most: int) -> int:
    """Characters of a JSON value, about. Raises _TooMuch above `most`, or where it is too deep."""
    size, level = 0, [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                size += len(each)
            elif isinstance(each, dict):
                size += 16 + sum(map(len, each))
                below += each.values()
            elif isinstance(each, list) and set(map(type, each)) <= NUMBERS:
                size += 16 + 4 * len(each)
            elif isinstance(each, list):
                size += 16
                below += each
            if size > most:
                raise _TooMuch
        if not below:
            return size
        level = below
    raise _TooMuch


def _checked_error(raw: dict[str, Any]) -> Output:
    """An error with its texts cut to what one may have, the middle of its traceback left out."""
    given = raw.get("traceback")
    lines = [_text(line) for line in given] if isinstance(given, list) else []
    half = MAX_ERROR_CHARACTERS // 2
    if sum(map(len, lines)) > MAX_ERROR_CHARACTERS:
        text = "\n".join(lines)
        lines = [text[:half], "[…]", text[-half:]]
    return {
        "output_type": "error",
        "ename": clean_text(raw.get("ename"))[:MAX_NAME_CHARACTERS],
        "evalue": clean_text(_text(raw.get("evalue"))[:MAX_ERROR_CHARACTERS]),
        "traceback": [shown_text(line) for line in lines],
    }


def _plain_json(value: Any) -> Any:
    """A copy of a JSON value that is not too deep, with plain text."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): _plain_json(below) for key, below in value.items()}
    if isinstance(value, list):
        return list(value) if set(map(type, value)) <= NUMBERS else [*map(_plain_json, value)]
    return value


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _text(value: Any) -> str:
    """Text of a field, which nbformat lets be a list of lines; nothing for another type."""
    if isinstance(value, list) and _all_text(value):
        return "".join(value)
    return value if isinstance(value, str) else ""


def plain_text(value: Any) -> str:
    """`value` as text that UTF-8 can encode; lone surrogates become question marks."""
    return str("" if value is None else value).encode("utf-8", "replace").decode("utf-8")


def clean_text(value: Any) -> str:
    """The same without anything that controls a terminal: for sentences and names."""
    return uncontrolled(plain_text(value))


def shown_text(text: str) -> str:
    """The same with the colours in it: for what an output shows."""
    return uncontrolled(plain_text(text), colours=True)
