"""Services, volumes, labels, variables and secrets keep the names they had in 2d81227.

Containers and volumes that it made, and files that its admins wrote, are found by these names.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hub.core.settings import Settings
from hub.facts.containers import FIRST_COURSE
from hub.facts.deployment import Deployment
from hub.host.deploy import backup, folder, images
from hub.host.deploy.variables import Host, variables
from hub.jupyterhub.spawners.options import options
from tests.upgrade.class_before import COURSE, ENV
from tests.upgrade.restored import DATA

CHECKOUT = Path(__file__).parents[2]
BEFORE = json.loads((DATA / "containers.json").read_text(encoding="utf-8"))
# All that is called otherwise. No admin and no data name any of it: it is in files of the checkout,
# or made anew at each start.
RENAMED = {
    "x-part": "x-service",  # YAML's anchor in compose.yaml
    "hub.guard": "hub.services.guard",
    "hub.firewall": "hub.services.firewall",
    "hub.executor": "hub.services.executor",
    "hub.gpuwatch": "hub.services.gpuwatch",
    "--places": "--slots",
    "/run/gpu/places.json": "/run/gpu/slots.json",
}


def renamed(value: Any) -> Any:
    """What 2d81227 wrote, in today's names."""
    if isinstance(value, dict):
        return {renamed(key): renamed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [renamed(one) for one in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


def compose(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def test_compose_has_every_service_volume_network_label_and_secret_as_before():
    before = renamed(compose(DATA / "compose.yaml"))
    now = compose(CHECKOUT / "docker" / "compose.yaml")
    assert now.keys() == before.keys()
    for kind in ("volumes", "networks", "secrets"):
        assert now[kind].items() >= before[kind].items(), kind
    assert now["services"].keys() >= before["services"].keys()
    for name, service in before["services"].items():
        service.pop("healthcheck", None)  # nothing that is kept has to do with it
        same = {key: now["services"][name].get(key) for key in service}
        assert same == service, name


def test_the_example_of_env_names_every_variable_as_before():
    text = (CHECKOUT / "docker" / "env.example").read_text(encoding="utf-8")
    names = re.findall(r"^(\w+)=", (DATA / "env.example").read_text(encoding="utf-8"), re.M)
    assert names and set(names) <= set(re.findall(r"^(\w+)=", text, re.M))
    assert set(names) == set(ENV)


@pytest.mark.parametrize("given", ["as it comes", "changed"])
def test_an_env_file_means_what_it_meant(given):
    env = ENV if given == "changed" else folder.read_env(DATA / "env.example")
    now = variables(env, Host(999, "digest", "GPU-1", 8192), Path("/srv/deployment"))
    assert now.items() >= BEFORE["variables"][given].items()


def test_an_env_file_says_what_images_are_made_of_as_before(tmp_path):
    (tmp_path / ".env").write_text("".join(f"{key}={value}\n" for key, value in ENV.items()))
    builds = repr(images.plan(images.settings(tmp_path, {}), []))
    for name in ("BASE_IMAGE", "TORCH", "MODELS", "LOGITLAB_TAG"):
        assert ENV[name] in builds, name


@pytest.mark.parametrize("person", BEFORE["containers"])
def test_a_persons_container_volumes_and_labels_are_called_as_before(person):
    user, _, role = person.partition(" as ")
    settings = Settings.model_validate({"course": {"id": COURSE}})
    deployment = Deployment("lab", "1", "http://localhost:8000")
    now = dataclasses.asdict(options(user, role, 20000, COURSE, FIRST_COURSE, settings, deployment))
    before = BEFORE["containers"][person]
    for kind in ("image", "name", "volumes", "read_only_volumes"):
        assert now[kind] == before[kind], kind
    assert now["create"]["labels"].items() >= before["create"]["labels"].items()
    assert now["create"]["user"] == before["create"]["user"]
    assert now["environment"].items() >= before["environment"].items()


def test_a_backup_of_before_can_be_restored():
    assert BEFORE["format of a backup"] == backup.FORMAT
    assert {*backup.DATABASES, *backup.VOLUMES} >= set(BEFORE["in a backup"])


def test_secrets_are_found_again():
    assert set(folder.SECRETS) >= set(BEFORE["secrets"])
