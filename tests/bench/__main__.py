"""`make bench`: two waits that a newcomer feels, as ratios to a plain JupyterHub.

The baseline is JupyterHub as its documentation starts it, with SimpleLocalProcessSpawner and
DummyAuthenticator and no course: to its login page, and from the click on *Sign in* to a cell
`1 + 1` that has run. Ours is `logitlab serve` on an installed demonstration course: to the login
page, and from *Sign in* to a cell that has loaded a model and drawn its attention patterns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from playwright.sync_api import Page

from hub.serve import free_port
from tests.e2e.browser import PATIENCE, StudentDesk, launched
from tests.e2e.day import ASSIGNMENT, PATH
from tests.e2e.embedded import LOGITLAB
from tests.needs import chromium

PLAIN_CONFIG = """
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "plain"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.Spawner.args = ["--ServerApp.allow_root=True"]
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
"""


@contextmanager
def started(command: list[str], port: int, folder: Path, **environment: str) -> Iterator[float]:
    """Run a server; yields the seconds until its login page answered."""
    bin_ = str(Path(sys.executable).parent)
    variables = os.environ | {"PATH": f"{bin_}:{os.environ['PATH']}"} | environment
    began = time.monotonic()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
    try:
        yield _login_page_answers(port, began)
    finally:
        process.terminate()
        process.wait(60)


def _login_page_answers(port: int, began: float) -> float:
    while time.monotonic() - began < PATIENCE / 1000:
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/hub/login", timeout=5)
            return time.monotonic() - began
        time.sleep(0.05)
    raise TimeoutError("no login page")


def plain_hub(folder: Path) -> tuple[float, float]:
    """Seconds to the login page, and from *Sign in* to a cell that has run, of the baseline."""
    port = free_port()
    config = folder / "jupyterhub_config.py"
    text = PLAIN_CONFIG.format(home=folder / "homes", port=port, hub=free_port(), api=free_port())
    config.write_text(text)
    command = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
    with started(command, port, folder) as to_login, launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"http://localhost:{port}")
        page.fill("#username_input", "somebody")
        page.fill("#password_input", "plain")
        began = time.monotonic()
        page.click("#login_submit")
        page.click('.jp-LauncherCard[data-category="Notebook"]')
        _run(page, "1 + 1")
        return to_login, time.monotonic() - began


def _run(page: Page, code: str) -> None:
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/")
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.keyboard.type(code)
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea-output").first.wait_for()


def logitlab(folder: Path) -> tuple[float, float]:
    """The same of `logitlab serve`, up to attention patterns of a model."""
    port = free_port()
    course = folder / "course"
    environment = {"LOGITLAB_COURSE": str(course), "LOGITLAB_PORT": str(port)}
    if not (course / "server" / "demo.done").exists():
        with started([str(LOGITLAB), "serve"], port, folder, **environment):
            pass  # the first start makes the course; a start of an installed one is measured
    with started([str(LOGITLAB), "serve"], port, folder, **environment) as to_login:
        passwords = _passwords(course)
        with launched() as browser:
            desk = StudentDesk(browser, f"http://localhost:{port}", "alice", folder / "pictures")
            desk.page.goto(desk.url)
            desk.page.fill("#username_input", "alice")
            desk.page.fill("#password_input", passwords["alice"])
            began = time.monotonic()
            desk.page.click("#login_submit")
            desk.reach_assignments()
            if not (course / "server" / "homes" / "alice" / ASSIGNMENT).exists():
                desk.fetch(ASSIGNMENT)
            desk.open_notebook(PATH)
            desk.run_cells(1)
            desk.wait_for_figure()
            return to_login, time.monotonic() - began


def _passwords(course: Path) -> dict[str, str]:
    return dict(json.loads((course / "server" / "accounts.json").read_text(encoding="utf-8")))


@click.command()
@click.option("--rounds", default=3, show_default=True)
def main(rounds: int) -> None:
    """Measure, in turn, and print medians and ratios."""
    if chromium() is None:
        raise click.ClickException("no Chromium on this machine (`apt-get install chromium`)")
    plain: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            for name, measure, found in (("plain", plain_hub, plain), ("ours", logitlab, ours)):
                # A new folder each round: the first login of a student, fetch included.
                folder = Path(scratch) / f"{name}{number}"
                folder.mkdir()
                found.append(measure(folder))
                click.echo(f"{name}: login page {found[-1][0]:.1f} s, cell {found[-1][1]:.1f} s")
    titles = ("start to login page", "Sign in to a cell that has run (ours: attention drawn)")
    for index, title in enumerate(titles):
        a = statistics.median(row[index] for row in plain)
        b = statistics.median(row[index] for row in ours)
        click.echo(f"{title}: plain {a:.1f} s, ours {b:.1f} s, ratio {b / a:.2f}")


if __name__ == "__main__":
    main()
