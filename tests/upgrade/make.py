"""Makes the data of these tests with an old LogitLab; README.md says how to run it."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sqlalchemy import make_url

import tests
from tests.day.hub_client import Person, write_answers
from tests.postgres.server import Postgres

HERE = Path(__file__).resolve().parent
# The rest of `tests` is the old version's.
tests.__path__.append(str(HERE.parent))

from tests.upgrade.class_before import (  # noqa: E402
    COMMENT,
    COURSE,
    ENV,
    ESSAY,
    GRADER,
    KERNEL,
    MANUAL_SCORE,
    NOTEBOOK,
    PASSWORDS,
    SPACED,
    START,
    WARMUP,
    WITH_LINK,
    WITHOUT_LINK,
    formgrader,
    observed,
)

LOGITLAB = Path(sys.executable).parent / "logitlab"
PORT = "18765"  # as it stands in links
SETTINGS = """\
# Every spelling that is another one today stands here as it was.
course:
  id: {course}
  title: Circuits, the old way
  timezone: Europe/Berlin

people:
  admins: [root]
  instructors: [prof]
  students: [alice]

assignments:
  {kernel}:
    due: {due}
    tests: together

late:
  policy: percent_per_day
  percent_per_day: 10

exchange:
  quota_mib: 300

grading:
  tests: apart
  workers: 1

gpus:
  devices: none
  staff_places: 2

accounts:
  login: native
  lock_after: 5
"""
ROSTER = """\
username,first_name,last_name,email,lms_id
bob,Bob,Öztürk,bob@example.org,4711
carol,Carol,"de la Cruz",,
{with_link},Dana,Doe,{with_link},
{without}
"""
# What an admin may put into `jupyterhub.d/`, here for an exchange in PostgreSQL.
POSTGRESQL = """\
import os

