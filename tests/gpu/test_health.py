"""A GPU that vanishes from a running server, or was missing at its start, is reported."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.jupyterhub.configuration import jupyterlab
from hub.singleuser.gpu.extension import GpuHealth, judge, notice

GONE = "Failed to initialize NVML: Unknown Error"
WELL = "GPU 0: NVIDIA A100 (UUID: GPU-aaaa)"


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (0, WELL + "\n", None),
        (255, GONE + "\n", GONE),
        (0, GONE + "\n", GONE),
        (6, "No devices were found\n", "No devices were found"),
        (139, "", "nvidia-smi exited with 139"),
    ],
)
def test_the_output_of_nvidia_smi_is_understood(status, said, expected):
    assert judge(status, said) == expected


def test_a_person_is_reported_what_they_can_do():
    assert "stop and start your server" in notice("GPU-a: A100", GONE)
    assert "all GPU slots are taken" in notice("cpu: all GPU slots are taken", None)
    assert notice("GPU-a: A100", None) == ""
    # Where there are no GPUs, nobody misses one.
    assert notice("cpu: this server has no GPU", None) == ""
    assert notice("", None) == ""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch) -> Path:
    """An nvidia-smi that says what the file `output` holds."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    output = tmp_path / "said"
    output.write_text(WELL)
    program.write_text(f"#!/bin/sh\ncat {output}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return output


def test_a_lost_gpu_is_reported_at_the_second_look_and_a_found_one_at_once(smi, caplog):
    async def test() -> None:
        health = GpuHealth({"LOGITLAB_GPU": "GPU-aaaa: A100"}, logging.getLogger("test"))
        await health.look()
        smi.write_text(GONE)
        await health.look()
        assert health.notice == ""
        await health.look()
        assert GONE in health.notice
        await health.look()
        smi.write_text(WELL)
        await health.look()
        assert health.notice == ""

    caplog.set_level(logging.WARNING)
    asyncio.run(test())
    assert [record.message for record in caplog.records] == [
        f"GPU GPU-aaaa: A100 is gone: {GONE}",
        "GPU GPU-aaaa: A100 is back",
    ]


@pytest.mark.parametrize("words", ["", "cpu: all GPU slots are taken", "GPU-aaaa: A100"])
def test_where_there_is_nothing_to_look_at_nobody_looks(words, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    health = GpuHealth({"LOGITLAB_GPU": words}, logging.getLogger("test"), interval=100)
    asyncio.run(asyncio.wait_for(health.watch(), 10))
    assert health.problem is None


# --- kernels that nobody uses ---------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> CourseFolder:
    list(new_course(tmp_path / "course"))
    return CourseFolder(tmp_path / "course")


@pytest.mark.parametrize(("in_containers", "seconds"), [(True, 3600), (False, 0)])
def test_idle_kernels_are_stopped_in_containers_only(folder, in_containers, seconds):
    folder = CourseFolder(folder.root, Environment(in_containers=in_containers))
    for role in ("student", "instructor", "grader"):
        config = jupyterlab.files(role, folder)["jupyter_server_config.json"]
        assert config["MappingKernelManager"]["cull_idle_timeout"] == seconds


# --- a real JupyterLab ----------------------------------------------------------------------


@pytest.fixture
def lab(folder: CourseFolder, smi: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A JupyterLab with a student's configuration and no slot on a GPU: (address, token)."""
    jupyterlab.write(folder)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    token = secrets.token_hex(8)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_PATH": str(jupyterlab.config_path("student", folder)),
        "LOGITLAB_GPU": "cpu: all GPU slots are taken",
    }
    log = (tmp_path / "lab.log").open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *(f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"),
            f"--ServerApp.root_dir={tmp_path}",
        ],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 100
        while True:
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5)
                break
            except OSError:
                assert time.monotonic() < deadline, (tmp_path / "lab.log").read_text()
                time.sleep(0.2)
        yield address, token
    finally:
        process.terminate()
        process.wait(30)
        log.close()


@pytest.mark.slow
@pytest.mark.browser
def test_jupyterlab_says_why_a_server_has_no_gpu(lab):
    from playwright.sync_api import expect

    from tests.e2e.browser import launched

    address, token = lab
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{address}/logitlab/gpu", timeout=10)
    answer = urllib.request.urlopen(f"{address}/logitlab/gpu?token={token}", timeout=10)
    assert json.loads(answer.read())["gpu"] == "cpu: all GPU slots are taken"
    with launched() as browser:
        page = browser.new_page()
        page.goto(f"{address}/lab?token={token}")
        words = page.get_by_text("Your server runs without a GPU: all GPU slots are taken")
        expect(words.first).to_be_visible(timeout=90_000)
        # Reloaded, it does not say so again.
        page.reload()
        page.wait_for_selector(".jp-Launcher, .jp-MainAreaWidget", timeout=90_000)
        page.wait_for_timeout(3000)
        expect(words).to_have_count(0)
