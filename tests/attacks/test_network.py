"""From inside a student's container: who can be reached. Real containers on a bridge of their own.

Two networks: the one that students get (closed by the engine as well, no way out), and a weaker
one (open between containers, with a way out and IPv6) on which nothing but our rules holds.
Every probe that fails has its positive control: it succeeds from a permitted place, or when the
rules are taken away.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import random
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
from docker.api import APIClient
from docker.types import IPAMConfig, IPAMPool

from tests.guard.engine import an_engine, busybox, tiny_image
from tests.needs import need

pytestmark = pytest.mark.docker

METADATA = "169.254.169.254"
PUBLIC = "192.88.99.7"  # a stand-in for any address of the internet; nobody uses this block
HOST_PORT = 18099
SERVER = (
    "echo yes > /tmp/index.html; for port in 8000 8001 8888; do httpd -h /tmp -p $port; done;"
    " exec sleep 600"
)


def command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60)


@dataclass
class Network:
    """A bridge with a hub, a proxy and two students on it, each with servers on three ports."""

    engine: APIClient
    name: str
    bridge: str
    prefix: str
    internet: bool
    ids: dict[str, str]

    def address(self, who: str) -> str:
        last = {"host": 1, "hub": 2, "proxy": 3, "alice": 20, "bob": 21}[who]
        return f"{self.prefix}.{last}"

    def address6(self, who: str) -> str:
        networks = self.engine.inspect_container(self.ids[who])["NetworkSettings"]["Networks"]
        return networks[self.name]["GlobalIPv6Address"]

    def run(self, who: str, *words: str) -> tuple[int, str]:
        made = self.engine.exec_create(self.ids[who], list(words))
        output = self.engine.exec_start(made["Id"])
        return self.engine.exec_inspect(made["Id"])["ExitCode"], output.decode()

    def reached(self, who: str, targets: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of `targets` whose server answers `who` within two seconds."""
        probes = []
        for address, port in targets:
            host = f"[{address}]" if ":" in address else address
            get = f"timeout 2 wget -q -O /dev/null http://{host}:{port}/"
            probes.append(f"({get} && echo {address} {port}) 2>/dev/null &")
        _, answered = self.run(who, "sh", "-c", " ".join([*probes, "wait"]))
        pairs = [line.split() for line in answered.splitlines()]
        return [(address, int(port)) for address, port in pairs]

    def reaches(self, who: str, address: str, port: int) -> bool:
        return bool(self.reached(who, [(address, port)]))

    def firewall(self, *words: str) -> None:
        environment = {
            "LOGITLAB_BRIDGE": self.bridge,
            "LOGITLAB_HUB_IP": self.address("hub"),
            "LOGITLAB_PROXY_IP": self.address("proxy"),
            "STUDENT_INTERNET": "yes" if self.internet else "no",
        }
        subprocess.run(
            [sys.executable, "-m", "hub.services.firewall", *words],
            env=os.environ | environment,
            check=True,
            timeout=60,
        )

    @contextlib.contextmanager
    def without_rules(self) -> Iterator[None]:
        self.firewall("--remove")
        try:
            yield
        finally:
            self.firewall("--once")