c.JupyterHub.services[0]["command"].append(f"--database={os.environ['TEST_EXCHANGE_DATABASE']}")
"""
RIGHT = {
    "double": "def double(x):\n    return x + x",
    "square": "def square(x):\n    return x**2",
    ESSAY: "Because addition is fast.",
}
# Sees no more of the tests than a student does.
ONLY_VISIBLE = {**RIGHT, "double": "def double(x):\n    return 6"}


def source() -> Any:
    """The instructor's notebook: 5 points by tests, 4 by hand."""

    def marks(name: str, **marks: Any) -> dict[str, Any]:
        plain = {"grade": False, "solution": False, "locked": False, "task": False}
        return {"nbgrader": {"schema_version": 3, "grade_id": name, **plain, **marks}}

    def code(name: str, text: str, **given: Any) -> Any:
        return new_code_cell(text, metadata=marks(name, **given), id=name)

    def solution(name: str, line: str) -> Any:
        text = f"def {name}(x):\n    ### BEGIN SOLUTION\n    {line}\n    ### END SOLUTION"
        return code(name, text, solution=True)

    test = {"grade": True, "locked": True}
    hidden = "### BEGIN HIDDEN TESTS\nassert {}\n### END HIDDEN TESTS"
    essay = marks(ESSAY, grade=True, solution=True, points=4)
    cells = [
        new_markdown_cell("# Doubling", id="intro"),
        code("given", "SIZE = 3", locked=True),
        solution("double", "return 2 * x"),
        code("double_test", "assert double(SIZE) == 6", points=1, **test),
        code("double_hidden", hidden.format("double(4711) == 9422"), points=2, **test),
        solution("square", "return x * x"),
        code("square_test", "assert square(3) == 9", points=2, **test),
        new_markdown_cell("Doubling is addition.", metadata=essay, id=ESSAY),
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": spec})
    notebook.nbformat_minor = 5
    return notebook


class School:
    """One course of the old LogitLab at work; `databases`: what it is told of PostgreSQL."""

    def __init__(self, root: Path, databases: dict[str, str]) -> None:
        self.root = root
        self.environment = {**os.environ, **databases, "LOGITLAB_PORT": PORT}
        self.url = f"http://localhost:{PORT}"
        self.links: dict[str, str] = {}

    def logitlab(self, *arguments: object) -> None:
        command = [str(LOGITLAB), *map(str, arguments), f"--course={self.root}"]
        done = subprocess.run(
            command, check=True, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        for line in done.stdout.splitlines():
            self.note(line)

    def note(self, line: str) -> None:
        """Show a line of the old LogitLab's, and keep the password link that is in it."""
        print(line, flush=True)
        if found := re.match(r"\s+(\S+)\s+(http\S+/hub/set-password\S+)", line):
            self.links[found[1]] = found[2].removeprefix(self.url)

    def found(self, postgresql: bool) -> None:
        """The course folder, its people, and the student versions."""
        subprocess.run([str(LOGITLAB), "course", "new", str(self.root)], check=True)
        due = dt.datetime.now() - dt.timedelta(hours=30)
        text = SETTINGS.format(course=COURSE, kernel=KERNEL, due=f"{due:%Y-%m-%d %H:%M}")
        (self.root / "course.yaml").write_text(text)
        for name in (WARMUP, KERNEL, SPACED):
            (self.root / "source" / name).mkdir(parents=True)
            nbformat.write(source(), self.root / "source" / name / f"{NOTEBOOK}.ipynb")
        if postgresql:
            (self.root / "jupyterhub.d").mkdir()
            (self.root / "jupyterhub.d" / "postgresql.py").write_text(POSTGRESQL)
        self.roster(f"{WITHOUT_LINK},,,,")
        self.roster("")
        self.logitlab("course", "add", START)
        self.logitlab("release", WARMUP, KERNEL, SPACED, START)

    def roster(self, line: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as table:
            table.write(ROSTER.format(with_link=WITH_LINK, without=line))
            table.flush()
            self.logitlab("roster", "import", table.name, "--yes")

    @contextmanager
    def open(self) -> Iterator[None]:
        server = subprocess.Popen(
            [str(LOGITLAB), "serve", f"--course={self.root}"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout
            for line in server.stdout:
                self.note(line.rstrip())
                if line.startswith("Press Ctrl-C"):
                    break
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)

    def set_password(self, name: str) -> None:
        with httpx.Client(base_url=self.url, follow_redirects=True, timeout=60) as http:
            page = http.get(self.links.pop(name))
            data = {
                field: re.search(rf'name="{field}"\s+value="([^"]*)"', page.text)[1]  # type: ignore[index]
                for field in ("_xsrf", "key")
            } | {"password": PASSWORDS[name], "again": PASSWORDS[name]}
            address = f"{self.url}/hub/set-password"
            http.post(address, data=data, headers={"Referer": address}).raise_for_status()


def press(person: Person, button: str, assignment: str) -> None:
    """A button of a student's list of assignments."""
    body = {"course_id": COURSE, "assignment_id": assignment}
    answer = person.server("POST", f"/assignments/{button}", data=body).json()
    assert answer["success"], answer


def submit(student: Person, assignment: str, answers: dict[str, str]) -> None:
    path = f"{assignment}/{NOTEBOOK}.ipynb"
    notebook = student.read_notebook(path)
    write_answers(notebook, answers)
    student.write_notebook(path, notebook)
    press(student, "submit", assignment)


def order(instructor: Person, path: str, method: str = "POST", **json: Any) -> None:
    """A button of the formgrader."""
    given = {"json": json} if json else {}
    answer = instructor.server(method, f"/formgrader/api/{path}", owner=GRADER, **given)
    answer.raise_for_status()
    told = answer.json() if answer.content else {}
    assert told.get("success", True), told


def term(school: School) -> dict[str, Any]:
    """What happens in the course; returns what is to be seen of it afterwards."""
    for name in PASSWORDS:
        school.set_password(name)
    people = {name: Person(school.url, name, PASSWORDS[name]) for name in PASSWORDS}
    prof, alice, bob, carol = (people[name] for name in ("prof", "alice", "bob", "carol"))
    prof.start_server(GRADER)
    for name in (WARMUP, KERNEL, START):
        order(prof, f"assignment/{name}/release")
    for student in (alice, bob, carol):
        student.start_server()
        press(student, "fetch", WARMUP)
        press(student, "fetch", KERNEL)
    submit(alice, WARMUP, ONLY_VISIBLE)
    submit(alice, WARMUP, RIGHT)
    submit(alice, KERNEL, ONLY_VISIBLE)
    time.sleep(2)
    now = dt.datetime.now(dt.UTC)
    due = {"duedate_notimezone": f"{now:%Y-%m-%dT%H:%M:%S}", "duedate_timezone": "+0000"}
    order(prof, f"assignment/{WARMUP}", "PUT", **due)
    time.sleep(2)
    submit(bob, WARMUP, ONLY_VISIBLE)
    for assignment, students in ((WARMUP, ("alice", "bob")), (KERNEL, ("alice",))):
        order(prof, f"assignment/{assignment}/collect")
        for student in students:
            order(prof, f"submission/{assignment}/{student}/autograde")
    (notebook,) = (
        one["id"]
        for one in formgrader(prof, f"submitted_notebooks/{WARMUP}/{NOTEBOOK}")
        if one["student"] == "alice"
    )
    for kind, given in (
        ("grade", {"manual_score": MANUAL_SCORE, "extra_credit": 0.5}),
        ("comment", {"manual_comment": COMMENT}),
    ):
        for one in formgrader(prof, f"{kind}s?submission_id={notebook}"):
            if one["name"] == ESSAY:
                order(prof, f"{kind}/{one['id']}", "PUT", **given)
    order(prof, f"assignment/{WARMUP}/generate_feedback")
    order(prof, f"assignment/{WARMUP}/release_feedback")
    press(alice, "fetch_feedback", WARMUP)
    submit(carol, WARMUP, RIGHT)  # nobody has collected it
    seen = observed(people)
    seen["token"] = alice.token(note="of a script of alice's")
    seen["link"] = school.links[WITH_LINK]
    for person in people.values():
        person.close()
    return seen


def grades(school: School) -> list[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        school.logitlab("export", Path(folder, "grades.csv"))
        text = Path(folder, "grades.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def keep_folder(root: Path, target: Path) -> None:
    """The course folder, without what a start makes anew and without SQLite's files."""
    made_anew = (
        r"server/(config|log)|.*\.sqlite.*|gradebook\.db|.*/(\.ipynb_checkpoints|__pycache__)"
    )
    of_people = r"server/homes/[^/]+/(\.cache|\.config|\.ipython|\.local|\.jupyter|jupyter)"
    of_a_run = r"server/(cookie_secret|proxy\.pid|serve\.lock)|server/homes/[^/]+/\.bash_history"

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        path = entry.name.removeprefix("course/")
        if any(re.fullmatch(left_out, path) for left_out in (made_anew, of_people, of_a_run)):
            return None
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(target, "w:xz", preset=9) as archive:
        archive.add(root, "course", filter=plain)


def dump_sqlite(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        yield from connection.iterdump()


def dump_postgresql(server: Postgres, url: str) -> Iterator[str]:
    """The whole of a database as SQL, without psql's own commands and pg_dump's remarks."""
    postgresql = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    dump = subprocess.run(
        [
            *(postgresql / "pg_dump", "--host", server.folder, "--username", "logitlab"),
            *("--no-owner", "--no-privileges", "--inserts", str(make_url(url).database)),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    yield from (line for line in dump.splitlines() if line and not line.startswith(("--", "\\")))


def make(target: Path, server: Postgres | None) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    variables = {
        "jupyterhub": "LOGITLAB_HUB_DATABASE",
        "gradebook": "LOGITLAB_GRADEBOOK",
        "exchange": "TEST_EXCHANGE_DATABASE",
    }
    urls = {name: server.new_database() for name in variables} if server else {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "course"
        school = School(root, {variables[name]: url for name, url in urls.items()})
        school.found(postgresql=bool(server))
        with school.open():
            seen = term(school)
        seen["grades"] = grades(school)
        text = json.dumps(seen, indent=1, ensure_ascii=False, sort_keys=True)
        (target / "seen.json").write_text(text + "\n", encoding="utf-8")
        keep_folder(root, target / "course.tar.xz")
        files = {
            "jupyterhub": root / "server" / "jupyterhub.sqlite",
            "gradebook": root / "gradebook.db",
            "exchange": root / "server" / "exchange" / "exchange.sqlite",
        }
        for name, path in files.items():
            dump = dump_postgresql(server, urls[name]) if server else dump_sqlite(path)
            text = "\n".join(dump) + "\n"
            # The hub keeps the commands of its services, with paths of whoever makes this.
            paths = {sys.prefix: "/opt/logitlab", str(root): "/srv/course"}
            if server:
                paths[str(server.folder)] = "/run/postgresql"
            for here, elsewhere in paths.items():
                text = text.replace(here, elsewhere)
            (target / f"{name}.sql").write_text(text, encoding="utf-8")


def containers(target: Path) -> None:
    """What 2d81227 makes of an admin's files, and of people, where it runs in containers."""
    from hub.configure.deployment import Deployment
    from hub.deploy.variables import Host, variables
    from hub.settings import Settings
    from hub.spawning.options import options

    backup, folder = (import_module(f"hub.deploy.{name}") for name in ("backup", "folder"))
    docker = folder.CHECKOUT / "docker"
    for name in ("compose.yaml", "env.example"):
        shutil.copyfile(docker / name, target / name)
    host = Host(999, "digest", "GPU-1", 8192)
    examples = {"as it comes": folder.read_env(docker / "env.example"), "changed": ENV}
    settings = Settings.model_validate({"course": {"id": COURSE}})
    made = {
        f"{user} as {part}": dataclasses.asdict(
            options(user, part, 20000, settings, Deployment("lab", "1", "http://localhost:8000"))
        )
        for user, part in (
            ("alice", "student"),
            (WITH_LINK, "student"),
            ("prof", "instructor"),
            (GRADER, "grader"),
        )
    }
    told = {
        "variables": {
            name: variables(given, host, Path("/srv/deployment"))
            for name, given in examples.items()
        },
        "containers": made,
        "secrets": sorted(folder.SECRETS),
        "in a backup": [*backup.DATABASES, *backup.VOLUMES],
        "format of a backup": backup.FORMAT,
    }
    text = json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True)
    (target / "containers.json").write_text(text + "\n", encoding="utf-8")


def main(commit: str) -> None:
    (HERE / "data" / commit).mkdir(parents=True, exist_ok=True)
    containers(HERE / "data" / commit)
    make(HERE / "data" / commit / "sqlite", None)
    server = Postgres()
    try:
        make(HERE / "data" / commit / "postgresql", server)
    finally:
        server.remove()


if __name__ == "__main__":
    main(sys.argv[1])
