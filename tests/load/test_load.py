"""A small class under load, with processes of its grading killed: the script holds in CI too."""

import subprocess
import sys

import pytest

from tests.load.__main__ import ROOT


@pytest.mark.long
@pytest.mark.kernel
@pytest.mark.timeout(900)
def test_no_point_is_lost_or_given_under_load_with_workers_killed():
    command = [sys.executable, "-m", "tests.load", "--submissions", "20", "--loads", "4"]
    done = subprocess.run(
        [*command, "--kill", "20", "--only", "class"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
