"""Module names of earlier versions that people have in scripts, notes and crontabs."""

import subprocess
import sys

import pytest

from hub.host.install.state import ROOT


@pytest.mark.parametrize("name", ["deploy", "install"])
def test_the_old_name_of_a_hosts_command_works_and_tells_the_new_one(name):
    done = subprocess.run(
        [sys.executable, "-S", "-m", f"hub.{name}", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: python3 -m hub.host.{name}" in done.stdout
    assert f"hub.{name} is now hub.host.{name}" in done.stderr
