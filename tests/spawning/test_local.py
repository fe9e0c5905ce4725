"""Local servers: where they run, with what environment and arguments, and what a person reads."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from jupyterhub.objects import Hub
from jupyterhub.spawner import LocalProcessSpawner

from hub.core.course_folder import CourseFolder
from hub.jupyterhub.spawners import local
from hub.jupyterhub.spawners.local import LocalSpawner
from tests.spawning.people import course, no_sleep, user


@pytest.fixture
def folder(tmp_path):
    return course(tmp_path)


def spawner(folder, name="alice", **traits):
    return LocalSpawner(
        user=user(name),
        hub=Hub(),
        course=CourseFolder(folder),
        exchange_url="http://localhost/x",
        **traits,
    )


def test_a_student_works_in_a_home_of_their_own(folder):
    one = spawner(folder)
    home = folder / "server" / "homes" / "alice"
    env = one.user_env({"LANG": "C"})
    assert env["HOME"] == str(home) and env["USER"] == "alice" and env["LANG"] == "C"
    assert env["LOGITLAB_EXCHANGE_URL"] == "http://localhost/x"
    assert "LOGITLAB_COURSE" not in env
    assert f"--ServerApp.root_dir={home}" in one.get_args()
    assert one.default_url == "/lab"


def test_the_grader_works_in_the_course_folder_and_keeps_its_dot_files_elsewhere(folder):
    one = spawner(folder, "grader-mech")
    env = one.user_env({})
    assert f"--ServerApp.root_dir={folder}" in one.get_args()
    assert env["HOME"] == str(folder / "server" / "homes" / "grader-mech")
    assert env["LOGITLAB_COURSE"] == str(folder)
    assert one.default_url == "/formgrader"


def test_only_the_graders_token_reaches_the_course(folder):
    of = {name: spawner(folder, name).server_token_scopes for name in ("alice", "grader-mech")}
    assert not any("groups" in scope or "list:" in scope for scope in of["alice"])
    assert any("nbgrader-mech" in scope for scope in of["grader-mech"])


def test_the_hubs_own_environment_does_not_reach_a_server(folder, monkeypatch):
    monkeypatch.setenv("LOGITLAB_SECRET", "hunter2")
    monkeypatch.setenv("TZ", "Europe/Vienna")
    env = spawner(folder).get_env()
    assert "LOGITLAB_SECRET" not in env and env["TZ"] == "Europe/Vienna"


@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (1000, False)])
def test_root_is_allowed_only_where_the_hub_is_root(folder, monkeypatch, uid, allowed):
    monkeypatch.setattr(local.os, "geteuid", lambda: uid)
    assert ("--ServerApp.allow_root=True" in spawner(folder).get_args()) == allowed


def test_the_server_is_the_one_of_this_environment_and_a_students_is_confined(folder):
    server = str(Path(sys.executable).parent / "jupyterhub-singleuser")
    assert spawner(folder, "grader-mech").cmd == [server]
    python, isolated, *confined = spawner(folder).cmd
    assert (python, isolated) == (sys.executable, "-I") and confined[-2:] == ["--", server]
    assert f"--home={folder / 'server' / 'homes' / 'alice'}" in confined
    assert f"--read={folder / 'server' / 'config' / 'student'}" in confined


def test_a_process_begins_in_its_home(folder, monkeypatch):
    entered: list[Path] = []
    monkeypatch.setattr(local.os, "chdir", entered.append)
    spawner(folder).make_preexec_fn("alice")()
    assert entered == [folder / "server" / "homes" / "alice"]


def started(one: LocalSpawner, monkeypatch) -> None:
    async def nothing(self):
        return "127.0.0.1", 1

    monkeypatch.setattr(LocalProcessSpawner, "start", nothing)
    asyncio.run(asyncio.wait_for(one.start(), 20))


def test_a_home_is_made_at_the_start_and_closed_to_others(folder, monkeypatch):
    started(spawner(folder), monkeypatch)
    for name in ("homes", "tmp"):
        assert os.stat(folder / "server" / name / "alice").st_mode & 0o777 == 0o700


def test_temporary_files_are_gone_at_the_next_start_and_what_they_link_to_is_not(
    folder, monkeypatch
):
    started(spawner(folder), monkeypatch)
    tmp, kept = folder / "server" / "tmp" / "alice", folder / "server" / "homes" / "alice" / "kept"
    kept.write_text("kept")
    (tmp / "left").write_text("left")
    (tmp / "link").symlink_to(kept.parent)
    started(spawner(folder), monkeypatch)
    assert list(tmp.iterdir()) == [] and kept.read_text() == "kept"


def test_the_graders_dot_files_have_a_folder_too(folder, monkeypatch):
    started(spawner(folder, "grader-mech"), monkeypatch)
    assert (folder / "server" / "homes" / "grader-mech").is_dir()


def test_a_start_waits_for_the_notebook_libraries_and_says_what_is_installed(folder, monkeypatch):
    looks, lines = iter([False, False, False, True]), iter(["torch", "torch", "jupyterlab"])
    monkeypatch.setattr(local, "notebook_ready", lambda prefix: next(looks))
    monkeypatch.setattr(local, "notebook_progress", lambda prefix: next(lines))
    monkeypatch.setattr(local.asyncio, "sleep", no_sleep)
    one = spawner(folder, libraries_are_coming=True)

    async def page():
        return [event async for event in one.progress()]

    report = asyncio.run(page())
    assert [event["message"] for event in report] == [
        "Installing the notebook libraries: torch",
        "Installing the notebook libraries: jupyterlab",
        "Starting your JupyterLab",
    ]
    assert [event["progress"] for event in report] == [10, 10, 50]


def test_no_server_starts_before_the_libraries_are_there(folder, monkeypatch):
    seen = []
    looks = iter([False, True])

    def ready(prefix):
        seen.append(next(looks))
        return seen[-1]

    monkeypatch.setattr(local, "notebook_ready", ready)
    monkeypatch.setattr(local.asyncio, "sleep", no_sleep)
    started(spawner(folder, libraries_are_coming=True), monkeypatch)
    assert seen == [False, True]
