"""Messages about a GPU for the person who waits. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from hub.jupyterhub.spawners.gpu.placement import CHOSEN, FULL


@dataclass(frozen=True)
class OnGpu:
    """A slot on device `number` (1: the first) of `devices`, with `others` on it too."""

    name: str
    number: int
    devices: int
    others: int


@dataclass(frozen=True)
class InQueue:
    """Waiting as number `position` (1: next) of `waiting`."""

    position: int
    waiting: int


@dataclass(frozen=True)
class WithoutGpu:
    reason: str


View = OnGpu | InQueue | WithoutGpu


def message(view: View) -> str:
    """One line for the spawn page."""
    if isinstance(view, OnGpu):
        which = f"GPU {view.number} of {view.devices}, " if view.devices > 1 else ""
        shared = {0: "nobody else is on it", 1: "shared with one other"}.get(
            view.others, f"shared with {view.others} others"
        )
        return f"Starting with a GPU: {which}{view.name}, {shared}"
    if isinstance(view, InQueue):
        next_one = " (you are next)" if view.position == 1 else ""
        return (
            f"All GPU slots are taken: you are number {view.position} of {view.waiting} in the "
            f"queue{next_one}. Keep this page open; your JupyterLab starts by itself."
        )
    later = (
        " To try again later, stop your server (File > Hub Control Panel) and start it again."
        if view.reason in (FULL, CHOSEN)
        else ""
    )
    return f"Starting without a GPU: {view.reason}.{later}"


def form(position: int) -> str:
    """The question of `when_full: ask`, for JupyterHub's spawn form."""
    question = f"All GPU slots are taken. If you wait, you will be number {position} in the queue."
    choices = [
        ("cpu", "Start now, without a GPU", "checked"),
        ("wait", f"Wait for a GPU (position {position})", ""),
    ]
    rows = "".join(
        f'<div class="form-check"><input class="form-check-input" type="radio" name="gpu" '
        f'id="gpu-{value}" value="{value}" {checked}>'
        f'<label class="form-check-label" for="gpu-{value}">{escape(text)}</label></div>'
        for value, text, checked in choices
    )
    return f"<p>{escape(question)}</p>{rows}"


def read_form(data: dict[str, list[str]]) -> dict[str, str]:
    """The spawner's user options from the form's fields; anything but an answer counts as none."""
    answer = (data.get("gpu") or [""])[0]
    return {"gpu": answer} if answer in ("cpu", "wait") else {}
