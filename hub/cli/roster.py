"""Commands about a course's students and their password links."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hub.cli.running import CommandFailed, in_course, say
from hub.core.course_folder import CourseFolder


@click.group()
def roster() -> None:
    """Import the roster from the course's office, print it, and make password links."""


@roster.command("import")
@click.argument("table", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Apply without asking.")
@in_course
def import_(table: Path, yes: bool, folder: CourseFolder) -> None:
    """Import students from the CSV file TABLE: username, first_name, last_name, email, lms_id.

    Shows the import plan and asks. Students no longer in TABLE cannot log in, unless they have
    another role or course; home, submissions and grades are kept. Safe to repeat.
    """
    from hub.people.roster.changes import described
    from hub.people.roster.importing import apply_import, plan_import

    proposal = plan_import(folder, table)
    say(f"{table}: {remark}" for remark in proposal.remarks)
    say(described(proposal.changes, proposal.stay))
    if proposal.changes and not yes:
        if not sys.stdin.isatty():
            how = "`make roster … YES=1`" if folder.environment.in_containers else "--yes"
            raise CommandFailed(f"Nothing was changed. Not a terminal; pass {how} to apply.")
        click.confirm("Apply these changes?", abort=True)
    say(apply_import(folder, proposal))


@roster.command("list")
@in_course
def list_(folder: CourseFolder) -> None:
    """Print the roster as CSV."""
    from hub.core.roster.file import csv_lines

    say(csv_lines(folder.roster))


@roster.command()
@click.option("--new", "names", multiple=True, help="This person only; repeatable.")
@click.option("--missing", is_flag=True, help="Everybody without a password or an open link.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a CSV file that only you can read.",
)
@in_course
def links(names: tuple[str, ...], missing: bool, target: Path | None, folder: CourseFolder) -> None:
    """Make one-time links to set a password; a new link voids a person's older one.

    Prints CSV: name, link, expires_utc.
    """
    from hub.people.accounts.issue import csv_lines, new_links, without_password, write_links

    if not names and not missing:
        raise CommandFailed("Nobody selected: pass --missing or --new NAME.")
    without = without_password(folder, link_is_enough=True) if missing else []
    if missing and (waiting := sorted(set(without_password(folder)) - {*without, *names})):
        click.echo(
            f"Already have an open link: {', '.join(waiting)}. --new NAME makes another and "
            "voids the first.",
            err=True,
        )
    wanted = dict.fromkeys([*names, *without])
    rows = new_links(folder, list(wanted))
    if target:
        write_links(target, rows)
        click.echo(f"{target}: {len(rows)} link(s) written")
    else:
        say(csv_lines(rows))
