"""Tests whose needs the machine does not meet are skipped, or fail in CI, with the reason."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.order import shuffled
from tests.traces import Traces

ROOT = Path(__file__).parents[1]
CLIENT_ONLY = "exit 1"
NO_IMAGES = 'case "$1" in version) echo 27.1;; *) exit 1;; esac'
EVERYTHING = "echo 27.1"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for programs that is the whole PATH, on a machine that was not asked yet."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LOGITLAB_TEST_REQUIRE", "")
    needs._missing.cache_clear()
    yield tmp_path
    needs._missing.cache_clear()


def docker(machine: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (machine / "docker").chmod(0o755)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(machine / "s"))
    monkeypatch.setattr(needs, "SOCKET", machine / "s")


def test_where_there_is_no_docker_both_engine_and_images_are_reported_to_lack_it(machine):
    assert needs.unmet("engine") == ("engine", "no docker: apt-get install docker.io")
    assert needs.unmet("images") == needs.unmet("engine")


@pytest.mark.parametrize(
    ("script", "lacking"), [(CLIENT_ONLY, "engine"), (NO_IMAGES, "images"), (EVERYTHING, None)]
)
def test_a_client_an_engine_and_images_are_reported_isolated(machine, monkeypatch, script, lacking):
    docker(machine, script, monkeypatch)
    found = needs.unmet("images")
    assert (found and found[0]) == lacking


def test_an_engine_that_another_account_may_use_is_none(machine, monkeypatch):
    docker(machine, EVERYTHING, monkeypatch)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert needs.unmet("engine") is not None


def test_an_ordinary_user_is_reported_that_a_test_needs_root(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert needs.unmet("network") == ("root", "needs root")
    assert needs.unmet("own-engine") == ("root", "needs root")


def test_a_need_that_ci_requires_fails_a_test_instead_of_skipping_it(machine, monkeypatch):
    with pytest.raises(pytest.skip.Exception, match=r"docker\.io"):
        needs.need("engine")
    monkeypatch.setenv("LOGITLAB_TEST_REQUIRE", "chromium engine")
    with pytest.raises(pytest.fail.Exception, match=r"docker\.io"):
        needs.need("images")


def test_what_a_test_changes_in_its_process_is_put_back(tmp_path):
    before = Traces.now()
    os.environ["LEFT_BY_A_TEST"] = "1"
    del os.environ["PATH"]
    os.chdir(tmp_path)
    os.umask(0o077)
    sys.path.append("/left")
    assert before.restore() == []
    assert Traces.now() == before


def test_files_run_in_the_order_of_a_seed():
    files = [Path(f"test_{number}.py") for number in range(9)]
    first, again = shuffled(files, "1"), shuffled(reversed(files), "1")
    assert first == again and sorted(first.values()) == list(range(9))
    assert first != shuffled(files, "2")


# -- whole runs ------------------------------------------------------------------------------------

ENGINES = (
    "tests/attacks/test_executor.py",
    "tests/attacks/test_gateway.py",
    "tests/attacks/test_guard.py",
    "tests/attacks/test_guard_requests.py",
    "tests/attacks/test_name_lookups.py",
    "tests/attacks/test_network.py",
    "tests/docker",
    "tests/executor/test_assignments.py",
    "tests/firewall/test_host.py",
    "tests/gpu/test_engine.py",
    "tests/guard/test_dockerspawner.py",
)


@pytest.mark.slow
@pytest.mark.parametrize("script", [None, CLIENT_ONLY], ids=["no Docker", "packages, no engine"])
def test_every_test_of_engines_passes_or_is_skipped_where_none_runs(tmp_path, script):
    (tmp_path / "sh").symlink_to("/bin/sh")
    for name, text in {"dockerd": "exit 1", "docker": script}.items():
        if script is not None:
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)
    variables = {"PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ENGINES],
        cwd=ROOT,
        env=os.environ | variables | {"LOGITLAB_TEST_REQUIRE": ""},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "skipped" in done.stdout
