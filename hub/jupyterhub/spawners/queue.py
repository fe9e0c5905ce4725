"""Starts servers in order of request, a limited number at once, as a class logs in together.

A hub that starts everything at once responds to nobody, and one that refuses makes people
reload the page. Here everybody has a position and sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class StartQueue:
    """At most `width` holders at a time; the others wait, first come, first served."""

    def __init__(self, width: int) -> None:
        if width < 1:
            raise ValueError("at least one start at a time")
        self.width = width
        self._running = 0
        self._waiting: dict[str, asyncio.Future[None]] = {}

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not admitted.done() for admitted in self._waiting.values())

    def position(self, name: str) -> int:
        """The queue position of `name` (1: next); 0 if it does not wait."""
        names = [each for each, admitted in self._waiting.items() if not admitted.done()]
        return names.index(name) + 1 if name in names else 0

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for a turn, and end it afterwards, even if the start fails or is cancelled.

        Raises ValueError if `name` is already waiting.
        """
        if name in self._waiting:
            raise ValueError(f"{name} is already waiting")
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[name] = admitted
        self._admit()
        try:
            await admitted
            del self._waiting[name]
            yield
        finally:
            self._waiting.pop(name, None)
            if admitted.done() and not admitted.cancelled():
                self._running -= 1
                self._admit()

    def _admit(self) -> None:
        for admitted in self._waiting.values():
            if self._running >= self.width:
                return
            if not admitted.done():
                self._running += 1
                admitted.set_result(None)
