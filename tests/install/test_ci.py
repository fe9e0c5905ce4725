""".ci/run from start to end, with stand-ins that only record how they were called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hub.host.install.state import ROOT

PROGRAMS = (
    *("apt-get", "busybox", "chromium", "docker", "docker-compose", "dockerd", "dpkg", "ip"),
    *("iptables", "mmdebstrap", "pebble", "python3"),
)
MAKE = """
echo "make $* deployment=${LOGITLAB_DEPLOYMENT:+yes}"
case "$2" in
    doctor) echo BASE_IMAGE=x > "$LOGITLAB_DEPLOYMENT/.env" ;;
    images) exit "${IMAGES_FAIL:-0}" ;;
    lint) exit "${LINT_FAIL:-0}" ;;
    test) echo "3 passed in 1.00s"; exit "${TESTS_FAIL:-0}" ;;
esac
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of two commits, of which the second changes an assignment."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / ".ci", clone / ".ci")
    for name in ("start", "06-induction-heads"):
        script(clone / "source" / name / "answers.py", "")
    (clone / ".gitignore").write_text(".venv\n")
    script(clone / ".venv" / "bin" / "logitlab", 'echo "logitlab $*"')
    for name in PROGRAMS:
        script(tmp_path / "bin" / name, f'echo "{name} $*"')
    python = clone / ".venv" / "bin" / "python"
    script(
        python,
        'case "$*" in *halves*) echo start && exit ;; esac\n'
        'echo "python $*"; case "$*" in *locks*) exit "${LOCKS_FAIL:-0}" ;; esac',
    )
    script(tmp_path / "bin" / "id", "echo 0")
    script(tmp_path / "bin" / "make", MAKE)
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    for message in ("one", "two"):
        if message == "two":
            (clone / "source" / "start" / "answers.py").write_text("changed\n")
        for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", message)):
            subprocess.run(["git", *command], cwd=clone, check=True)
    return clone


def ci(clone: Path, *arguments: str, **variables: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        ["bash", str(clone / ".ci" / "run"), *arguments],
        env=os.environ | {"PATH": f"{clone.parent / 'bin'}:{os.environ['PATH']}"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout.splitlines()


def line(lines: list[str], begins: str) -> str:
    (found,) = (line for line in lines if line.startswith(begins))
    return found


def test_pytests_closing_line_is_the_last_and_the_table_of_steps_stands_before(clone):
    status, lines = ci(clone)
    assert status == 0 and lines[-1] == "3 passed in 1.00s"
    table = lines[lines.index("steps of .ci/run:") + 1 : -1]
    assert all(re.match(r" *\d+ s  \S", row) for row in table)
    named = [row.split(" s  ", 1)[1] for row in table]
    assert named[-2:] == ["tests, with those that take minutes", "in all"]
    assert "a restart of the engine" in named


def test_long_lists_are_sampled_by_the_commit_and_what_it_changed_is_checked_in_full(clone):
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, text=True
    ).stdout.strip()
    _, lines = ci(clone)
    sampling = f"--sample 1/8 --seed {commit} --whole start"
    assert f"of long lists: {sampling}; the rest in .ci/full" in lines
    proved = line(lines, "logitlab prove")
    assert proved == f"logitlab prove --mutants 20 {sampling} --tests in_kernel start"
    assert sampling in line(lines, "make --no-print-directory test PYTEST_ARGS=")


def test_the_full_run_is_the_same_script_without_a_sample(clone):
    _, sampled = ci(clone)
    done = subprocess.run(
        [str(clone / ".ci" / "full")],
        env=os.environ | {"PATH": f"{clone.parent / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    full = done.stdout.splitlines()
    assert done.returncode == 0 and not any("--sample" in line for line in full)
    steps = [re.sub(r"\(after.*", "", line) for line in full if line.startswith("== ")]
    assert steps == [re.sub(r"\(after.*", "", line) for line in sampled if line.startswith("== ")]


def test_a_deployments_folder_is_named_to_its_own_steps_only(clone):
    _, lines = ci(clone)
    named = {line.split()[2] for line in lines if "deployment=yes" in line}
    assert named == {"doctor", "images"}


@pytest.mark.parametrize("variable", ["IMAGES_FAIL", "LINT_FAIL", "LOCKS_FAIL", "TESTS_FAIL"])
def test_what_fails_beside_or_last_fails_the_run_with_its_table(clone, variable):
    status, lines = ci(clone, **{variable: "1"})
    assert status != 0 and "steps of .ci/run:" in lines
    assert any(line.startswith("make --no-print-directory lint") for line in lines)


def test_an_unknown_argument_is_refused(clone):
    status, lines = ci(clone, "--fast")
    assert (status, lines) == (2, ["usage: .ci/run [--full]"])
