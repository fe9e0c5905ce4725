"""Makes password links from the command line, beside a running hub or before its first start."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyterhub import orm

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.roster.merge import everybody
from hub.facts import files
from hub.facts.text import csv_line
from hub.people.accounts import password_links
from hub.people.accounts.login import AccountsError, login_kind, public_url
from hub.people.accounts.passwords import with_password

COLUMNS = ("name", "link", "expires_utc")
LinkRow = tuple[str, str, str]


def new_links(folder: CourseFolder, names: Collection[str]) -> list[LinkRow]:
    """A new link for each of `names`, people of the hub in `folder`; voids their older ones.

    Raises AccountsError for a name that is not in the course, or if people do not have passwords
    of their own here.
    """
    _check_login(folder)
    unknown = sorted(set(names) - set(_people(folder)))
    if unknown:
        raise AccountsError(f"{', '.join(unknown)}: not in the course. No link was made.")
    days = folder.settings.accounts.link_days
    base = public_url(folder)
    with hub_database(folder) as session:
        made = [password_links.issue(session, name, days, "the command line") for name in names]
    return [(link.name, link.url(base), f"{link.expires:%Y-%m-%dT%H:%M:%SZ}") for link in made]


def without_password(folder: CourseFolder, link_is_enough: bool = False) -> list[str]:
    """Everybody in the courses without a password and, with `link_is_enough`, without a link."""
    _check_login(folder)
    with hub_database(folder) as session:
        settled = with_password(session) | (
            set(password_links.open_links(session)) if link_is_enough else set()
        )
    return [name for name in _people(folder) if name not in settled]


def _people(folder: CourseFolder) -> list[str]:
    """Everybody with an account, which is the hub's, whichever of its courses they are in."""
    return everybody(*(course.settings for course in courses_of(folder)))


def missing_links(folder: CourseFolder, names: Collection[str] | None = None) -> list[LinkRow]:
    """New links for those of `names`, or of all, who have neither a password nor a link."""
    missing = without_password(folder, link_is_enough=True)
    return new_links(folder, [name for name in missing if names is None or name in names])


def table(rows: list[LinkRow]) -> Iterator[str]:
    """The rows for a terminal."""
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, link, expires in rows:
        yield f"    {name:<{width}}  {link}  until {expires}"


def csv_lines(rows: list[LinkRow]) -> Iterator[str]:
    """The rows as lines of CSV, safe to open in a spreadsheet."""
    for row in [COLUMNS, *rows]:
        yield csv_line(row)


def write_links(path: Path, rows: list[LinkRow]) -> None:
    """Write the rows as CSV that nobody else on this machine can read."""
    files.replace(path, "".join(f"{line}\n" for line in csv_lines(rows)), mode=0o600)


def _check_login(folder: CourseFolder) -> None:
    kind = login_kind(folder.settings, folder.environment)
    if kind != "native":
        raise AccountsError(f"Password links are only for accounts.login: native (here: {kind}).")


@contextmanager
def hub_database(folder: CourseFolder) -> Iterator[Any]:
    """A session of the hub's database, which is created if missing."""
    session = orm.new_session_factory(folder.hub_database_url)()
    try:
        yield session
    finally:
        session.close()
        session.get_bind().dispose()
