"""``python -m hub.exchange``: the exchange as a Hub service."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click
from jupyterhub.services.auth import HubOAuth

from hub.exchange.due_dates import Dates
from hub.exchange.due_settings import differences, of_course
from hub.exchange.errors import InvalidName, Refusal
from hub.exchange.identity import IDENTITY_SECONDS
from hub.exchange.limits import ExchangeLimits
from hub.exchange.names import check_assignment, check_course
from hub.exchange.overview import FIRST, UTC, CourseInfo
from hub.exchange.records import parse_time
from hub.exchange.renamed import warning
from hub.exchange.service import application, server
from hub.exchange.store import Store
from hub.facts import env
from hub.facts import limits as defaults
from hub.facts.limits import MIB


def _courses(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> set[str]:
    try:
        return {check_course(value) for value in values}
    except InvalidName as error:
        raise click.BadParameter(str(error)) from None


def _due(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[tuple[str, str], datetime]:
    """``COURSE/ASSIGNMENT=TIME`` options by course and assignment."""
    due = {}
    for value in values:
        name, _, time = value.partition("=")
        course, _, assignment = name.partition("/")
        try:
            due[check_course(course), check_assignment(assignment)] = parse_time(time)
        except (InvalidName, ValueError) as error:
            raise click.BadParameter(f"{value!r}: {error}") from None
    return due


def _by_course(values: tuple[str, ...]) -> dict[str, str]:
    """``COURSE=VALUE`` options as a mapping."""
    found = {}
    for value in values:
        course, _, said = value.partition("=")
        try:
            found[check_course(course)] = said
        except InvalidName as error:
            raise click.BadParameter(f"{value!r}: {error}") from None
    return found


def _titles(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    return _by_course(values)


def _zones(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, ZoneInfo]:
    try:
        return {course: ZoneInfo(name) for course, name in _by_course(values).items()}
    except (ValueError, OSError, KeyError) as error:
        raise click.BadParameter(f"not an IANA time zone: {error}") from None


def _orders(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, list[str]]:
    return {course: said.split(",") for course, said in _by_course(values).items()}


@click.command()
@click.option(
    "--store",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for releases, submissions and feedback; created if missing.",
)
@click.option(
    "--database",
    help="SQLAlchemy URL of the exchange's own database.  [default: SQLite in --store]",
)
@click.option(
    "--course",
    "courses",
    multiple=True,
    required=True,
    callback=_courses,
    help="A course to serve; repeatable.",
)
@click.option(
    "--due",
    multiple=True,
    callback=_due,
    metavar="COURSE/ASSIGNMENT=TIME",
    help="Due date in course.yaml, e.g. mechinterp/start=2027-03-01T22:00:00Z; repeatable. Stored "
    "once if a version before this one released the assignment; else only compared.",
)
@click.option(
    "--title",
    "titles",
    multiple=True,
    callback=_titles,
    metavar="COURSE=TITLE",
    help="What people call a course; repeatable.  [default: its name]",
)
@click.option(
    "--timezone",
    "zones",
    multiple=True,
    callback=_zones,
    metavar="COURSE=ZONE",
    help="IANA time zone of a course, in which people read dates; repeatable.  [default: UTC]",
)
@click.option(
    "--order",
    "orders",
    multiple=True,
    callback=_orders,
    metavar="COURSE=ASSIGNMENT,…",
    help="Assignments that come first on a course's page; repeatable.  [default: start]",
)
@click.option("--submission-mib", default=defaults.SUBMISSION_MIB, show_default=True)
@click.option("--file-mib", default=defaults.SUBMISSION_FILE_MIB, show_default=True)
@click.option(
    "--files",
    default=defaults.SUBMISSION_FILES,
    show_default=True,
    help="Files in a submission.",
)
@click.option(
    "--quota-mib",
    default=defaults.SUBMISSIONS_MIB,
    show_default=True,
    help="All submissions of one student in one course.",
)
def main(
    folder: Path,
    database: str | None,
    courses: set[str],
    due: dict[tuple[str, str], datetime],
    titles: dict[str, str],
    zones: dict[str, ZoneInfo],
    orders: dict[str, list[str]],
    submission_mib: int,
    file_mib: int,
    files: int,
    quota_mib: int,
) -> None:
    """Serve the exchange. JupyterHub sets address, prefix and token in the environment."""
    missing = [name for name in (env.SERVICE_URL, env.HUB_TOKEN) if name not in os.environ]
    if missing:
        raise click.UsageError(f"{', '.join(missing)} not set: JupyterHub starts this service.")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    limits = ExchangeLimits(
        submission_bytes=submission_mib * MIB,
        file_bytes=file_mib * MIB,
        files=files,
        quota_bytes=quota_mib * MIB,
    )
    try:
        store = Store(folder, database=database, limits=limits)
    except Refusal as error:
        raise click.ClickException(error.shown) from error
    infos = {
        course: CourseInfo(
            titles.get(course, course), zones.get(course, UTC), orders.get(course, FIRST)
        )
        for course in courses
    }
    try:
        store.settle(courses, due)
        for report in _warnings(store, infos, due):
            logging.getLogger(__name__).warning("%s", report)
        asyncio.run(_serve(store, courses, infos))
    finally:
        store.close()


def _warnings(store: Store, infos: dict[str, CourseInfo], due: Dates) -> Iterator[str]:
    for course, info in sorted(infos.items()):
        if report := warning(course, infos, store.kept()):
            yield report
        stored = {date.assignment: date.due for date in store.due_dates(course)}
        yield from differences(of_course(due, course), stored, info.zone)


async def _serve(store: Store, courses: set[str], infos: dict[str, CourseInfo]) -> None:
    url = urlsplit(os.environ[env.SERVICE_URL])
    # A new cookie secret at each start only costs browsers a silent redirect through Hub login.
    hub_auth = HubOAuth(cache_max_age=IDENTITY_SECONDS)
    http = server(application(store, courses, hub_auth, secrets.token_bytes(32), infos))
    http.listen(url.port or 80, url.hostname or "127.0.0.1")
    logging.getLogger(__name__).info("serving %s for %s", url.geturl(), ", ".join(sorted(courses)))
    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    await stop.wait()
    http.stop()
    await http.close_all_connections()


if __name__ == "__main__":
    main(prog_name="python -m hub.exchange")
