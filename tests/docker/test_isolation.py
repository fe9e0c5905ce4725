"""From inside a student's container of a whole deployment: what it reaches, reads and may do.

Every probe has its positive control: it succeeds from a permitted place, with permitted rights,
or when the one rule that stops it is taken away. The table of both is printed at the end and
written to artifacts/isolation.txt. (tests/attacks/test_network.py has the firewall's rules alone,
on a bridge of its own.)
"""

from __future__ import annotations

import http.server
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.docker import probes
from tests.docker.probes import Target, apart, inside, reached, reached_beside
from tests.docker.stage import Deployed, deployed, docker
from tests.e2e.hub_client import Person
from tests.needs import TAG

PROJECT = "lltiso"
SETTINGS = "containers: {pids: 192, memory_mib: 640, cpus: 2}"
BRIDGE = "lltiso-st"
GRADER = "grader-mechinterp"
METADATA = "169.254.169.254"
PORTS = (22, 53, 80, 443, 2019, 2375, 2376, 4243, 5432, 8000, 8001, 8080, 8081, 8082, 8102, 8443)
SERVER_PORTS = (8001, 8888)  # the second is JupyterLab's; on the first bob serves his home
PROXY = "http://proxy:8000"
STUDENT = f"logitlab/student:{TAG}"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments", "network", "nsenter"),
]


@dataclass
class Table:
    """What was seen, a row a probe."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def row(self, what: str, student: object, control: object) -> None:
        self.rows.append((what, str(student), str(control)))

    def __str__(self) -> str:
        head = ("what", "from alice's container", "positive control")
        rows = [head, *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


@pytest.fixture(scope="module")
def table(artifacts: Path) -> Iterator[Table]:
    made = Table()
    yield made
    artifacts.mkdir(exist_ok=True)
    (artifacts / "isolation.txt").write_text(f"{made}\n", encoding="utf-8")
    print(f"\n{made}")


@dataclass
class Class:
    """A deployment in which alice, bob and the formgrader have running servers."""

    stack: Deployed
    people: dict[str, Person]
    mark: str
    addresses: dict[str, dict[str, str]]  # service or user -> network -> address
    _containers: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, who: str) -> str:
        """The container of a user or of a part."""
        if who not in self._containers:
            name = self.stack.server_of(who) or self.stack.container(who)
            self._containers[who] = name
        return self._containers[who]

    def address(self, who: str, network: str = "students") -> str:
        return self.addresses[who][f"{PROJECT}_{network}"]

    def token_of(self, who: str) -> str:
        """The token that a user's server has for itself."""
        output = docker("exec", self[who], "sh", "-c", "echo $JUPYTERHUB_API_TOKEN")
        return output.strip()

    def asked(self, requests: list[tuple[str, str, str, Any]], where: str = "alice") -> list:
        """Statuses and bodies of requests (method, path, token, body) from a container."""
        full = [(method, PROXY + path, token, body) for method, path, token, body in requests]
        return inside(self[where], probes.ASK, full)


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("deployment"), PROJECT, SETTINGS) as made:
        yield made


@pytest.fixture(scope="module")
def room(stack) -> Iterator[Class]:
    mark = f"mark-{secrets.token_hex(12)}"
    names = ("alice", "bob", "instructor", "admin")
    people = {name: Person(stack.url, name, stack.passwords[name]) for name in names}
    for name in ("alice", "bob"):
        people[name].start_server()
    people["instructor"].start_server(GRADER)
    made = Class(stack, people, mark, {})
    docker("exec", made["bob"], "sh", "-c", f"echo {mark} > secret-of-bob.txt")
    serve = ("python", "-m", "http.server", "8001", "--bind", "0.0.0.0")
    docker("exec", "--detach", made["bob"], *serve)
    parts = docker("ps", "-q", f"--filter=label=com.docker.compose.project={PROJECT}").split()
    for container in [*parts, *stack_servers(stack)]:
        found = json.loads(docker("inspect", container))[0]
        labels = found["Config"]["Labels"]
        who = labels.get("com.docker.compose.service") or labels["logitlab.user"]
        networks = found["NetworkSettings"]["Networks"]
        made.addresses[who] = {
            name: each["IPAddress"] for name, each in networks.items() if each["IPAddress"]
        }
    yield made
    for person in people.values():
        person.close()


def stack_servers(stack: Deployed) -> list[str]:
    return docker("ps", "-q", f"--filter=label=logitlab.project={stack.project}").split()


