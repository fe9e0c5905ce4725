"""`up`: when it waits, and when it gives up."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.host.deploy import stack as stack_module
from hub.host.deploy.folder import DeployError
from hub.host.deploy.stack import RESTARTS, Stack, up


class FakeStack(Stack):
    """A deployment of one service, whose restarts are counted as `counts` says, look by look."""

    def __init__(self, counts: list[int]) -> None:
        super().__init__(Path("/nowhere"))
        self.__dict__["counts"] = iter(counts)
        values = {"LOGITLAB_TAG": "t", "LOGITLAB_PROJECT": "p", "LOGITLAB_URL": "", "DOMAIN": "x"}
        values["MODELS_MODE"] = "image"
        self.__dict__["variables"] = values

    def docker(self, *arguments, **options):
        if arguments[0] == "inspect":
            state = {"Status": "running", "Health": {"Status": "starting"}}
            labels = {"com.docker.compose.service": "hub"}
            found = {
                "Id": "1",
                "State": state,
                "Config": {"Labels": labels},
                "RestartCount": next(self.__dict__["counts"]),
            }
            return SimpleNamespace(returncode=0, stdout=json.dumps([found]))
        return SimpleNamespace(returncode=0, stdout="1\n")

    def compose(self, *arguments, **options):
        return SimpleNamespace(returncode=0, stdout=b"last words", stderr="")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(stack_module.time, "sleep", lambda seconds: None)


def test_up_gives_up_on_a_part_that_ends_time_and_again():
    with pytest.raises(DeployError, match="hub does not stay up:\nlast words"):
        list(up(FakeStack([0, *range(2 * RESTARTS + 2)])))


def test_up_waits_for_a_part_that_was_restarted_often_long_ago(monkeypatch):
    monkeypatch.setattr(stack_module, "UP_SECONDS", 0.05)
    with pytest.raises(DeployError, match="not up after"):
        list(up(FakeStack([50] * 100_000)))
