"""The rules as data: settings in, lines for iptables out. Nothing here touches the host.

Each bridge has two chains of ours: one for what the host forwards from and to it, one for
what it sends to the host itself. INPUT, FORWARD and the engine's chain DOCKER-USER only jump
to them. Both FORWARD and DOCKER-USER do: the engine puts DOCKER-USER before what it accepts, but
removes and re-adds the jump to it whenever somebody creates a network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from hub.facts import env
from hub.facts.errors import UserError

Family = Literal["ipv4", "ipv6"]

PROXY_PORT = 8000
DNS_PORT = 53
ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
# Off limits to students' servers even with internet access: this network and its neighbours,
# other containers, carrier-grade NAT, cloud metadata services (169.254.169.254
# and the like, 100.100.100.200, 192.0.0.192, 168.63.129.16), documentation, multicast, reserved.
NOT_THE_INTERNET = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
_BRIDGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}", re.ASCII)


class FirewallError(UserError):
    """The rules cannot be applied; the message says why and what to do."""


@dataclass(frozen=True)
class Firewall:
    """One bridge and the addresses that the rules for it name."""

    bridge: str
    hub: str
    proxy: str
    internet: bool = False
    resolvers: tuple[str, ...] = ()  # for students' containers with `internet`

    @property
    def forward(self) -> str:
        # The kernel allows chain names of 28 characters, bridge names of 15.
        return f"LOGITLAB-FWD-{self.bridge}"

    @property
    def input(self) -> str:
        return f"LOGITLAB-IN-{self.bridge}"


def firewall_from(environ: Mapping[str, str], resolvers: tuple[str, ...] = ()) -> Firewall:
    """The firewall that `environ` describes (`python -m hub.services.firewall --help`).

    Raises FirewallError if a variable is missing or not valid.
    """
    bridge = environ.get(env.BRIDGE, "")
    if not _BRIDGE.fullmatch(bridge):
        raise FirewallError(f"LOGITLAB_BRIDGE: {bridge!r} is not the name of a bridge")
    internet = environ.get(env.STUDENT_INTERNET, "") or "no"
    if internet not in ("yes", "no"):
        raise FirewallError(f"STUDENT_INTERNET: {internet!r} is neither yes nor no")
    return Firewall(
        bridge=bridge,
        hub=_address(environ, env.HUB_IP),
        proxy=_address(environ, env.PROXY_IP),
        internet=internet == "yes",
        resolvers=resolvers if internet == "yes" else (),
    )


def _address(environ: Mapping[str, str], name: str) -> str:
    try:
        return str(ipaddress.IPv4Address(environ.get(name, "")))
    except ValueError:
        raise FirewallError(f"{name}: {environ.get(name)!r} is not an IPv4 address") from None


def resolvers(resolv_conf: str) -> tuple[str, ...]:
    """IPv4 addresses of the name servers in a resolv.conf, except the host's own."""
    found = []
    for line in resolv_conf.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0] == "nameserver":
            try:
                address = ipaddress.IPv4Address(fields[1])
            except ValueError:
                continue
            if not address.is_loopback:
                found.append(str(address))
    return tuple(dict.fromkeys(found))


def chains(wanted: Firewall, family: Family) -> dict[str, list[str]]:
    """Our chains and their rules, as iptables lists them."""
    host = [f"-A {wanted.input} {ESTABLISHED}", f"-A {wanted.input} -j DROP"]
    return {wanted.forward: _forward(wanted, family), wanted.input: host}


def _forward(wanted: Firewall, family: Family) -> list[str]:
    bridge, own = wanted.bridge, f"-A {wanted.forward}"
    if family == "ipv6":
        # Students' servers have no IPv6, so drop all of it.
        return [f"{own} -j DROP"]
    rules = [
        f"{own} {ESTABLISHED}",
        f"{own} -s {wanted.hub}/32 -i {bridge} -o {bridge} -j ACCEPT",
        f"{own} -s {wanted.proxy}/32 -i {bridge} -o {bridge} -j ACCEPT",
        f"{own} -d {wanted.proxy}/32 -i {bridge} -o {bridge} -p tcp -m tcp"
        f" --dport {PROXY_PORT} -j ACCEPT",
    ]
    if wanted.internet:
        for resolver in wanted.resolvers:
            for protocol in ("udp", "tcp"):
                rules.append(
                    f"{own} -d {resolver}/32 -i {bridge} -p {protocol} -m {protocol}"
                    f" --dport {DNS_PORT} -j RETURN"
                )
        rules += [f"{own} -d {net} -i {bridge} -j DROP" for net in NOT_THE_INTERNET]
        # Return to the engine's and the administrator's rules for outgoing traffic.
        rules.append(f"{own} -i {bridge} ! -o {bridge} -j RETURN")
    return [*rules, f"{own} -j DROP"]