# -- network ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host() -> Iterator[int]:
    """Something that listens on every address of the host; its port."""

    class Yes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Yes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def metadata(host) -> Iterator[Target]:
    """A stand-in for the clouds' metadata service: its address, on an interface of the host."""
    known = subprocess.run(["ip", "route", "show", METADATA], capture_output=True, check=False)
    if known.stdout.strip():
        pytest.skip(f"this host has a route of its own to {METADATA}")
    link = f"llmeta{secrets.token_hex(3)}"
    _ip("link", "add", link, "type", "bridge")  # not every kernel has the type made for this
    try:
        _ip("address", "add", f"{METADATA}/32", "dev", link)
        _ip("link", "set", link, "up")
        yield METADATA, host
    finally:
        _ip("link", "del", link)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


@contextmanager
def rules_away(room: Class) -> Iterator[None]:
    """The firewall's and the engine's rules for the students' bridge, out of force for a moment."""
    keeper = room["firewall"]
    environment = os.environ | {
        "LOGITLAB_BRIDGE": BRIDGE,
        "LOGITLAB_HUB_IP": room.address("hub"),
        "LOGITLAB_PROXY_IP": room.address("proxy"),
    }
    around = [f"FORWARD {way} {BRIDGE} -j ACCEPT" for way in ("-i", "-o")]

    def firewall(option: str) -> None:
        command = [sys.executable, "-m", "hub.services.firewall", option]
        subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True)

    docker("pause", keeper)
    try:
        firewall("--remove")
        for rule in around:
            subprocess.run(["iptables", "-w", "5", "-I", *rule.split()], check=True, timeout=30)
        yield
    finally:
        for rule in around:
            subprocess.run(["iptables", "-w", "5", "-D", *rule.split()], check=False, timeout=30)
        try:
            firewall("--once")
        finally:
            docker("unpause", keeper)