@contextlib.contextmanager
def network(*, internet: bool) -> Iterator[Network]:
    need("network")
    engine, mark = an_engine(), secrets.token_hex(3)
    image, number = f"lltest:{mark}", random.randrange(256)
    tiny_image(engine, image)
    folder = Network(engine, f"lltest{mark}", f"llt{mark}", f"10.201.{number}", internet, {})
    pools = [IPAMPool(f"{folder.prefix}.0/24", gateway=folder.address("host"))]
    if internet:
        pools.append(IPAMPool(f"fd00:201:{number:x}::/64"))
    try:
        engine.create_network(
            folder.name,
            driver="bridge",
            internal=not internet,
            enable_ipv6=internet,
            options={
                "com.docker.network.bridge.name": folder.bridge,
                "com.docker.network.bridge.enable_icc": "true" if internet else "false",
            },
            ipam=IPAMConfig(pool_configs=pools),
        )
        for who in ("hub", "proxy", "alice", "bob"):
            endpoint = engine.create_endpoint_config(ipv4_address=folder.address(who))
            made = engine.create_container(
                image,
                ["sh", "-c", SERVER],
                name=f"{folder.name}-{who}",
                host_config=engine.create_host_config(network_mode=folder.name, init=True),
                networking_config=engine.create_networking_config({folder.name: endpoint}),
            )
            folder.ids[who] = made["Id"]
            engine.start(made["Id"])
        folder.firewall("--once")
        yield folder
    finally:
        folder.firewall("--remove")
        for container in folder.ids.values():
            engine.remove_container(container, force=True)
        with contextlib.suppress(Exception):
            engine.remove_network(folder.name)
        engine.remove_image(image, force=True)


@pytest.fixture(scope="module")
def students() -> Iterator[Network]:
    """The network as compose.yaml makes it."""
    with network(internet=False) as folder:
        yield folder


@pytest.fixture(scope="module")
def weaker() -> Iterator[Network]:
    """The network with internet access, and with the engine's own barriers away."""
    with network(internet=True) as folder:
        yield folder


@pytest.fixture(params=["students", "weaker"])
def either(request) -> Network:
    return request.getfixturevalue(request.param)


