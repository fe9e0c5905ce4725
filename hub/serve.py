"""`logitlab serve`: start the embedded course server, up to a login page, and stop it again."""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.gradebook import GRADEBOOK
from hub.core.roster.merge import everybody
from hub.core.settings import old_spellings
from hub.exchange.due_settings import differences, settled
from hub.exchange.errors import Refusal
from hub.exchange.hand_out import of_settings
from hub.exchange.renamed import warning
from hub.exchange.store import Store
from hub.facts import env
from hub.facts.errors import UserError
from hub.grading.sandbox.landlock import describe, landlock_version
from hub.host.install.state import notebook_progress, notebook_ready
from hub.jupyterhub.configuration.jupyterhub import Ports
from hub.jupyterhub.tables import HUB
from hub.people.accounts.demo import demo_accounts
from hub.people.accounts.issue import missing_links, table
from hub.people.accounts.login import address_file, login_kind
from hub.people.accounts.rules import highest_role
from hub.people.enrolment import enrol
from hub.people.rights import reconcile
from hub.singleuser import confined

CONFIG = Path(__file__).parent / "jupyterhub" / "configuration" / "jupyterhub_config.py"
START_SECONDS = 120
STOP_SECONDS = 20
PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG = 1
WAY_BACK = (
    "Go back to the LogitLab version that ran here, and put the pre-upgrade copy of the database, "
    "if one was made, in place of the database; see docs/upgrading.md."
)


class ServeError(UserError):
    """The server cannot start or did not stay up; the message says what to do."""


def serve(folder: CourseFolder) -> Iterator[str]:
    """Run the course server until it is interrupted. Yields lines for the terminal.

    Raises UserError if another server runs on this course, a database cannot be used, the port is
    taken, or the hub exits on its own.
    """
    with _only_one(folder):
        yield from HUB.upgrade(folder.hub_database_url, WAY_BACK)
        for course in courses_of(folder):
            yield from GRADEBOOK.upgrade(course.gradebook_url, WAY_BACK)
            yield from old_spellings(course.settings_file)
        yield from reconcile(folder)
        for course in courses_of(folder):
            yield from enrol(course)
        yield from _upgrade_exchange(folder)
        ports = _ports(folder)
        address_file(folder).write_text(f"http://localhost:{ports.public}\n", encoding="utf-8")
        ways_in = list(_ways_in(folder))
        _adopt_orphans()
        hub = _start_hub(folder, ports)
        installer = None
        try:
            _wait_for_login_page(hub, folder, ports)
            yield from _welcome(folder, ports, ways_in)
            if not notebook_ready(Path(sys.prefix)):
                installer = _start_installer(folder)
                yield from _follow_installation(hub, installer)
            yield "Press Ctrl-C to stop."
            hub.wait()
            raise ServeError(f"The hub exited unexpectedly.\n{_last_lines(folder)}")
        finally:
            _stop_everything(hub, installer)


@contextmanager
def _only_one(folder: CourseFolder) -> Iterator[IO[str]]:
    with (folder.server / "serve.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServeError(
                f"A server is already running on {folder.root}.",
                "Stop it first (Ctrl-C in its terminal).",
            ) from None
        yield lock


def _upgrade_exchange(folder: CourseFolder) -> Iterator[str]:
    """Upgrade the exchange's database before anybody logs in, and look for the courses in it."""
    try:
        store = Store(folder.exchange)
    except Refusal as error:
        raise ServeError(error.message, error.fix) from error
    if store.upgraded:
        yield store.upgraded
    courses = {each.settings.course.id: each.settings for each in courses_of(folder)}
    try:
        changed = store.settle(courses, of_settings(*courses_of(folder)))
        kept = store.kept()
        dates = {course: store.due_dates(course) for course in courses}
    finally:
        store.close()
    for course, settings in sorted(courses.items()):
        zone = settings.course.zone
        if report := warning(course, courses, kept):
            yield f"warning: {report}"
        yield from settled((one for one in changed if one.course == course), zone)
        stored = {date.assignment: date.due for date in dates[course]}
        for report in differences(settings.due_dates, stored, zone):
            yield f"warning: {report}"


def _ports(folder: CourseFolder) -> Ports:
    public = folder.environment.port or folder.settings.server.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", public))
        except OSError as error:
            raise ServeError(
                f"Port {public} cannot be used ({error.strerror}).",
                f"Choose another: `make serve PORT={public + 1}`, or server.port in "
                f"{folder.settings_file}.",
            ) from error
    return Ports(public, *(free_port() for _ in range(3)))


