"""JupyterHub's configuration in the container shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from traitlets.config import Config

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.facts import accounts, container_paths
from hub.facts.containers import FIRST_COURSE, database_url
from hub.facts.deployment import Deployment, DeploymentError, deployment
from hub.jupyterhub.configuration import containers

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE = DOCKER / "compose.yaml"
PLACE = Deployment("lab", "1", "https://course.example", proxy_token="pt", exchange_token="et")
ENVIRON = {
    "LOGITLAB_PROJECT": "lab",
    "LOGITLAB_TAG": "1",
    "LOGITLAB_URL": "https://course.example",
}


@pytest.fixture
def config(tmp_path):
    list(new_course(tmp_path))
    c = Config()
    environment = Environment(hub_database="postgresql+psycopg:///jupyterhub", in_containers=True)
    containers.update(c, CourseFolder(tmp_path, environment), PLACE)
    return c


def test_running_servers_outlive_hub_and_proxy(config):
    assert config.JupyterHub.cleanup_servers is False
    assert config.JupyterHub.cleanup_proxy is False
    assert config.ConfigurableHTTPProxy.should_start is False
    assert config.JupyterHub.last_activity_interval <= 15


def test_the_hub_has_no_docker_socket_but_the_guards(config):
    assert config.ContainerSpawner.client_kwargs == {"base_url": "unix:///run/guard/docker.sock"}


def test_the_culler_may_stop_servers_and_nothing_more(config):
    culler = next(role for role in config.JupyterHub.load_roles if role["name"] == "idle-culler")
    assert set(culler["scopes"]) == {
        "list:users",
        "read:users:activity",
        "read:servers",
        "delete:servers",
    }


def test_a_missing_variable_or_secret_is_named(tmp_path):
    with pytest.raises(DeploymentError, match="LOGITLAB_TAG"):
        deployment({"LOGITLAB_PROJECT": "lab", "LOGITLAB_URL": "x"}, tmp_path)
    with pytest.raises(DeploymentError, match=r"proxy_token.*make up"):
        deployment(ENVIRON, tmp_path)


def test_secrets_are_not_shown_when_a_deployment_is_printed(tmp_path):
    for name in ("proxy_token", "exchange_token"):
        (tmp_path / name).write_text("secretvalue\n")
    made = deployment(ENVIRON, tmp_path)
    assert made.proxy_token == "secretvalue"
    assert "secretvalue" not in repr(made)


def compose():
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def test_nothing_but_gateway_reaches_the_outside():
    networks = compose()["networks"]
    outside = {name for name, options in networks.items() if not (options or {}).get("internal")}
    assert outside == {"outside"}
    members = [name for name, s in compose()["services"].items() if "outside" in networks_of(s)]
    assert members == ["gateway"]


def networks_of(service):
    networks = service.get("networks") or {}
    return set(networks)


def test_only_the_guard_has_the_docker_socket():
    holders = [
        name
        for name, service in compose()["services"].items()
        if any("DOCKER_SOCKET" in volume for volume in service.get("volumes", []))
    ]
    assert holders == ["guard"]


def test_executor_and_database_have_no_network():
    services = compose()["services"]
    for name in ("executor", "db", "guard", "setup"):
        assert services[name]["network_mode"] == "none"


@pytest.mark.parametrize("name", list(compose()["services"]))
def test_every_part_gives_up_its_rights(name):
    service = compose()["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_no_secret_is_in_an_environment():
    for service in compose()["services"].values():
        text = json.dumps(service.get("environment", {})).lower()
        assert "token" not in text and "password" not in text and "key" not in text


def test_accounts_are_those_of_the_images_and_of_compose():
    lines = (DOCKER / "base/passwd").read_text().splitlines()
    numbers = {name: int(uid) for name, _, uid, *_ in (line.split(":") for line in lines)}
    known = {name.lower(): uid for name, uid in vars(accounts).items() if isinstance(uid, int)}
    assert known == {name: numbers[name] for name in known}
    services = compose()["services"]
    users = {name: services[name]["user"] for name in ("guard", "hub", "exchange")}
    assert users == {
        "guard": f"{accounts.GUARD}:{accounts.HUB}",  # the hub alone may speak to it
        "hub": f"{accounts.HUB}:{accounts.HUB}",
        "exchange": f"{accounts.EXCHANGE}:{accounts.EXCHANGE}",
    }
    dockerfile = (DOCKER / "Dockerfile").read_text()
    students = accounts.STUDENTS
    assert f"add-accounts student {students.start} {len(students)} " in dockerfile


def test_the_databases_are_where_compose_says():
    services = compose()["services"]
    assert services["setup"]["environment"]["LOGITLAB_GRADEBOOK"] == FIRST_COURSE.gradebook_url
    hub = services["hub"]
    assert hub["environment"]["LOGITLAB_HUB_DATABASE"] == database_url("jupyterhub")
    assert f"db_socket:{container_paths.DATABASE}:ro" in hub["volumes"]


def test_compose_puts_things_where_the_programs_look_for_them():
    services = compose()["services"]
    assert services["hub"]["environment"]["LOGITLAB_PEOPLE"] == container_paths.PEOPLE
    assert f"people:{container_paths.PEOPLE}:ro" in services["hub"]["volumes"]
    assert f"executor_socket:{container_paths.EXECUTOR}" in services["executor"]["volumes"]
    assert f"models:{container_paths.DEPLOYMENTS_MODELS}:ro" in services["executor"]["volumes"]
    assert services["gpuwatch"]["command"][-1] == container_paths.GPU_SLOTS
    checks = {name: service.get("healthcheck", {}) for name, service in services.items()}
    assert checks["guard"]["test"][-1] == f"unix:{container_paths.GUARD_SOCKET}"
    assert container_paths.FIREWALL_HEARTBEAT in checks["firewall"]["test"][-1]
    shared = Path(container_paths.GUARD_SOCKET).parent
    assert Path(container_paths.COURSES_FILE).parent == shared
    assert f"guard_socket:{shared}:ro" in services["hub"]["volumes"]


def test_every_service_is_checked_in_a_way_that_the_images_know():
    script = (DOCKER / "base/healthy").read_text(encoding="utf-8")
    checks = {
        name: service.get("healthcheck", {}) for name, service in compose()["services"].items()
    }
    # setup ends; whatever the watcher of GPUs can tell of itself stands in its log.
    assert {name for name, check in checks.items() if check.get("disable")} == {"setup", "gpuwatch"}
    ours = [check["test"][2] for check in checks.values() if "healthy" in check.get("test", [])]
    assert len(ours) == 4
    for check in ours:
        assert f"    {check.partition(':')[0]}:" in script, check