@contextmanager
def with_a_way_out(container: str, gateway: str) -> Iterator[None]:
    """A default route by the bridge, as networks with a way to the internet have, and internal
    ones of engines before 26: what then still stops a probe is a rule."""
    pid = docker("inspect", "--format={{.State.Pid}}", container).strip()
    inside = ["nsenter", "-t", pid, "-n", "ip", "route"]
    show = subprocess.run([*inside, "show", "default"], capture_output=True, check=True, timeout=30)
    if show.stdout.strip():
        yield
        return
    subprocess.run([*inside, "add", "default", "via", gateway], check=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run([*inside, "del", "default"], check=True, timeout=30)


def everywhere(room: Class) -> dict[Target, str]:
    """Every port worth trying of every service and server, on every network, with its name."""
    found: dict[Target, str] = {}
    for who, networks in room.addresses.items():
        for network, address in networks.items():
            for port in {*PORTS, *SERVER_PORTS}:
                found[address, port] = f"{who}:{port} on {network.removeprefix(PROJECT + '_')}"
    return found


def test_a_student_reaches_only_the_proxys_public_port_of_all_networks(room, table):
    """Among them: other servers, the hub, the proxy's API, the exchange, the gateway."""
    targets = everywhere(room)
    own = {(room.address("alice"), port) for port in SERVER_PORTS}
    seen = reached(room["alice"], targets) - own
    assert {targets[each] for each in seen} == {"proxy:8000 on students"}
    control = {targets[each] for each in reached_beside(room["proxy"], targets)}
    for wanted in (
        *(f"{who}:8888 on students" for who in ("alice", "bob", GRADER)),
        *("bob:8001 on students", "hub:8081 on control", "exchange:8102 on control"),
        *("proxy:8001 on control", "gateway:8080 on front"),
    ):
        assert wanted in control
        table.row(wanted, "closed", "open from the proxy")
    assert "proxy:8001 on students" not in control  # its API is on the control network only
    table.row("proxy:8000 on students", "open (wanted)", "open from the proxy")


def test_the_hub_reaches_students_servers(room):
    targets = [(room.address(who), 8888) for who in ("alice", "bob", GRADER)]
    assert reached(room["hub"], targets) == set(targets)


def test_the_formgrader_reaches_nothing_else_than_a_student_does(room, table):
    targets = everywhere(room)
    own = {(room.address(GRADER), port) for port in SERVER_PORTS}
    seen = reached(room[GRADER], targets) - own
    assert {targets[each] for each in seen} == {"proxy:8000 on students"}
    table.row("(from the formgrader) any but the proxy", "closed", "open from the proxy")


def test_names_of_other_networks_mean_nothing_to_a_student(room, table):
    look = "import json, os, socket, sys\nos.environ['RES_OPTIONS'] = 'timeout:1 attempts:1'\n"
    look += "said = {}\nfor name in json.loads(sys.argv[1]):\n"
    look += "    try:\n        said[name] = socket.gethostbyname(name)\n"
    look += "    except OSError:\n        said[name] = ''\nprint(json.dumps(said))"
    names = ["proxy", "hub-control", "proxy-control", "exchange-control", "db", "gateway"]
    seen = inside(room["alice"], look, names)
    assert {name for name, address in seen.items() if address} == {"proxy"}
    control = inside(room["hub"], look, names)
    assert control["exchange-control"] == room.address("exchange", "control")
    table.row("names of services but the proxy", "unknown", "known to the hub")
    # Nobody outside is asked (tests/attacks/test_name_lookups.py has what happens otherwise).
    asked = json.loads(docker("inspect", room["alice"]))[0]["HostConfig"]["Dns"]
    assert asked == ["127.0.0.1"]


def test_no_address_of_the_host_and_no_metadata_service_answers_a_student(
    room, table, host, metadata
):
    """And with the rules of the firewall and the engine away, they and bob's ports are open."""
    found = [each for addresses in psutil.net_if_addrs().values() for each in addresses]
    four = {each.address for each in found if each.family == socket.AF_INET}
    addresses = {each for each in four if not each.startswith("127.")}
    bridge = next(e.address for e in psutil.net_if_addrs()[BRIDGE] if e.family == socket.AF_INET)
    published = int(room.stack.url.rsplit(":", 1)[1])
    targets = {(address, port) for address in addresses for port in (host, published, 22)}
    targets |= {(room.address("bob"), port) for port in SERVER_PORTS} | {metadata}
    six = {each.address for each in found if each.family == socket.AF_INET6}
    assert reached(room["alice"], [*targets, *((each, host) for each in six)]) == set()
    with with_a_way_out(room["alice"], bridge):
        assert reached(room["alice"], targets) == set()
        with rules_away(room):
            control = reached(room["alice"], targets)
        assert {(bridge, host), metadata, (room.address("bob"), 8888)} <= control
        assert {(address, host) for address in addresses} <= control
        assert reached(room["alice"], targets) == set()  # the rules stand again
    away = "open without the rules"
    table.row(f"the host's addresses ({len(addresses)}), any port", "closed", away)
    table.row(f"the bridge's own address {bridge}", "closed", away)
    table.row(f"cloud metadata {METADATA}", "closed", away)
    table.row("bob:8888 on students", "closed", away)


# -- sockets and files -----------------------------------------------------------------------------

SOCKETS = {
    "/run/postgresql/.s.PGSQL.5432": "hub",
    "/run/guard/docker.sock": "hub",
    "/run/executor/socket": GRADER,
    "/var/run/docker.sock": "guard",
}


def test_the_sockets_of_database_guard_executor_and_engine_are_not_in_a_students_container(
    room, table
):
    seen = inside(room["alice"], probes.SOCKETS, list(SOCKETS))
    assert set(seen.values()) == {"No such file or directory"}
    for path, where in SOCKETS.items():
        assert inside(room[where], probes.SOCKETS, [path]) == {path: "open"}
        table.row(path, "not there", f"open from {where}")


def test_a_student_mounts_no_volume_but_the_own_home_and_the_settings(room, table):
    def volumes(who: str) -> set[tuple[str, bool]]:
        mounts = json.loads(docker("inspect", room[who]))[0]["Mounts"]
        return {(mount.get("Name", mount["Source"]), mount["RW"]) for mount in mounts}

    seen = volumes("alice")
    assert seen == {(f"{PROJECT}_home_alice", True), (f"{PROJECT}_config_student", False)}
    assert (f"{PROJECT}_exchange", True) in volumes("exchange")
    table.row("volumes", "home, settings (ro)", "exchange has its storage")


def test_nothing_of_another_student_and_no_secret_can_be_found_in_files_and_processes(room, table):
    folder = room.stack.folder / "secrets"
    known = {path.name: path.read_text().strip() for path in folder.iterdir()}
    words = [room.mark, room.token_of("bob"), room.token_of(GRADER), *known.values()]
    assert len({*words}) == len(known) + 3 and all(len(word) > 15 for word in words)
    assert inside(room["alice"], probes.SEARCH, words) == []
    assert "/home/student/secret-of-bob.txt" in inside(room["bob"], probes.SEARCH, [room.mark])
    own = [room.token_of("alice")]
    assert inside(room["alice"], probes.SEARCH, own)  # her own server's environment
    assert inside(room["hub"], probes.SEARCH, [known["exchange_token"]])
    table.row("bob's files", "not found", "found in bob's container")
    table.row("tokens of others, secrets of services", "not found", "found in the hub's container")


def test_a_students_environment_holds_no_secret_but_the_servers_own_token(room, table):
    names = docker("exec", room["alice"], "sh", "-c", "env | cut -d= -f1").split()
    telling = {each for each in names if any(word in each for word in ("TOKEN", "KEY", "PASS"))}
    assert telling == {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "TOKENIZERS_PARALLELISM"}
    values = docker("exec", room["alice"], "sh", "-c", "echo $JUPYTERHUB_API_TOKEN $JPY_API_TOKEN")
    assert set(values.split()) == {room.token_of("alice")}
    assert room.token_of("alice") != room.token_of("bob")
    table.row("secrets in the environment", "the own token", "bob's differs")


def test_a_student_sees_no_process_of_anybody_else(room, table):
    look = "import os; print([os.stat(f'/proc/{n}').st_uid for n in os.listdir('/proc')"
    look += " if n.isdigit()])"
    seen = set(json.loads(docker("exec", room["alice"], "python", "-c", look)))
    uid = int(docker("exec", room["alice"], "id", "-u"))
    other = int(docker("exec", room["bob"], "id", "-u"))
    assert seen == {uid} and uid >= 20000 and other not in seen
    on_host = {process.uids().real for process in psutil.process_iter() if process.is_running()}
    assert {uid, other, 0} <= on_host
    table.row("processes", "her own", "the host sees bob's")


def test_only_home_and_tmp_can_be_written(room, table):
    write = (
        "import json, os, sys\nsaid = {}\nfor place in json.loads(sys.argv[1]):\n"
        "    try:\n        path = place + '/probe'\n        open(path, 'w').close()\n"
        "        os.remove(path)\n        said[place] = 'written'\n"
        "    except OSError as error:\n        said[place] = error.strerror\n"
        "print(json.dumps(said))"
    )
    closed = ["/srv/config", "/opt/logitlab/models", "/opt/logitlab/app", "/usr/bin", "/etc", "/"]
    seen = inside(room["alice"], write, [*closed, "/home/student", "/tmp"])
    assert [seen.pop(folder) for folder in ("/home/student", "/tmp")] == ["written", "written"]
    assert "written" not in seen.values()
    # Not only by the owner of the files: the system is read-only for root, too.
    as_root = inside(room["alice"], write, closed, user="0")
    assert set(as_root.values()) == {"Read-only file system"}
    loose = ["--user=0", f"--volume={PROJECT}_config_student:/srv/config"]
    assert set(apart(STUDENT, loose, write, closed).values()) == {"written"}
    table.row("system, code, models, settings", "read-only", "writable without read_only")


# -- rights ----------------------------------------------------------------------------------------

LOOSE = (
    *("--user=0", "--cap-add=SYS_ADMIN", "--cap-add=SYSLOG"),
    *("--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined"),
    "--security-opt=apparmor=unconfined",
)


def test_a_student_has_no_rights_and_gains_none(room, table):
    seen, control = inside(room["alice"], probes.RIGHTS), apart(STUDENT, LOOSE, probes.RIGHTS)
    status, loose = seen.pop("status"), control.pop("status")
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
    assert int(loose["CapEff"], 16) > 0
    assert (loose["NoNewPrivs"].strip(), loose["Seccomp"].strip()) == ("0", "0")
    assert set(control.values()) == {"done"}
    for what, answer in seen.items():
        assert answer in ("EPERM", "EACCES", "EROFS"), what
        table.row(what, answer, "done with rights")
    table.row("CapEff, CapBnd", "0, 0", loose["CapEff"].strip())
    table.row("no_new_privs, seccomp", "1, 2", "0, 0")


def test_a_program_of_roots_in_the_home_gives_no_root(room, table):
    """As somebody could plant who restores a backup or has the disk for a moment."""
    home = json.loads(docker("volume", "inspect", f"{PROJECT}_home_alice"))[0]["Mountpoint"]
    planted = Path(home) / "planted"
    uid = docker("exec", room["alice"], "id", "-u").strip()
    copy = ("run", "--rm", "--user=0", "--network=none", "--entrypoint=")
    volume = f"--volume={PROJECT}_home_alice:/home/student"
    try:
        make = "cp /usr/bin/id /home/student/planted && chmod 4755 /home/student/planted"
        docker(*copy, volume, STUDENT, "sh", "-c", make)
        assert "euid=0" not in docker("exec", room["alice"], "/home/student/planted")
        loose = ("run", "--rm", f"--user={uid}", "--network=none", "--entrypoint=", volume)
        assert "euid=0(root)" in docker(*loose, STUDENT, "/home/student/planted")
    finally:
        planted.unlink(missing_ok=True)
    table.row("a set-uid program of root", "runs as alice", "root without no_new_privs")


def test_what_the_kernel_tells_of_the_host_is_masked(room, table):
    masked = ["/proc/keys", "/proc/timer_list", "/proc/kcore", "/proc/sysrq-trigger", "/proc/kmsg"]
    acpi = sorted(Path("/sys/firmware/acpi/tables").glob("[A-Z]*"))
    masked += [str(path) for path in acpi if path.is_file()][:1]
    seen = inside(room["alice"], probes.KERNEL_FILES, masked)
    assert set(seen.values()) == {0}
    control = apart(STUDENT, LOOSE, probes.KERNEL_FILES, ["/proc/keys", "/proc/timer_list"])
    assert all(control.values())
    table.row("/proc/keys, timer_list, kcore, kmsg", "nothing", "text where not masked")


# -- limits ----------------------------------------------------------------------------------------


def answers(room: Class, who: str) -> bool:
    return room.people[who].server("GET", "/api/status").status_code == 200


def test_a_fork_bomb_stops_at_the_limit_and_leaves_everybody_working(room, table):
    made, output = inside(room["alice"], probes.FORKS, 400)
    assert (output, made < 192) == ("Resource temporarily unavailable", True)
    assert answers(room, "alice") and answers(room, "bob")
    control = apart(STUDENT, ["--user=20000", "--pids-limit=600"], probes.FORKS, 400)
    assert control == [400, "no limit met"]
    table.row("400 processes (limit 192)", f"{made}, then {output!r}", "400 with a limit of 600")


def test_a_process_that_takes_too_much_memory_is_killed_and_the_server_stays(room, table):
    began = docker("inspect", "--format={{.State.StartedAt}}", room["alice"])
    command = ["docker", "exec", room["alice"], "python", "-c", probes.MEMORY, "900"]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 137
    assert answers(room, "alice")
    assert docker("inspect", "--format={{.State.StartedAt}}", room["alice"]) == began
    assert docker("exec", room["alice"], "python", "-c", probes.MEMORY, "200").strip() == "200"
    more = ("run", "--rm", "--network=none", "--memory=1200m", "--entrypoint=", STUDENT)
    assert docker(*more, "python", "-c", probes.MEMORY, "900").strip() == "900"
    table.row("900 MiB (limit 640)", "killed, server stays", "900 with a limit of 1200")


# -- the hub, by alice's tokens --------------------------------------------------------------------

HUB_CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/hub/api/users", None),
    ("GET", "/hub/api/users/bob", None),
    ("GET", "/hub/api/users/bob/tokens", None),
    ("POST", "/hub/api/users/bob/tokens", {"note": "probe"}),
    ("POST", "/hub/api/users/bob/server", None),
    ("DELETE", "/hub/api/users/instructor/server", None),
    ("POST", "/hub/api/users/bob/activity", {"last_activity": "2020-01-01T00:00:00Z"}),
    ("POST", "/hub/api/users", {"usernames": ["bob"]}),
    ("PATCH", "/hub/api/users/bob", {"admin": False}),
    ("GET", "/hub/api/groups", None),
    ("GET", "/hub/api/groups/nbgrader-mechinterp", None),
    ("POST", "/hub/api/groups/nbgrader-mechinterp/users", {"users": ["alice"]}),
    ("GET", "/hub/api/services", None),
    ("GET", "/hub/api/services/exchange", None),
    ("GET", "/hub/api/proxy", None),
    ("POST", "/hub/api/proxy", None),
    ("GET", "/hub/api/info", None),
    ("POST", "/hub/api/shutdown", {"proxy": "neither"}),
]


