"""`logitlab roster import`: replaces the list of students, after showing a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.roster.file import write_roster
from hub.core.roster.merge import everybody
from hub.core.roster.student import Student
from hub.core.settings import load_settings
from hub.people.accounts.demo import demo_accounts
from hub.people.accounts.issue import missing_links, table
from hub.people.accounts.login import login_kind
from hub.people.enrolment import enrol
from hub.people.roster.changes import Changes, changes
from hub.people.roster.spreadsheet import read_spreadsheet


@dataclass(frozen=True)
class ImportPlan:
    """What an import would change.

    stay: who keeps the account also without this roster.
    """

    students: tuple[Student, ...]
    changes: Changes
    remarks: tuple[str, ...]
    stay: frozenset[str]


def plan_import(folder: CourseFolder, path: Path) -> ImportPlan:
    """Plan the import of the list at `path`. Changes nothing.

    Raises RosterError if the list cannot be used.
    """
    people = folder.settings.people
    graders = {each.settings.course.grader for each in courses_of(folder)}
    reserved = {*people.admins, *people.instructors, *graders}
    listed = read_spreadsheet(path, reserved)
    others = [each.settings for each in courses_of(folder) if each.root != folder.root]
    return ImportPlan(
        students=listed.students,
        changes=changes(folder.roster, listed.students),
        remarks=listed.remarks,
        stay=frozenset(everybody(load_settings(folder.settings_file), *others)),
    )


def apply_import(folder: CourseFolder, proposal: ImportPlan) -> Iterator[str]:
    """Make `proposal` the course's roster, fill the gradebook, and give who is new a way in.

    Repeating it completes an interrupted import. Yields progress.
    """
    write_roster(folder.roster_file, proposal.students)
    yield f"{folder.roster_file}: written; a running server follows within seconds"
    folder = folder.reread()
    yield from enrol(folder)
    kind = login_kind(folder.settings, folder.environment)
    added = [one.username for one in proposal.changes.added]
    if kind == "demo":
        passwords = demo_accounts(everybody(folder.settings), folder.server / "accounts.json")
        yield from (f"    {name:<14} {passwords[name]}" for name in added)
    elif kind == "native" and folder.environment.in_containers:
        yield "To make password links for those without a password: `make links`"
    elif kind == "native":
        listed = {one.username for one in proposal.students}
        yield from table(missing_links(folder, listed))