def free_port() -> int:
    """A free port on localhost.

    It is bound only later, so it lies outside the ephemeral range, which systems give to outgoing
    connections (from 32768 on, ip(7)), and is random, so that two servers rarely pick the same.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_768), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServeError("No port between 20000 and 32767 is free on localhost.")


def _adopt_orphans() -> None:
    """Make orphans of the hub children of this process, so that they are stopped with it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _start_hub(folder: CourseFolder, ports: Ports) -> subprocess.Popen[bytes]:
    log = folder.server / "log"
    log.mkdir(exist_ok=True)
    environment = os.environ | {
        env.COURSE: str(folder.root),
        env.PORTS: f"{ports.public},{ports.hub},{ports.proxy_api},{ports.exchange}",
    }
    libc = ctypes.CDLL(None)

    def die_with_parent() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    with (log / "hub.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
            cwd=folder.server,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


def _wait_for_login_page(hub: subprocess.Popen[bytes], folder: CourseFolder, ports: Ports) -> None:
    url = f"http://127.0.0.1:{ports.public}/hub/login"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if hub.poll() is not None:
            raise ServeError(f"The hub did not start.\n{_last_lines(folder)}")
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise ServeError(
        f"The login page did not come up within {START_SECONDS} seconds.\n{_last_lines(folder)}"
    )


def _last_lines(folder: CourseFolder, count: int = 15) -> str:
    path = folder.server / "log" / "hub.log"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    return "\n".join([f"The end of {path}:", *(f"    {line}" for line in lines)])


def _ways_in(folder: CourseFolder) -> Iterator[str]:
    """How each person logs in, for the terminal."""
    settings = folder.settings
    kind = login_kind(settings, folder.environment)
    if kind == "demo":
        courses = [course.settings for course in courses_of(folder)]
        names = everybody(*courses)
        passwords = demo_accounts(names, folder.server / "accounts.json")
        for name in names:
            yield f"    {name:<14} {passwords[name]:<14} {highest_role(courses, name)}"
    elif kind == "native":
        rows = missing_links(folder)
        if rows:
            yield (
                "  One-time links for people without a password; send each link only to its owner:"
            )
            yield from table(rows)
        yield (
            "  More links: the People page, or `logitlab roster links` with --missing or --new NAME"
        )
    elif settings.accounts.oauth:
        yield f"  People log in with their accounts at {settings.accounts.oauth.service}."


def _welcome(folder: CourseFolder, ports: Ports, ways_in: list[str]) -> Iterator[str]:
    yield ""
    yield f"  {folder.settings.course.title} is at   http://localhost:{ports.public}"
    yield ""
    yield from ways_in
    yield ""
    yield f"  Course folder: {folder.root}"
    yield "  All servers share your account, without limits: only for people who trust each other."
    yield f"  {confined.describe(landlock_version(), confined.namespaces_work())}"
    yield f"  {describe(landlock_version())}"
    yield "  docs/admin.md, What is promised, lists what is protected here, and what is not."
    yield ""


def _start_installer(folder: CourseFolder) -> subprocess.Popen[bytes]:
    with (folder.server / "log" / "install.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "hub.host.install", "notebook", f"--venv={sys.prefix}"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _follow_installation(
    hub: subprocess.Popen[bytes], installer: subprocess.Popen[bytes]
) -> Iterator[str]:
    yield "You can log in now, while the notebook libraries are being installed:"
    last = ""
    while installer.poll() is None and hub.poll() is None:
        line = notebook_progress(Path(sys.prefix))
        if line != last:
            yield f"  {line}"
        last = line
        time.sleep(0.5)
    if installer.poll():
        reason = notebook_progress(Path(sys.prefix))
        yield f"The notebook libraries could not be installed: {reason}"
        yield (
            "Servers cannot start until this is fixed. Then press Ctrl-C and run `make serve` "
            "again."
        )
    elif notebook_ready(Path(sys.prefix)):
        yield "The notebook libraries are installed: servers can start."


def _stop_everything(*started: subprocess.Popen[bytes] | None) -> None:
    """Ask each process to stop, then kill whatever is left, descendants included."""
    for process in started:
        if process and process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in started:
        if process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
    left = psutil.Process().children(recursive=True)
    for child in left:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    _, alive = psutil.wait_procs(left, timeout=3)
    for child in alive:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(alive, timeout=3)
