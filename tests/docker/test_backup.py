"""A backup made while students submit gives the same course on a machine that has nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docker import coursework
from tests.docker.coursework import Receipt, receipts_in_exchange, receipts_in_home
from tests.docker.stage import CHECKOUT, Deployed, deployed, docker, remove
from tests.docker.survival import Class, Submitting, gather, start_again
from tests.e2e.hub_client import Person

PROJECT = "lltsurvb"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments"),
]

HOME_FILES = (
    "mkdir -p 'a b/c' && echo mine > 'a b/c/ümlaut.txt' && chmod 600 'a b/c/ümlaut.txt' && "
    "ln -sf 'a b' link && echo '#!/bin/sh' > run.sh && chmod 755 run.sh"
)
# What alice's files are: kind, mode, owner, name, and their content. Not what she submits, which
# changes while the backup is made.
LISTED = (
    "cd ~ && find 'a b' link run.sh small/small.ipynb -printf '%y %m %U:%G %p %l\\n' | sort && "
    "find 'a b' run.sh small/small.ipynb -type f -print0 | sort -z | xargs -0 sha256sum"
)
DAMAGED = "volume-exchange.tar.gz"


@dataclass
class Before:
    """A course with work in it, its backup, and what a course made of it has to be like."""

    made: Deployed
    backup: Path
    acknowledged: set[Receipt] = field(default_factory=set)
    files: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    roster: str = ""


def facts(made: Deployed, instructor: Person) -> tuple[str, dict[str, float], str]:
    """Alice's files, the scores, and the roster. Servers of alice and of the grader run."""
    files = made.exec(made.server_of("alice"), "sh", "-c", LISTED)
    roster = made.exec(made.server_of(coursework.GRADER), "logitlab", "roster", "list")
    return files, coursework.scores(instructor), roster


def add_carol(made: Deployed) -> None:
    """A student who is in no settings file, only in the roster."""
    table = made.folder / "students.csv"
    table.write_text('username,first_name,last_name\ncarol,"Carol, C.",Ö\n', encoding="utf-8")
    made.deploy("roster", str(table), "--yes")


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Iterator[Class]:
    folder = tmp_path_factory.mktemp("before")
    with deployed(folder, PROJECT) as made:
        gathered = gather(made)
        coursework.autograde(made)
        add_carol(made)
        made.exec(made.server_of("alice"), "sh", "-c", f"cd ~ && {HOME_FILES}")
        yield gathered
        gathered.close()


@pytest.fixture(scope="module")
def before(course, tmp_path_factory) -> Before:
    """The backup is made while alice submits, with submissions on both sides of it."""
    made, backups = course.made, tmp_path_factory.mktemp("backups")
    with Submitting(course) as submitting:
        submitting.wait_for_one_more()
        acknowledged = receipts_in_home(made, "alice")
        made.deploy("backup", "--to", str(backups))
        submitting.wait_for_one_more()
    (backup,) = backups.iterdir()
    assert len(receipts_in_home(made, "alice")) > len(acknowledged) > 0
    return Before(made, backup, acknowledged, *facts(made, course.instructor))


def begun_backup(made: Deployed, target: Path) -> subprocess.Popen[str]:
    """A backup whose databases are written and whose volumes are not."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hub.host.deploy", "backup", "--to", str(target)],
        cwd=CHECKOUT,
        env=made.environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("database gradebook"):
            return process
    raise RuntimeError("the backup ended before it wrote the gradebook")


@pytest.mark.row
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name
)
def test_a_backup_that_is_cut_off_leaves_nothing_that_looks_whole(course, tmp_path, how):
    process = begun_backup(course.made, tmp_path)
    os.killpg(process.pid, how)
    process.communicate(timeout=60)
    assert process.returncode
    assert all(path.suffix == ".partial" for path in tmp_path.iterdir())
    for path in tmp_path.iterdir():
        assert "is not a backup" in restore(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def restore(backup: Path, folder: Path) -> str:
    """Try to restore into `folder`; what was said. The refusals exit with 1."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.host.deploy", "restore", str(backup)],
        cwd=CHECKOUT,
        env=os.environ | {"LOGITLAB_DEPLOYMENT": str(folder)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    output = done.stdout + done.stderr
    assert done.returncode == (0 if "restored; " in output else 1), output
    return output


def volumes() -> set[str]:
    return {name for name in docker("volume", "ls", "-q").split() if name.startswith(f"{PROJECT}_")}


def test_a_running_deployment_is_not_written_over(before, tmp_path):
    listed = volumes()
    assert f"{PROJECT} already exists" in restore(before.backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert "already holds a deployment" in restore(before.backup, before.made.folder)
    assert volumes() == listed


def test_a_damaged_backup_is_refused_and_nothing_changes(before, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(before.backup, copy)
    damaged = copy / DAMAGED
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    listed = volumes()
    assert f"{DAMAGED} is missing or damaged" in restore(copy, tmp_path / "new")
    damaged.unlink()
    assert f"{DAMAGED} is missing or damaged" in restore(copy, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert volumes() == listed


def test_only_its_owner_can_read_a_backup(before):
    assert before.backup.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in before.backup.iterdir()} == {0o600}
    manifest = json.loads((before.backup / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["sha256"]) == {p.name for p in before.backup.iterdir()} - {"manifest.json"}


@pytest.fixture(scope="module")
def after(before, tmp_path_factory) -> Iterator[Deployed]:
    """The course of the backup, where nothing was left of the one before."""
    remove(before.made)
    assert not volumes()
    folder = tmp_path_factory.mktemp("after") / "deployment"
    restore(before.backup, folder)
    made = Deployed(folder, PROJECT, before.made.url, before.made.passwords)
    try:
        made.deploy("up")
        yield made
    finally:
        remove(made)


def test_everything_acknowledged_before_the_backup_is_in_the_course_made_of_it(before, after):
    alice = Person(after.url, "alice", after.passwords["alice"])
    instructor = Person(after.url, "instructor", after.passwords["instructor"])
    start_again(alice)
    instructor.start_server(coursework.GRADER)
    exchange = receipts_in_exchange(alice, alice.token(expires_in=600))
    assert before.acknowledged <= exchange
    assert before.acknowledged <= receipts_in_home(after, "alice")
    files, scores, roster = facts(after, instructor)
    assert files == before.files
    assert scores == before.scores == coursework.SCORES
    assert roster == before.roster
    assert "carol" in roster
    alice.close()
    instructor.close()


def test_passwords_are_the_same_and_work_goes_on(before, after):
    with pytest.raises(PermissionError):
        Person(after.url, "bob", "another password than before")
    bob = Person(after.url, "bob", after.passwords["bob"])
    start_again(bob)
    coursework.answer(bob, coursework.HALF)
    coursework.submit(bob)
    instructor = Person(after.url, "instructor", after.passwords["instructor"])
    instructor.start_server(coursework.GRADER)
    coursework.collect(instructor)
    output = coursework.autograde(after)
    assert re.search(r"bob: 1/3", output), output
    bob.close()
    instructor.close()
