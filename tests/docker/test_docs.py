"""The commands of docs/deploy.md, run as an admin would, on a machine that has the images."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docker.stage import Deployed, course_yaml, remove
from tests.docs.test_docs import commands
from tests.needs import TAG

ROOT = Path(__file__).parents[2]
PROJECT = "lltdocs"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments"),
]


@pytest.fixture
def folder(tmp_path, students_subnet):
    settings = {
        "LOGITLAB_PROJECT": PROJECT,
        "LOGITLAB_TAG": TAG,
        "HTTP_PORT": "8765",
        "STUDENTS_SUBNET": students_subnet,
        "BASE_IMAGE": "logitlab/base:bookworm",
    }
    lines = [f"{name}={value}" for name, value in settings.items()]
    (tmp_path / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "course.yaml").write_text(course_yaml(), encoding="utf-8")
    yield tmp_path
    remove(Deployed(tmp_path, PROJECT, ""))


def test_the_commands_from_an_empty_machine_to_a_backup_run(folder):
    students = folder / "students.csv"
    students.write_text("username,first_name,last_name\nzoe,Zoé,Müller\n", encoding="utf-8")
    output = {}
    assert len(commands("deploy")) >= 6
    for line in commands("deploy"):
        done = subprocess.run(
            ["bash", "-ec", line.replace("students.csv", str(students))],
            cwd=ROOT,
            env=os.environ | {"LOGITLAB_DEPLOYMENT": str(folder)},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
        output[line.split()[1]] = done.stdout
    assert "http://localhost:8765" in output["up"]
    assert "zoe" in output["roster"]
    assert any((folder / "backups").glob("*/manifest.json"))
