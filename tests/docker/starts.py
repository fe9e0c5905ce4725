"""Starting and stopping servers as a browser does: the spawn page, and what it shows meanwhile."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.hub_client import Person


@dataclass
class Start:
    """How one start went, as the person's page saw it."""

    status: int = 0  # of the spawn page
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def positions(self) -> list[int]:
        """The positions in the queue that were shown, one after the other."""
        shown = [re.search(r"number (\d+) in the queue", each) for each in self.messages]
        return [int(found[1]) for found in shown if found]

    @property
    def messages(self) -> list[str]:
        return [event["message"] for event in self.events if "message" in event]

    @property
    def ready(self) -> bool:
        return bool(self.events) and bool(self.events[-1].get("ready"))


def start(person: Person) -> Start:
    """Open the spawn page, and follow it until the server is there or is given up."""
    seen = Start(person.http.get(f"/hub/spawn/{person.name}").status_code)
    path = f"/hub/api/users/{person.name}/server/progress"
    with person.http.stream("GET", path, headers={"Referer": f"{person.url}/hub/home"}) as lines:
        if lines.status_code != 200:
            seen.status = lines.status_code
            return seen
        for line in lines.iter_lines():
            if line.startswith("data:"):
                seen.events.append(json.loads(line.removeprefix("data:")))
    return seen


def stop(person: Person) -> None:
    """Stop the person's server and wait until it is gone. Raises TimeoutError."""
    began = time.monotonic()
    while person.api("DELETE", f"/users/{person.name}/server").status_code != 204:
        if time.monotonic() - began > 120:
            raise TimeoutError(f"the server of {person.name} does not stop")
        time.sleep(0.5)
