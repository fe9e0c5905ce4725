"""Releasing an assignment to students without a browser.

Where an exchange runs this asks it, as the Release button does: in the formgrader's server with
that server's token, beside the embedded server with one of its own. Where none runs, it opens the
store in this process.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from hub.core.course_folder import CourseFolder
from hub.core.gradebook import open_gradebook
from hub.exchange import archive
from hub.exchange.access import Caller
from hub.exchange.client.transport import HttpTransport, InProcessTransport, Transport
from hub.exchange.due_dates import Dates
from hub.exchange.due_settings import differences, settled
from hub.exchange.errors import Refusal
from hub.exchange.gradebook_dates import copy_to, due_in_gradebook, has_gradebook
from hub.exchange.limits import ExchangeLimits
from hub.exchange.records import parse_time
from hub.exchange.store import Store
from hub.facts.errors import UserError
from hub.facts.limits import MIB
from hub.facts.names import assignment_name_fault


class HandOutError(UserError):
    """The assignment cannot be released now; the message says what to do."""


def is_running(folder: CourseFolder) -> bool:
    """Whether a server runs on this course: if so, it holds the lock that `serve` takes."""
    try:
        with (folder.server / "serve.lock").open("r+", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def hand_out(folder: CourseFolder, names: list[str]) -> Iterator[str]:
    """Let students fetch `release/<name>` of each name, replacing what they could fetch before.

    Raises HandOutError if a release does not exist or the exchange cannot be reached.
    """
    with exchange_of(folder, lambda: _check_releases(folder, names)) as (transport, remarks):
        yield from remarks
        yield from _release_all(transport, folder, names)


def hand_out_in_process(folder: CourseFolder, names: list[str]) -> Iterator[str]:
    """Let students fetch `release/<name>` of each name, replacing what they could fetch before.

    Raises HandOutError if the course's server is running, a release is missing or refused, or the
    exchange's database cannot be used.
    """
    with _in_process(folder, lambda: _check_releases(folder, names)) as (transport, remarks):
        yield from remarks
        yield from _release_all(transport, folder, names)


@contextmanager
def exchange_of(
    folder: CourseFolder, check: Callable[[], None] = lambda: None
) -> Iterator[tuple[Transport, list[str]]]:
    """The exchange as the course's grader, and what there is to say about it.

    check: what must hold before the exchange's database is opened, and changed if it is old.

    Raises HandOutError if it cannot be reached.
    """
    url, token = folder.environment.exchange_url, folder.environment.hub_token
    if url and token:
        check()
        yield HttpTransport(url, token), []
    elif is_running(folder):
        # Not at the top: servers of students have this module's package, and not the hub's people.
        from hub.people.accounts.login import address_file
        from hub.people.grader_token import grader_token
        from hub.people.roles import EXCHANGE

        check()
        with grader_token(folder, "logitlab, on the command line") as token:
            hub = address_file(folder).read_text(encoding="utf-8").strip()
            yield HttpTransport(f"{hub}/services/{EXCHANGE}", token), []
    else:
        with _in_process(folder, check) as found:
            yield found


@contextmanager
def _in_process(
    folder: CourseFolder, check: Callable[[], None]
) -> Iterator[tuple[Transport, list[str]]]:
    if is_running(folder):
        raise HandOutError(
            "The course's server is running.",
            "Stop it first, or do this in the formgrader.",
        )
    check()
    course = folder.settings.course
    grader = Caller(course.grader, frozenset({course.instructor_group}))
    try:
        store = Store(folder.exchange, limits=exchange_limits(folder))
    except Refusal as error:
        raise HandOutError(error.message, error.fix) from error
    try:
        remarks = [store.upgraded] if store.upgraded else []
        changed = store.settle({course.id}, of_settings(folder))
        remarks += settled(changed, course.zone)
        yield InProcessTransport(store, grader, {course.id}), remarks
    finally:
        store.close()


def _check_releases(folder: CourseFolder, names: list[str]) -> None:
    for name in names:
        if fault := assignment_name_fault(name):
            raise HandOutError(*fault)
        if not (folder.release / name).is_dir():
            raise HandOutError(
                f"{folder.release / name} does not exist.", f"Run `logitlab generate {name}`."
            )


def of_settings(*folders: CourseFolder) -> Dates:
    """The due dates in the settings of courses."""
    return {
        (folder.settings.course.id, name): due
        for folder in folders
        for name, due in folder.settings.due_dates.items()
    }


def exchange_limits(folder: CourseFolder) -> ExchangeLimits:
    """The exchange's limits in bytes, from the course's settings in MiB."""
    limits = folder.settings.exchange
    return ExchangeLimits(
        submission_bytes=limits.submission_mib * MIB,
        file_bytes=limits.file_mib * MIB,
        files=limits.files,
        quota_bytes=limits.quota_mib * MIB,
    )


def _release_all(exchange: Transport, folder: CourseFolder, names: list[str]) -> Iterator[str]:
    for name in names:
        try:
            yield from _release(exchange, folder, name, exchange_limits(folder))
        except Refusal as error:
            raise HandOutError(f"{name}: {error.message}", error.fix) from error


def _release(
    exchange: Transport, folder: CourseFolder, name: str, limits: ExchangeLimits
) -> Iterator[str]:
    due = folder.settings.due_utc(name)
    first = due or _in_gradebook(folder, name)
    files = archive.files_in(folder.release / name, lambda path, entry: False)
    with tempfile.TemporaryFile() as packed:
        archive.pack(files, packed, limits)
        packed.seek(0)
        release = exchange.release(
            folder.settings.course.id,
            name,
            packed,
            due=first.isoformat() if first else None,
            force=True,
        )
    yield f"{name}: released to students"
    if has_gradebook(folder):
        course = folder.settings.course.id
        yield from copy_to(folder, exchange.due_dates(course), exchange.extensions(course))
    stored = release["due"] and parse_time(release["due"])
    if due:
        yield from differences({name: due}, {name: stored}, folder.settings.course.zone)


def _in_gradebook(folder: CourseFolder, name: str) -> datetime | None:
    if not has_gradebook(folder):
        return None
    with open_gradebook(folder.gradebook_url, folder.settings.course.id) as gradebook:
        return due_in_gradebook(gradebook, name)
