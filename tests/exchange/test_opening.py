"""*Open* on the course's page, in a person's own server."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from hub.exchange.store import Store
from hub.singleuser.opening import problem, target
from tests.exchange.samples import ASSIGNMENT, COURSE, packed, release
from tests.exchange.test_dialog import configured, jupyterlab


def asked(url: str, assignment: str, course: str = COURSE) -> httpx.Response:
    return httpx.get(
        f"{url}/logitlab/open",
        params={"course": course, "assignment": assignment},
        trust_env=False,
        timeout=120,
    )


@pytest.mark.slow
def test_an_assignment_is_fetched_once_and_opened_at_its_notebook(tmp_path: Path):
    exchange, home = tmp_path / "exchange", tmp_path / "home"
    home.mkdir()
    store = Store(exchange)
    release(store, packed({"heads & tails.ipynb": b'{"cells": []}', "data/a.txt": b"a"}))
    with jupyterlab(home, configured(tmp_path, exchange)) as url:
        (home / "json.py").write_text("raise SystemExit")  # a student's, with a library's name
        mine = home / ASSIGNMENT / "heads & tails.ipynb"
        for text in ('{"cells": []}', "what I wrote"):
            answer = asked(url, ASSIGNMENT)
            assert answer.status_code == 302, (home / "lab.log").read_text()
            address = f"/lab/tree/{ASSIGNMENT}/heads%20%26%20tails.ipynb"
            assert answer.headers["Location"] == address
            assert mine.read_text() == text
            mine.write_text("what I wrote")
        unknown = asked(url, "never-released")
        assert unknown.status_code == 409 and "never-released was not opened" in unknown.text
        assert "There is no released assignment" in unknown.text
        for name in ("../escape", "a/b", ".hidden", "-x"):
            assert asked(url, name).status_code == 400, name
        assert asked(url, ASSIGNMENT, "../x").status_code == 400
        names = {path.name for path in home.iterdir() if not path.name.startswith(".")}
        assert names == {ASSIGNMENT, "json.py", "lab.log"}


def test_of_several_notebooks_the_folder_is_shown(tmp_path: Path):
    (tmp_path / "a").mkdir()
    assert target(tmp_path, "a") == "a"
    for name in ("x", "y"):
        (tmp_path / "a" / f"{name}.ipynb").write_text(json.dumps({}))
    assert target(tmp_path, "a") == "a"


def test_what_is_wrong_is_what_the_exchange_said_of_it():
    log = "[Fetch | WARNING] a\n[Fetch | CRITICAL] not released\n[Fetch | ERROR] it failed"
    assert problem(log) == "not released"
    assert "fetch it in the list" in problem("Traceback")