def jumps(wanted: Firewall, listed: list[str]) -> dict[str, list[str]]:
    """The jumps to our chains, by the chain that they are in."""
    parents = ["DOCKER-USER", "FORWARD"] if "-N DOCKER-USER" in listed else ["FORWARD"]
    ways = {
        parent: [
            f"-A {parent} -i {wanted.bridge} -j {wanted.forward}",
            f"-A {parent} -o {wanted.bridge} -j {wanted.forward}",
        ]
        for parent in parents
    }
    return ways | {"INPUT": [f"-A INPUT -i {wanted.bridge} -j {wanted.input}"]}


def is_applied(wanted: Firewall, family: Family, listed: list[str]) -> bool:
    """Whether all rules are in place, and first, in the table that `iptables -S` listed."""
    for name, rules in chains(wanted, family).items():
        if _rules_of(name, listed) != rules:
            return False
    ways = jumps(wanted, listed)
    if sorted(_all_jumps(wanted, listed)) != sorted(chain.from_iterable(ways.values())):
        return False
    return all(_come_first(rules, parent, listed) for parent, rules in ways.items())


def repair(wanted: Firewall, family: Family, listed: list[str]) -> list[str]:
    """Lines for `iptables-restore --noflush` that put the rules in place, whatever was there.

    The kernel applies all of them or none: nothing is open in between.
    """
    ours, leading = chains(wanted, family), jumps(wanted, listed)
    lines = ["*filter", *(f":{name} - [0:0]" for name in ours)]  # flushes existing ones
    lines += [rule for rules in ours.values() for rule in rules]
    lines += [_deletion(rule) for rule in _all_jumps(wanted, listed)]
    for parent, rules in leading.items():
        lines += [
            f"-I {parent} {number} {rule.removeprefix(f'-A {parent} ')}"
            for number, rule in enumerate(rules, 1)
        ]
    return [*lines, "COMMIT"]


def removal(wanted: Firewall, listed: list[str]) -> list[str]:
    """Lines for `iptables-restore --noflush` that remove the rules."""
    found = [name for name in (wanted.forward, wanted.input) if f"-N {name}" in listed]
    lines = [_deletion(rule) for rule in _all_jumps(wanted, listed)]
    lines += [f"-F {name}" for name in found] + [f"-X {name}" for name in found]
    return ["*filter", *lines, "COMMIT"]


def _rules_of(name: str, listed: list[str]) -> list[str]:
    return [line for line in listed if line.startswith(f"-A {name} ")]


def _all_jumps(wanted: Firewall, listed: list[str]) -> list[str]:
    ends = (f"-j {wanted.forward}", f"-j {wanted.input}")
    return [line for line in listed if line.endswith(ends)]


def _deletion(rule: str) -> str:
    return f"-D {rule.removeprefix('-A ')}"


def _come_first(rules: list[str], parent: str, listed: list[str]) -> bool:
    """Whether a packet in `parent` meets all `rules` before it is accepted.

    Other deployments' jumps may come before ours, as they are for other bridges. What comes
    after DOCKER-USER in FORWARD comes after our rules in DOCKER-USER, too.
    """
    missing = set(rules)
    for rule in _rules_of(parent, listed):
        missing.discard(rule)
        if not missing or rule == "-A FORWARD -j DOCKER-USER":
            return True
        to_ours = re.search(r" -j LOGITLAB-(FWD|IN)-\S+$", rule)
        if not to_ours and (parent != "FORWARD" or rule.endswith("-j ACCEPT")):
            return False
    return False
