"""The difference between two rosters, as data."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hub.core.roster.student import Student


@dataclass(frozen=True)
class Changes:
    """`renamed` pairs somebody's current entry with the new one."""

    added: tuple[Student, ...]
    renamed: tuple[tuple[Student, Student], ...]
    left: tuple[Student, ...]
    unchanged: tuple[Student, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.renamed or self.left)


def changes(old: Sequence[Student], new: Sequence[Student]) -> Changes:
    """The changes if `new` replaces `old`."""
    before = {one.username: one for one in old}
    after = {one.username: one for one in new}
    stay = [(before[name], one) for name, one in sorted(after.items()) if name in before]
    return Changes(
        added=tuple(one for name, one in sorted(after.items()) if name not in before),
        renamed=tuple((was, one) for was, one in stay if was != one),
        left=tuple(one for name, one in sorted(before.items()) if name not in after),
        unchanged=tuple(one for was, one in stay if was == one),
    )


def described(found: Changes, stay: Collection[str] = ()) -> Iterator[str]:
    """The changes, human-readable, to show before they are applied.

    stay: who keeps the account also without this roster.
    """
    for one in found.added:
        yield f"  + {one}{f' {one.email}' if one.email else ''}"
    for was, one in found.renamed:
        yield f"  ~ {was.username}: {_difference(was, one)}"
    for one in found.left:
        then = "can still log in, for another role or course"
        if one.username not in stay:
            then = "can no longer log in"
        yield f"  - {one}: {then}; home, submissions and grades are kept"
    for was, one in _same_person(found):
        yield f"  ! {was.username} and {one.username} have the same lms_id {one.lms_id}: a new"
        yield f"    user name is a new account; the work of {was.username} stays with the old one"
    counts = (
        f"{len(found.added)} added, {len(found.renamed)} renamed, {len(found.left)} left, "
        f"{len(found.unchanged)} unchanged"
    )
    yield counts


def _difference(was: Student, one: Student) -> str:
    fields = ("first_name", "last_name", "email", "lms_id")
    pairs = [(field, getattr(was, field), getattr(one, field)) for field in fields]
    return ", ".join(f"{field} {a or '–'} → {b or '–'}" for field, a, b in pairs if a != b)


def _same_person(found: Changes) -> Iterator[tuple[Student, Student]]:
    ids = {one.lms_id: one for one in found.left if one.lms_id}
    for one in found.added:
        if one.lms_id in ids:
            yield ids[one.lms_id], one
