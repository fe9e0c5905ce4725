"""Decides, from a database's content, what an upgrade has to do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hub.exchange.errors import SchemaError

# The tables of versions that recorded no revision (2d81227 and before).
BASELINE_TABLES = frozenset({"releases", "submissions", "feedback"})


@dataclass(frozen=True)
class UpgradePlan:
    """How to bring a database to the revision `head`.

    found: the revision of its tables; None if there are none yet.
    written: whether the database itself records it.
    newer: whether this LogitLab does not know `found`, so that nothing can be done.
    """

    found: str | None
    head: str
    written: bool = True
    newer: bool = False

    @property
    def changes(self) -> bool:
        """Whether the database has content that is going to be changed."""
        return self.found is not None and (not self.written or self.found != self.head)


def plan(tables: Collection[str], revision: str | None, known: Sequence[str]) -> UpgradePlan:
    """What to do with a database that has `tables` and records `revision`.

    known: this LogitLab's revisions, oldest first.

    Raises SchemaError if the tables are not, or not all of, the exchange's.
    """
    baseline, head = known[0], known[-1]
    ours = BASELINE_TABLES & set(tables)
    if revision in known:
        return UpgradePlan(revision, head)
    if revision is None and not ours:
        return UpgradePlan(None, head)
    if revision is None and ours == BASELINE_TABLES:
        return UpgradePlan(baseline, head, written=False)
    if revision is not None and ours:
        return UpgradePlan(revision, head, newer=True)
    raise SchemaError(
        "The exchange's database has tables of another program, or only some of its own "
        f"({', '.join(sorted(tables))}). Nothing was changed.",
        "Give the exchange a database of its own, or restore the backup of this one.",
    )


def refusal(newer: UpgradePlan, copy: str | None) -> SchemaError:
    """Why a newer LogitLab's database is left alone; `copy`: a usable copy, if any."""
    way_back = (
        f"the copy made before the upgrade ({copy}), which lacks what was submitted since"
        if copy
        else "a backup made before the upgrade"
    )
    return SchemaError(
        f"The exchange's database is from a newer LogitLab: its tables are at revision "
        f"{newer.found}, but this version knows only up to {newer.head}. Nothing was changed.",
        f"Start the LogitLab version that ran here, or any that knows revision {newer.found}; or "
        "go back "
        f"to {way_back}. docs/upgrading.md says how.",
    )
