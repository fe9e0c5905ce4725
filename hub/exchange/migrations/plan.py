"""What has to happen to a database of the exchange, decided from what is in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hub.exchange.errors import SchemaError

# What the exchange had made where it wrote down no revision (2d81227 and before).
BASELINE_TABLES = frozenset({"releases", "submissions", "feedback"})


@dataclass(frozen=True)
class UpgradePlan:
    """How a database gets to the revision `head`.

    found: the revision its tables are at; None where there are none yet.
    written: whether the database itself says so.
    newer: whether `found` is none that this LogitLab knows, so that nothing can be done.
    """

    found: str | None
    head: str
    written: bool = True
    newer: bool = False

    @property
    def changes(self) -> bool:
        """Whether the database has something that is going to be changed."""
        return self.found is not None and (not self.written or self.found != self.head)


def plan(tables: Collection[str], revision: str | None, known: Sequence[str]) -> UpgradePlan:
    """What to do with a database that has `tables` and says that it is at `revision`.

    known: this LogitLab's revisions, the oldest first.

    Raises SchemaError where the tables are not, or not all, the exchange's.
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
        "The exchange's database has tables of something else, or only some of its own "
        f"({', '.join(sorted(tables))}). Nothing was changed.",
        "Give the exchange a database of its own, or restore the backup of this one.",
    )


def refusal(newer: UpgradePlan, copy: str | None) -> SchemaError:
    """Why a database of a newer LogitLab is left alone; `copy` is one that would do, if any."""
    way_back = (
        f"the copy made before the upgrade ({copy}), which lacks what was submitted since"
        if copy
        else "a backup made before the upgrade"
    )
    return SchemaError(
        f"The exchange's database is of a newer LogitLab: its tables are at revision "
        f"{newer.found}, this version knows them up to {newer.head}. Nothing was changed.",
        f"Start the LogitLab that was here, or any that knows revision {newer.found}; or go back "
        f"to {way_back}. docs/upgrading.md says how.",
    )
