"""From an admin's settings to Compose's variables."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from hub.host.deploy import folder
from hub.host.deploy.folder import DeployError, prepare, read_env
from hub.host.deploy.stack import compose_command
from hub.host.deploy.subnet import CANDIDATES, host_routes
from hub.host.deploy.variables import DEFAULTS, Host, variables

COMPOSE = Path(__file__).parents[2] / "docker" / "compose.yaml"
HOST = Host(docker_gid=999, settings_digest="abc")


def made(**given):
    return variables(given, HOST, Path("/srv/course"))


def test_without_a_domain_nothing_listens_beyond_this_machine():
    values = made()
    assert values["HTTP_PUBLISH"] == "127.0.0.1:8000"
    assert values["HTTPS_PUBLISH"].startswith("127.0.0.1:")
    assert values["LOGITLAB_URL"] == "http://localhost:8000"


def test_a_domain_is_served_with_tls_and_first_by_the_authoritys_staging_service():
    values = made(DOMAIN="course.example")
    assert values["LOGITLAB_URL"] == "https://course.example"
    assert (values["HTTP_PUBLISH"], values["HTTPS_PUBLISH"]) == ("80", "443")
    assert "staging" in values["ACME_CA"]
    assert "staging" not in made(DOMAIN="course.example", ACME_CA="production")["ACME_CA"]
    own = "https://acme.example/dir"
    assert made(DOMAIN="course.example", ACME_CA=own)["ACME_CA"] == own


def test_students_get_no_address_of_proxy_or_hub():
    values = made()
    students = ipaddress.IPv4Network(values["STUDENTS_RANGE"])
    assert students.subnet_of(ipaddress.IPv4Network(values["STUDENTS_SUBNET"]))
    for fixed in ("PROXY_IP", "HUB_IP"):
        address = ipaddress.ip_address(values[fixed])
        assert address not in students
        assert address in ipaddress.ip_network(values["STUDENTS_SUBNET"])


@pytest.mark.parametrize(
    "given",
    [
        {"STUDENT_INTERNET": "maybe"},
        {"MODELS_MODE": "cloud"},
        {"STUDENTS_SUBNET": "8.8.0.0/16"},
        {"STUDENTS_SUBNET": "172.30.0.0/28"},
        {"STUDENTS_SUBNET": "here"},
        {"LOGITLAB_PROJECT": "My Course"},
        {"HTTP_PORT": "80a"},
        {"HTTPS_PORT": "70000"},
    ],
)
def test_a_value_that_cannot_be_used_is_named(given):
    with pytest.raises(DeployError, match=next(iter(given))):
        made(**given)


def test_the_name_of_the_bridge_fits_into_the_kernels_limit():
    assert len(made(LOGITLAB_PROJECT="a" * 40)["LOGITLAB_BRIDGE"]) <= 15


def test_every_variable_of_the_compose_file_is_given():
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text(encoding="utf-8")))
    assert asked <= set(made())


@pytest.mark.needs("compose")
def test_the_compose_file_is_valid_for_the_compose_of_this_machine(tmp_path):
    list(prepare(tmp_path))
    done = subprocess.run(
        [
            *compose_command(),
            "-f",
            str(COMPOSE),
            "--project-directory",
            str(tmp_path),
            "config",
            "-q",
        ],
        env=os.environ | variables({}, HOST, tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_secrets_are_made_once_and_closed_to_others(tmp_path):
    assert list(prepare(tmp_path))
    secrets = {path: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert len(set(secrets.values())) == len(secrets) == 3
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert list(prepare(tmp_path)) == []
    assert all(path.read_text() == text for path, text in secrets.items())


def test_a_new_deployment_gets_a_subnet_that_this_host_does_not_use(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "host_routes", lambda: ("172.16.0.0/12", "10.201.7.0/24"))
    list(prepare(tmp_path))
    assert read_env(tmp_path / ".env")["STUDENTS_SUBNET"] == "10.202.0.0/16"


def test_the_first_choice_of_subnet_is_what_the_example_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "host_routes", lambda: ("172.17.0.0/16", "192.0.2.0/24"))
    list(prepare(tmp_path))
    example = folder.CHECKOUT / "docker" / "env.example"
    assert (tmp_path / ".env").read_text() == example.read_text()
    assert DEFAULTS["STUDENTS_SUBNET"] == read_env(example)["STUDENTS_SUBNET"] == CANDIDATES[0]


def test_this_hosts_networks_are_read_from_the_kernels_table(tmp_path):
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert host_routes(table) == ("172.17.0.0/16",)


def test_no_secret_is_printed(tmp_path):
    output = "\n".join(prepare(tmp_path))
    assert all(path.read_text().strip() not in output for path in (tmp_path / "secrets").iterdir())


def test_an_environment_file_is_read_as_compose_reads_it(tmp_path):
    path = tmp_path / ".env"
    path.write_text("# words\n\nA=1\nB='two words'\nC=three # because\nD=\n")
    assert read_env(path) == {"A": "1", "B": "two words", "C": "three", "D": ""}
    path.write_text("A=1\nnonsense\n")
    with pytest.raises(DeployError, match="line 2"):
        read_env(path)
