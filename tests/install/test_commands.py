"""Commands of an installation: their progress, their failures, their end."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from hub.host.install import commands
from hub.host.install.errors import InstallError


def shell(script, tmp_path, **options):
    return commands.run(["sh", "-c", script], cwd=tmp_path, **options)


def test_only_the_lines_asked_for_are_passed_on(tmp_path):
    lines = shell("echo Downloading a; echo noise; printf 'Installed b'", tmp_path, say=("D", "I"))
    assert list(lines) == ["Downloading a", "Installed b"]


def test_a_failure_repeats_the_last_lines_and_says_what_to_do(tmp_path):
    with pytest.raises(InstallError) as error:
        list(shell("seq 100; echo no route to host >&2; exit 3", tmp_path))
    message = str(error.value)
    assert "exit 3" in message
    assert "no route to host" in message
    assert "    84" not in message.splitlines()
    assert "Run the same command again" in message


def test_silence_is_filled_by_the_heartbeat(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "HEARTBEAT", 0.05)
    lines = shell("sleep 0.3", tmp_path, heartbeat=lambda: "5 MB")
    assert next(lines) == "5 MB"
    list(lines)


def test_closing_early_ends_the_command(tmp_path):
    lines = shell("echo $$; exec sleep 60", tmp_path, say=("",))
    pid = int(next(lines))
    lines.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


INSTALLER = """
import sys
from pathlib import Path
from hub.host.install import __main__, steps
def slow(name, place, again, keep_open):
    yield from steps.commands.run(["sh", "-c", sys.argv[2]], cwd=Path("."), keep_open=keep_open)
steps._perform = slow
sys.exit(__main__.main(["server", "--venv", sys.argv[1]]))
"""


@pytest.fixture
def installer(tmp_path):
    """Start an installation in which the one step left to do runs a shell script of the test."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    from hub.host.install import state

    folder = state.InstallTarget(tmp_path / "venv")
    for step in ("venv", "uv", "server", "project"):
        state.mark_started(step, folder)
        state.mark_done(step, folder)
    started = []

    def start(script):
        process = subprocess.Popen(
            [sys.executable, "-c", INSTALLER, str(folder.venv), script],
            cwd=state.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def test_a_second_installation_waits_for_the_first_and_then_has_nothing_to_do(installer, tmp_path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    first = installer(f"touch {begun}; while [ ! -e {go} ]; do sleep 0.05; done")
    wait_for(begun)
    second = installer(f"touch {tmp_path / 'twice'}")
    assert second.stdout.readline() == (
        "Another installation is using this environment; waiting for it to finish.\n"
    )
    go.touch()
    assert first.wait(20) == 0
    assert second.wait(20) == 0
    assert not (tmp_path / "twice").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_installation_ends_its_command_and_says_how_to_go_on(
    installer, tmp_path, number
):
    pid_file, begun = tmp_path / "pid", tmp_path / "begun"
    process = installer(f"echo $$ > {pid_file}; touch {begun}; exec sleep 60")
    wait_for(begun)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Run the same command again to resume" in errors
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_the_lock_is_held_while_the_command_of_a_killed_installer_still_runs(installer, tmp_path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    process = installer(f"touch {begun}; while [ ! -e {go} ]; do sleep 0.05; done")
    wait_for(begun)
    process.kill()
    process.wait(20)
    with open(tmp_path / "venv" / "logitlab" / "install.lock") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        go.touch()
        fcntl.flock(lock, fcntl.LOCK_EX)
