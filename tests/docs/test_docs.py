"""The commands in the pages of docs/ are run, one after the other, where the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.core.course_folder import CourseFolder
from hub.jupyterhub.spawners.environment import environment
from tests.e2e.embedded import RunningServer, served
from tests.e2e.hub_client import Person

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def commands(folder: str) -> list[str]:
    """The `$ ` lines of the blocks fenced as ```console PLACE, over all pages."""
    found = []
    for page in PAGES:
        blocks = re.findall(rf"```console {folder}\n(.*?)```", page.read_text("utf-8"), re.S)
        found += [line[2:] for block in blocks for line in block.splitlines() if line[:2] == "$ "]
    return found


def run(line: str, folder: Path, variables: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-ec", line],
        cwd=folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"} | variables,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_every_page_has_a_place_for_its_commands():
    for page in PAGES:
        for fence in re.findall(r"```console ?(\w*)", page.read_text("utf-8")):
            assert fence in {"admin", "course", "student", "deploy", "models"}, page.name


def test_every_link_to_a_file_leads_to_one():
    for page in PAGES:
        text = re.sub(r"`[^`\n]*`", "", page.read_text("utf-8"))  # examples of links are none
        for target in re.findall(r"\]\((?!http)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for page in PAGES:
        named = re.findall(r"(?:`|^ {4})make ([a-z-]+)", page.read_text("utf-8"), re.M)
        assert set(named) <= targets, page.name


@pytest.mark.long
def test_the_admins_commands_run(tmp_path):
    assert len(commands("admin")) >= 5
    for line in commands("admin"):
        run(line, tmp_path, {})
        run(line, tmp_path, {})  # each can be repeated


@pytest.mark.long
def test_the_instructors_commands_run(tmp_path):
    run("logitlab course new .", tmp_path, {})
    (tmp_path / "submitted").mkdir(exist_ok=True)
    assert len(commands("course")) >= 8
    for line in commands("course"):
        run(line, tmp_path, {})
    assert (tmp_path / "grades.csv").is_file()
    assert (tmp_path / "preview" / "06-induction-heads" / "induction-heads.ipynb").is_file()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("docs") / "course") as running:
        yield running


@pytest.mark.long
@pytest.mark.hub
@pytest.mark.timeout(600)
def test_the_students_commands_run_in_her_terminal(server: RunningServer):
    alice = Person(server.url, "alice", server.passwords["alice"])
    token = alice.token(scopes=["access:services!service=exchange", "read:users!user"])
    alice.close()
    folder = CourseFolder(server.course)
    home = folder.server / "homes" / "alice"
    home.mkdir(parents=True, exist_ok=True)
    variables = environment("alice", folder, f"{server.url}/services/exchange") | {
        "HOME": str(home),
        "JUPYTERHUB_USER": "alice",
        "JUPYTERHUB_API_TOKEN": token,
    }
    output = [run(line, home, variables) for line in commands("student")]
    assert len(output) >= 6
    receipt = next(text for text in output if "sha256" in text.lower())
    assert "start" in receipt
