"""A fair queue: clients are served in turn, so that many notebooks of one do not hold up another.
Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Ticket = TypeVar("Ticket")


class FairQueue(Generic[Ticket]):
    """Tickets by client; the next is from the client that has waited longest for a turn."""

    def __init__(self) -> None:
        self._tickets: dict[str, deque[Ticket]] = {}  # in order of turns; none is empty

    def __len__(self) -> int:
        return sum(map(len, self._tickets.values()))

    def add(self, client: str, ticket: Ticket) -> None:
        self._tickets.setdefault(client, deque()).append(ticket)

    def remove(self, client: str, ticket: Ticket) -> None:
        """Forget a ticket, if it is still here."""
        tickets = self._tickets.get(client, deque())
        if ticket in tickets:
            tickets.remove(ticket)
        if not tickets:
            self._tickets.pop(client, None)

    def take(self) -> Ticket | None:
        """Remove and return the next ticket."""
        if not self._tickets:
            return None
        client = next(iter(self._tickets))
        tickets = self._tickets.pop(client)
        ticket = tickets.popleft()
        if tickets:
            self._tickets[client] = tickets  # at the end of the line
        return ticket

    def order(self) -> list[Ticket]:
        """All tickets, in the order in which they would be taken if none were added."""
        columns = [list(tickets) for tickets in self._tickets.values()]
        longest = max(map(len, columns), default=0)
        return [column[k] for k in range(longest) for column in columns if k < len(column)]
