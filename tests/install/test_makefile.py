"""`make` lists its targets, and reaches the installer from any folder."""

import re
import subprocess

import pytest

from hub.host.install.state import ROOT

pytestmark = pytest.mark.needs("make")


def make(*arguments, cwd=ROOT):
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def test_make_alone_lists_every_target():
    listed = {line.split()[0] for line in make().stdout.splitlines()}
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert listed == set(targets)
    assert listed >= {"serve", "test", "release", "models", "prove", "lint", "lock", "bench"}


def test_the_python_named_on_the_command_line_runs_the_installer(tmp_path):
    python = tmp_path / "a python"
    python.write_text("#!/bin/sh\necho run with $@\nexit 9\n")
    python.chmod(0o755)
    answer = make("serve", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    assert answer.returncode == 2
    assert answer.stdout == f"run with -m hub.host.install --venv {tmp_path / 'venv'} server\n"


def test_no_file_of_the_installation_names_an_address():
    """A site's own index, mirror and proxy come from its environment alone."""
    files = [ROOT / "Makefile", ROOT / ".ci" / "run", *(ROOT / "requirements").iterdir()]
    files += (ROOT / "hub" / "host" / "install").glob("*.py")
    for file in files:
        assert not re.search(r"\w://\w", file.read_text()), file