class Yes(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def host_service() -> Iterator[None]:
    """Something that listens on every address of the host."""
    server = http.server.ThreadingHTTPServer(("0.0.0.0", HOST_PORT), Yes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Iterator[None]:
    """A neighbour of the host with the metadata service's address, and a public one."""
    known = subprocess.run(["ip", "route", "show", METADATA], capture_output=True, check=False)
    if known.stdout.strip():
        pytest.skip(f"this host has a route of its own to {METADATA}")
    name, link = f"llmeta{secrets.token_hex(2)}", f"llm{secrets.token_hex(3)}"
    inside = ["ip", "-n", name]
    server = None
    try:
        command("ip", "netns", "add", name)
        command("ip", "link", "add", link, "type", "veth", "peer", "name", "out", "netns", name)
        command("ip", "address", "add", "10.202.255.1/30", "dev", link)
        command("ip", "link", "set", link, "up")
        command(*inside, "address", "add", "10.202.255.2/30", "dev", "out")
        command(*inside, "link", "set", "out", "up")
        command(*inside, "link", "set", "lo", "up")
        command(*inside, "route", "add", "default", "via", "10.202.255.1")
        for address in (METADATA, PUBLIC):
            command(*inside, "address", "add", f"{address}/32", "dev", "lo")
            command("ip", "route", "add", f"{address}/32", "via", "10.202.255.2")
        (pages := tmp_path_factory.mktemp("elsewhere")).joinpath("index.html").write_text("yes")
        serve = [str(busybox()), "httpd", "-f", "-p", "80", "-h", str(pages)]
        server = subprocess.Popen(["ip", "netns", "exec", name, *serve])
        yield
    finally:
        if server:
            server.terminate()
            server.wait(10)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)


def test_a_student_reaches_the_proxys_public_port_and_no_other_of_its_ports(either):
    assert either.reaches("alice", either.address("proxy"), 8000)
    assert not either.reaches("alice", either.address("proxy"), 8001)
    assert either.reaches("hub", either.address("proxy"), 8001)  # positive control


def test_hub_and_proxy_reach_students_servers(either):
    for who in ("hub", "proxy"):
        assert either.reaches(who, either.address("alice"), 8888)


def test_a_student_cannot_reach_another_students_ports(either):
    assert not either.reaches("alice", either.address("bob"), 8888)
    assert not either.reaches("bob", either.address("alice"), 8001)
    assert either.reaches("proxy", either.address("bob"), 8888)  # positive control


def test_nothing_but_our_rules_keeps_students_apart_where_the_engine_does_not(weaker):
    with weaker.without_rules():
        assert weaker.reaches("alice", weaker.address("bob"), 8888)
        assert weaker.reaches("alice", weaker.address("proxy"), 8001)
    assert not weaker.reaches("alice", weaker.address("bob"), 8888)


def test_without_our_rules_students_reach_nobody(students):
    with students.without_rules():
        targets = [(students.address(who), 8000) for who in ("proxy", "hub", "bob")]
        assert students.reached("alice", targets) == []


def test_a_student_cannot_reach_the_hub(either):
    assert not either.reaches("alice", either.address("hub"), 8001)
    assert either.reaches("proxy", either.address("hub"), 8001)  # positive control


def datagrams_to_closed_ports(folder: Network, who: str) -> int:
    _, counts = folder.run(who, "grep", "Udp: [0-9]", "/proc/net/snmp")
    return int(counts.split()[2])


def test_datagrams_and_pings_do_not_pass_between_students(weaker):
    bob, before = weaker.address("bob"), datagrams_to_closed_ports(weaker, "bob")
    send = ["timeout", "1", "tftp", "-g", "-l", "/tmp/x", "-r", "x", bob, "9999"]
    ping = ["ping", "-c", "1", "-W", "1", bob]
    weaker.run("alice", *send)
    assert datagrams_to_closed_ports(weaker, "bob") == before
    assert weaker.run("alice", *ping)[0] != 0
    with weaker.without_rules():  # positive control
        weaker.run("alice", *send)
        assert datagrams_to_closed_ports(weaker, "bob") > before
        assert weaker.run("alice", *ping)[0] == 0


def test_ipv6_is_no_way_around(weaker):
    bob = weaker.address6("bob")
    assert not weaker.reaches("alice", bob, 8888)
    assert weaker.run("alice", "wget", "-q", "-O", "-", "http://[::1]:8888/")[0] == 0
    with weaker.without_rules():  # positive control; the neighbour may be asked for again first
        assert any(weaker.reaches("alice", bob, 8888) for _ in range(5))


def test_no_address_of_the_host_answers_a_student(either, host_service):
    targets = [(address, HOST_PORT) for address in [either.address("host"), *own_addresses()]]
    assert either.reached("alice", targets) == []
    with either.without_rules():  # positive control
        found = either.reached("alice", targets)
    assert targets[0] in found and (not either.internet or sorted(found) == sorted(targets))


def own_addresses() -> list[str]:
    """The host's addresses that are not on a network of these tests."""
    found = [each.address for addresses in psutil.net_if_addrs().values() for each in addresses]
    return [each for each in found if "." in each and not each.startswith(("10.201.", "127."))]


def test_the_host_still_reaches_students(either):
    """What it began is answered, also past the rule that drops what students begin."""
    url = f"http://{either.address('alice')}:8888/"
    done = subprocess.run(["busybox", "wget", "-q", "-O", "-", url], timeout=10, check=False)
    assert done.returncode == 0


def test_the_cloud_metadata_address_is_out_of_reach(weaker, elsewhere):
    assert not weaker.reaches("alice", METADATA, 80)
    with weaker.without_rules():
        assert weaker.reaches("alice", METADATA, 80)  # positive control


def test_the_internet_is_reached_where_it_is_allowed_and_private_networks_are_not(
    weaker, elsewhere
):
    assert weaker.reaches("alice", PUBLIC, 80)
    assert not weaker.reaches("alice", "10.202.255.2", 80)
    with weaker.without_rules():
        assert weaker.reaches("alice", "10.202.255.2", 80)  # positive control


def test_the_internet_is_not_reached_where_it_is_not_allowed(students, elsewhere):
    targets = [(address, 80) for address in (PUBLIC, METADATA, "10.202.255.2")]
    assert students.reached("alice", targets) == []
