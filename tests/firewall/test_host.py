"""The rules on a real kernel, in a network namespace of their own, in both of its firewalls."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.needs import need

ENVIRONMENT = {
    "LOGITLAB_BRIDGE": "llt0",
    "LOGITLAB_HUB_IP": "10.201.9.2",
    "LOGITLAB_PROXY_IP": "10.201.9.3",
    "STUDENT_INTERNET": "no",
}
FIREWALL = [sys.executable, "-m", "hub.services.firewall"]


def command(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Namespace:
    """A host of its own: a bridge, and the engine's chain in the firewall `variant`."""

    name: str
    variant: str

    def run(self, *words: str, check: bool = True) -> str:
        return command("ip", "netns", "exec", self.name, *words, check=check)

    def rules(self, family: str = "") -> list[str]:
        return self.run(f"ip{family}tables-{self.variant}", "-S").splitlines()

    def change(self, *words: str) -> None:
        self.run(f"iptables-{self.variant}", *words)

    def firewall(self, *words: str, **others: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *FIREWALL, *words],
            env=os.environ | ENVIRONMENT | others,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextlib.contextmanager
    def watching(self, heartbeat) -> Iterator[subprocess.Popen]:
        process = subprocess.Popen(
            [
                *("ip", "netns", "exec", self.name, *FIREWALL),
                *("--heartbeat", str(heartbeat), "--seconds", "0.2"),
            ],
            env=os.environ | ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(params=["nft", "legacy"])
def host(request) -> Iterator[Namespace]:
    need("network", "firewalls")
    here = Namespace(f"llfw{secrets.token_hex(3)}", request.param)
    command("ip", "netns", "add", here.name)
    try:
        here.run("ip", "link", "add", "llt0", "type", "bridge")
        for call in ("iptables", "ip6tables"):
            here.run("sysctl", "-w", f"net.bridge.bridge-nf-call-{call}=1")
        here.change("-N", "DOCKER-USER")
        here.change("-A", "DOCKER-USER", "-j", "RETURN")
        here.change("-A", "FORWARD", "-j", "DOCKER-USER")
        here.change("-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
        yield here
    finally:
        command("ip", "netns", "del", here.name)


def within(seconds: float, happened: Callable[[], object]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.05)
    return False


def stands(host: Namespace) -> bool:
    rules = host.rules()
    first = next((rule for rule in rules if rule.startswith("-A DOCKER-USER ")), "")
    return first.endswith("-j LOGITLAB-FWD-llt0") and "-A LOGITLAB-FWD-llt0 -j DROP" in rules


def test_rules_are_set_once_in_the_firewall_that_the_engine_uses_and_taken_away(host):
    before, before6 = host.rules(), host.rules("6")
    first, second = host.firewall("--once"), host.firewall("--once")
    assert first.returncode == second.returncode == 0
    assert f"iptables-{host.variant}: rules for llt0 set" in first.stderr
    assert f"ip6tables-{host.variant}: rules for llt0 set" in first.stderr
    assert second.stderr == ""
    assert stands(host) and "-A LOGITLAB-FWD-llt0 -j DROP" in host.rules("6")
    assert set(before) <= set(host.rules())
    assert host.firewall("--remove").returncode == 0
    assert (host.rules(), host.rules("6")) == (before, before6)
    again = host.firewall("--remove")
    assert again.returncode == 0 and again.stderr == ""


def test_the_other_firewall_is_left_alone(host):
    other = Namespace(host.name, "legacy" if host.variant == "nft" else "nft")
    host.firewall("--once")
    if host.variant == "nft":
        # Even to list the old firewall's rules would load it.
        assert "filter" not in host.run("cat", "/proc/net/ip_tables_names", check=False)
    else:
        assert not any("LOGITLAB" in rule for rule in other.rules())


def test_where_both_firewalls_have_the_engines_chain_both_get_the_rules(host):
    other = Namespace(host.name, "legacy" if host.variant == "nft" else "nft")
    other.change("-N", "DOCKER-USER")
    other.change("-A", "FORWARD", "-j", "DOCKER-USER")
    assert host.firewall("--once").returncode == 0
    assert stands(host) and stands(other)


def test_rules_that_an_engine_flushes_or_reorders_come_back_and_the_heartbeat_tells(host, tmp_path):
    heartbeat = tmp_path / "ok"
    with host.watching(heartbeat):
        assert within(20, heartbeat.exists) and stands(host)
        first = heartbeat.stat().st_mtime
        assert within(5, lambda: heartbeat.stat().st_mtime > first)
        for change in (
            ["-F", "DOCKER-USER"],
            ["-I", "DOCKER-USER", "-j", "ACCEPT"],
            ["-F", "LOGITLAB-FWD-llt0"],
            ["-I", "LOGITLAB-FWD-llt0", "-j", "ACCEPT"],
            ["-F"],
        ):
            host.change(*change)
            if change == ["-F"]:
                host.change("-A", "FORWARD", "-j", "DOCKER-USER")
            assert within(10, lambda: stands(host)), change


def test_a_lost_bridge_stops_the_heartbeat_and_says_why(host, tmp_path):
    heartbeat = tmp_path / "ok"
    with host.watching(heartbeat) as process:
        assert within(20, heartbeat.exists)
        host.run("ip", "link", "del", "llt0")
        assert within(10, lambda: not heartbeat.exists())
        host.run("ip", "link", "add", "llt0", "type", "bridge")
        assert within(10, heartbeat.exists)
    log = process.stderr.read()
    assert "INFO hub.services.firewall the rules for llt0 are applied" in log
    assert "ERROR hub.services.firewall the rules for llt0 are not applied: there is no" in log


def test_when_the_firewall_ends_the_rules_stay_and_the_heartbeat_goes(host, tmp_path):
    heartbeat = tmp_path / "ok"
    with host.watching(heartbeat):
        assert within(20, heartbeat.exists)
    assert stands(host) and not heartbeat.exists()


@pytest.mark.parametrize("call", ["iptables", "ip6tables"])
def test_a_kernel_that_hides_the_bridges_traffic_is_reported_of(host, call):
    host.run("sysctl", "-w", f"net.bridge.bridge-nf-call-{call}=0")
    report = host.firewall("--once")
    assert report.returncode == 1
    assert f"sysctl -w net.bridge.bridge-nf-call-{call}=1" in report.stderr


def test_a_wrong_setting_ends_with_its_name(host):
    report = host.firewall("--once", LOGITLAB_HUB_IP="hub")
    assert (
        report.returncode == 1 and "LOGITLAB_HUB_IP: 'hub' is not an IPv4 address" in report.stderr
    )
