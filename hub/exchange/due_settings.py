"""Due dates in `course.yaml` beside those that the exchange holds, which alone count. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo

from hub.exchange.due_dates import Dates
from hub.exchange.records import DueDate

Stored = Mapping[str, datetime | None]
"""The exchange's dates of one course, by assignment; None: no due date."""


def time_in(zone: tzinfo, time: datetime | None) -> str:
    """A time as people of the course read it, e.g. ``2027-02-01 23:59 (Europe/Berlin)``."""
    if time is None:
        return "no due date"
    local = time.astimezone(zone)
    seconds = ":%S" if local.second else ""
    return f"{local:%Y-%m-%d %H:%M{seconds}} ({zone})"


def differences(settings: Mapping[str, datetime], stored: Stored, zone: tzinfo) -> Iterator[str]:
    """A sentence for each assignment whose date in `course.yaml` is not the one that counts."""
    for name, due in sorted(settings.items()):
        if name in stored and stored[name] != due:
            yield (
                f"{name}: course.yaml has {time_in(zone, due)}, but what counts is the exchange's: "
                f"{time_in(zone, stored[name])}. To take over course.yaml's: "
                f"`logitlab due {name} --from-settings`"
            )


def settled(changed: Iterable[DueDate], zone: tzinfo) -> Iterator[str]:
    """What an upgrade took over from `course.yaml`, a line for each assignment."""
    for one in changed:
        yield (
            f"{one.assignment}: {time_in(zone, one.due)}, from course.yaml, is now kept by the "
            f"exchange; `logitlab due {one.assignment}` changes it"
        )


def of_course(dates: Dates, course: str) -> dict[str, datetime]:
    """The dates of one course, by assignment."""
    return {name: due for (its, name), due in dates.items() if its == course}