def test_the_hubs_api_gives_a_student_nothing_beyond_the_own_server(room, table):
    """With the token of her server, and with the widest that she can give herself."""
    admin = room.people["admin"].token(note="control")
    tokens = {"server's": room.token_of("alice"), "own": room.people["alice"].token(note="probe")}
    for kind, token in tokens.items():
        calls = [(method, path, token, body) for method, path, body in HUB_CALLS]
        for (method, path, _), (status, _) in zip(HUB_CALLS, room.asked(calls), strict=True):
            assert status in (401, 403, 404), f"{kind} token, {method} {path}: {status}"
    calls = [(method, path, admin, body) for method, path, body in HUB_CALLS]
    for (method, path, _), (status, output) in zip(HUB_CALLS, room.asked(calls), strict=True):
        # 400 and 409: the request got past the question who asks
        assert status < 300 or status in (400, 409), f"admin, {method} {path}: {status} {output}"
        table.row(f"{method} {path}", "refused, both tokens", f"{status} for an admin")


def test_a_student_cannot_give_herself_a_token_with_more_rights(room, table):
    for scopes in (["admin:users"], ["access:servers!user=bob"], ["servers!user=bob"], ["proxy"]):
        request = {"scopes": scopes, "note": "probe"}
        for name, wanted in (("alice", 400), ("admin", 201)):
            answer = room.people[name].api("POST", f"/users/{name}/tokens", json=request)
            assert answer.status_code == wanted, (name, scopes, answer.text)
    table.row("a token with an admin's scopes", "400", "201 for an admin")


