"""JupyterLab shows remarks on an accepted submission in a dialog."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from hub.core.settings import Settings
from hub.exchange.store import Store
from hub.jupyterhub.configuration.jupyterlab import EXCHANGE_CLASSES, page_config, server_config
from hub.serve import free_port
from tests.e2e.browser import launched
from tests.exchange.samples import ASSIGNMENT, COURSE, release

pytestmark = [pytest.mark.browser, pytest.mark.slow]
START_SECONDS = 120
NOTEBOOK = f"{ASSIGNMENT}/induction-heads.ipynb"


def configured(folder: Path, exchange: Path) -> Path:
    """A student's JupyterLab at an exchange in a folder."""
    values = {
        "CourseDirectory": {"course_id": COURSE},
        "Exchange": {"path_includes_course": False, "local_store": str(exchange)},
        "ExchangeFactory": {
            trait: f"hub.exchange.client.{name}" for trait, name in EXCHANGE_CLASSES.items()
        },
    }
    settings = Settings.model_validate({"course": {"id": COURSE}})
    config = folder / "config"
    (config / "labconfig").mkdir(parents=True)
    (config / "nbgrader_config.json").write_text(json.dumps(values))
    (config / "jupyter_server_config.json").write_text(json.dumps(server_config("student")))
    (config / "labconfig" / "page_config.json").write_text(
        json.dumps(page_config("student", settings, containers=False))
    )
    return config


@contextmanager
def jupyterlab(folder: Path, config: Path) -> Iterator[str]:
    """The address of a running JupyterLab whose home is `folder`."""
    port = free_port()
    known = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    environment = {**known, "HOME": str(folder), "JUPYTER_CONFIG_PATH": str(config)}
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", f"--port={port}"]
    options = ["--ip=127.0.0.1", "--IdentityProvider.token=", "--allow-root"]
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options, f"--ServerApp.root_dir={folder}"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/api/status")
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _wait(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            urlopen(url).close()
        except (URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.3)
        else:
            return


def test_a_notebook_that_cannot_be_read_is_reported_in_a_dialog_after_submit(
    tmp_path: Path,
) -> None:
    exchange, home = tmp_path / "exchange", tmp_path / "home"
    release(Store(exchange))
    (home / ASSIGNMENT).mkdir(parents=True)
    (home / NOTEBOOK).write_text('{"cells": [{"cell_type": "code"')
    config = configured(tmp_path, exchange)
    with jupyterlab(home, config) as url, launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(1000 * START_SECONDS)
        page.goto(f"{url}/lab?reset")
        page.locator("#fetched_assignments_list").get_by_role("button", name="Submit").click()
        dialog = page.locator(".jp-Dialog-content")
        dialog.wait_for()
        words = dialog.inner_text()
        assert "Submitted, but please read this" in words
        assert "induction-heads.ipynb" in words
        assert "its JSON breaks off or is damaged in line 1" in words
        assert "nothing in it can be graded: open it, repair it and submit again" in words
        assert len(Store(exchange).submissions(COURSE)) == 1
        dialog.get_by_role("button", name="Ok").click()
        # A whole notebook is taken without a word.
        (home / NOTEBOOK).write_text('{"cells": [], "nbformat": 4, "metadata": {}}')
        with page.expect_response("**/logitlab/remarks*") as answer:
            page.locator("#fetched_assignments_list").get_by_role("button", name="Submit").click()
        assert answer.value.json() == {"remarks": []}
        assert dialog.count() == 0
