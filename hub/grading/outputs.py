"""Outputs of cells as plain data: assembled from a kernel's messages, and checked when read.

Pure: nothing here knows a kernel or a process. `Recorder` runs on the untrusted side and keeps
the outputs of a notebook within a number of bytes; `checked_outputs` runs on the trusted side
and takes from whatever came back only what nbformat allows.
"""

from __future__ import annotations

import json
from typing import Any

Output = dict[str, Any]

MAX_ERROR_CHARACTERS = 20_000
MAX_OUTPUTS_OF_A_CELL = 2_000

# What stands in a cell's output where tests run apart and it was too much.
PRINT_CUT = "[the rest of what this cell printed is cut]"
LEFT_OUT = "[the output of this cell was too large and is left out]"


def error_output(name: str, words: str) -> Output:
    """An error output that says `words`; nbgrader scores a test cell that has one with 0."""
    return {"output_type": "error", "ename": name, "evalue": words, "traceback": [words]}


def first_error(outputs: list[Output]) -> str | None:
    """Name and message of the first error among a cell's outputs; None if there is none."""
    errors = (output for output in outputs if output["output_type"] == "error")
    return next((f"{error['ename']}: {error['evalue']}"[:300] for error in errors), None)


class Recorder:
    """Assembles outputs from iopub messages and keeps the whole notebook under `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.cut = False
        self.start_cell()

    def start_cell(self) -> None:
        self.outputs: list[Output] = []
        self.execution_count: int | None = None
        self._clear_before_next = False
        self._displays: dict[str, list[Output]] = {}

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Take one message of the running cell; `kind` is its msg_type."""
        if isinstance(content.get("execution_count"), int):
            self.execution_count = content["execution_count"]
        if kind == "clear_output":
            self._clear(wait=bool(content.get("wait")))
        elif kind == "stream":
            self._stream(str(content["name"]), str(content["text"]))
        elif kind in ("display_data", "execute_result"):
            self._display(kind, content)
        elif kind == "update_display_data":
            self._update(content)
        elif kind == "error":
            self._error(content)

    def has_error(self, name: str | None = None) -> bool:
        return any(
            output["output_type"] == "error" and name in (None, output["ename"])
            for output in self.outputs
        )

    def add_error(self, name: str, words: str) -> None:
        self._append(error_output(name, words))

    def _clear(self, wait: bool) -> None:
        self._clear_before_next = wait
        if not wait:
            self.outputs.clear()
            self._displays.clear()

    def _append(self, output: Output) -> None:
        if self._clear_before_next:
            self._clear(wait=False)
        self.outputs.append(output)

    def _stream(self, name: str, text: str) -> None:
        text, whole = text[: max(self.left, 0)], text
        self.left -= len(text.encode("utf-8", "replace"))
        last = self.outputs[-1] if self.outputs and not self._clear_before_next else None
        if text and last and last["output_type"] == "stream" and last["name"] == name:
            last["text"] += text
        elif text:
            self._append({"output_type": "stream", "name": name, "text": text})
        if len(text) < len(whole):
            self._note_cut()

    def _display(self, kind: str, content: dict[str, Any]) -> None:
        size = len(json.dumps(content["data"]))
        if size > self.left or len(self.outputs) >= MAX_OUTPUTS_OF_A_CELL:
            self._note_cut()
            return
        self.left -= size
        output = {
            "output_type": kind,
            "data": content["data"],
            "metadata": content.get("metadata") or {},
        }
        if kind == "execute_result":
            output["execution_count"] = content.get("execution_count")
        self._append(output)
        if name := _display_id(content):
            self._displays.setdefault(name, []).append(output)

    def _update(self, content: dict[str, Any]) -> None:
        size = len(json.dumps(content["data"]))
        if size > self.left:
            self._note_cut()
            return
        self.left -= size
        for output in self._displays.get(_display_id(content) or "", []):
            output["data"] = content["data"]
            output["metadata"] = content.get("metadata") or {}

    def _error(self, content: dict[str, Any]) -> None:
        # Errors decide about points, so they are kept whatever was printed before, but short.
        lines = [str(line)[:MAX_ERROR_CHARACTERS] for line in content.get("traceback") or []]
        while sum(map(len, lines)) > MAX_ERROR_CHARACTERS:
            del lines[len(lines) // 2]
        self._append(
            {
                "output_type": "error",
                "ename": str(content.get("ename", "Error"))[:200],
                "evalue": str(content.get("evalue", ""))[:MAX_ERROR_CHARACTERS],
                "traceback": lines,
            }
        )

    def _note_cut(self) -> None:
        if not self.cut:
            self.cut = True
            self._append(
                {
                    "output_type": "stream",
                    "name": "stdout",
                    "text": "\n[The output was cut here: it reached the limit of a notebook.]\n",
                }
            )


def _display_id(content: dict[str, Any]) -> str | None:
    return (content.get("transient") or {}).get("display_id")


def checked_outputs(raw: Any) -> list[Output]:
    """The well-formed outputs of `raw`, anything that an untrusted process may have sent.

    What is not one of nbformat's four kinds of output, with fields of the right types, is
    left out; text is made encodable.
    """
    outputs = [_checked(output) for output in raw] if isinstance(raw, list) else []
    return [output for output in outputs if output is not None]


def _checked(raw: Any) -> Output | None:
    if not isinstance(raw, dict):
        return None
    kind = raw.get("output_type")
    if kind == "stream":
        name = raw.get("name") if raw.get("name") in ("stdout", "stderr") else "stdout"
        return {"output_type": "stream", "name": name, "text": plain_text(raw.get("text"))}
    if kind == "error":
        trace = raw.get("traceback")
        return {
            "output_type": "error",
            "ename": plain_text(raw.get("ename")),
            "evalue": plain_text(raw.get("evalue")),
            "traceback": [plain_text(line) for line in trace] if isinstance(trace, list) else [],
        }
    if kind in ("display_data", "execute_result") and isinstance(raw.get("data"), dict):
        output = {"output_type": kind, "data": _checked_bundle(raw["data"]), "metadata": {}}
        if kind == "execute_result":
            count = raw.get("execution_count")
            output["execution_count"] = count if isinstance(count, int) else None
            # nbgrader reads this key of every result of a test cell.
            output["data"].setdefault("text/plain", "")
        return output
    return None


def _checked_bundle(data: dict[Any, Any]) -> dict[str, Any]:
    bundle: dict[str, Any] = {}
    for mime, value in data.items():
        kind = plain_text(mime)
        if kind == "application/json" or kind.endswith("+json"):
            bundle[kind] = json.loads(plain_text(json.dumps(value, ensure_ascii=False)))
        elif isinstance(value, str) or (isinstance(value, list) and _all_text(value)):
            bundle[kind] = plain_text(value if isinstance(value, str) else "".join(value))
    return bundle


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def plain_text(value: Any) -> str:
    """`value` as text that UTF-8 can encode; lone surrogates become question marks."""
    return str("" if value is None else value).encode("utf-8", "replace").decode("utf-8")