@pytest.mark.parametrize("path", ["/hub/admin", "/hub/people"])
def test_pages_of_admins_are_not_a_students(room, table, path):
    seen = room.people["alice"].http.get(path)
    assert seen.status_code in (403, 404)
    control = room.people["admin"].http.get(path)
    assert control.status_code == 200
    table.row(path, seen.status_code, "200 for an admin")


@pytest.mark.parametrize("owner", ["bob", GRADER])
def test_another_persons_server_does_not_let_a_student_in(room, table, owner):
    """From inside over the proxy, and in her browser."""
    permitted = {"bob": "bob", GRADER: "instructor"}[owner]
    tokens = [room.token_of("alice"), room.people["alice"].token(note="probe")]
    path = f"/user/{owner}/api/contents"
    for status, _ in room.asked([("GET", path, token, None) for token in tokens]):
        assert status in (403, 404)
    page = room.people["alice"].http.get(f"/user/{owner}/lab")
    assert page.status_code in (403, 404) or "/hub/" in str(page.url)
    assert room.mark not in page.text
    control = room.people[permitted].server("GET", "/api/contents", owner=owner)
    assert control.status_code == 200
    table.row(f"{path}, both tokens, and its page", "refused", f"200 for {permitted}")


def test_a_student_cannot_start_the_formgrader_and_the_instructor_opens_it(room, table):
    answer = room.people["alice"].api("POST", f"/users/{GRADER}/server")
    assert answer.status_code in (403, 404)
    page = room.people["instructor"].http.get(f"/user/{GRADER}/formgrader")
    assert page.status_code == 200 and "ormgrader" in page.text
    table.row(f"start {GRADER}", answer.status_code, "open for the instructor")


def test_the_exchange_takes_a_student_for_a_student(room, table):
    course = "/services/exchange/api/courses/mechinterp"
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"{course}/submissions", None),
        ("GET", f"{course}/submissions?student=bob", None),
        ("PUT", f"{course}/assignments/probe", {}),
        ("DELETE", f"{course}/assignments/probe", None),
    ]
    tokens = [room.token_of("alice"), room.people["alice"].token(note="probe")]
    for token in tokens:
        found = room.asked([(method, path, token, body) for method, path, body in calls])
        assert [status for status, _ in found] == [403] * len(calls)
    grader = room.token_of(GRADER)
    found = room.asked([(method, path, grader, body) for method, path, body in calls], GRADER)
    for (method, path, _), (status, _) in zip(calls, found, strict=True):
        assert status not in (401, 403)
        table.row(f"{method} …{path.removeprefix(course)}", 403, f"{status} for the formgrader")
    assert room.asked([("GET", f"{course}/my-submissions", tokens[0], None)])[0][0] == 200
