"""The rules as data."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.services.firewall.rules import (
    NOT_THE_INTERNET,
    Firewall,
    FirewallError,
    chains,
    firewall_from,
    is_applied,
    removal,
    repair,
    resolvers,
)

CLOSED = Firewall("logitlab0", "10.201.0.2", "10.201.0.3")
OPEN = Firewall("logitlab0", "10.201.0.2", "10.201.0.3", True, ("10.0.0.53",))
ENVIRONMENT = {
    "LOGITLAB_BRIDGE": "logitlab0",
    "LOGITLAB_HUB_IP": "10.201.0.2",
    "LOGITLAB_PROXY_IP": "10.201.0.3",
}
# What an engine leaves on a host that has nothing else.
ENGINES = [
    *("-P INPUT ACCEPT", "-P FORWARD DROP", "-P OUTPUT ACCEPT"),
    *("-N DOCKER", "-N DOCKER-ISOLATION-STAGE-1", "-N DOCKER-USER"),
    *("-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"),
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A DOCKER-USER -j RETURN",
]


def restored(listed: list[str], lines: list[str]) -> list[str]:
    """What iptables lists after `iptables-restore --noflush` was given `lines`."""
    now = list(listed)
    for line in lines:
        verb, chain, *_ = [*line.split(), ""]
        if line.startswith(":"):
            name = verb[1:]
            now = [rule for rule in now if not rule.startswith(f"-A {name} ")]
            now += [] if f"-N {name}" in now else [f"-N {name}"]
        elif verb == "-A":
            now.append(line)
        elif verb == "-D":
            now.remove("-A " + line.removeprefix("-D "))
        elif verb == "-I":
            folder = int(line.split()[2])
            first = [i for i, rule in enumerate(now) if rule.startswith(f"-A {chain} ")]
            at = first[folder - 1] if folder <= len(first) else len(now)
            now.insert(at, line.replace(f"-I {chain} {folder}", f"-A {chain}", 1))
        elif verb == "-F":
            now = [rule for rule in now if not rule.startswith(f"-A {chain} ")]
        elif verb == "-X":
            now.remove(f"-N {chain}")
    return now


@pytest.mark.parametrize("wanted", [CLOSED, OPEN])
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_after_a_repair_the_rules_stand_and_after_a_removal_nothing_is_left(wanted, family):
    assert not is_applied(wanted, family, ENGINES)
    repaired = restored(ENGINES, repair(wanted, family, ENGINES))
    assert is_applied(wanted, family, repaired)
    left = restored(repaired, removal(wanted, repaired))
    assert sorted(left) == sorted(ENGINES)
    assert removal(wanted, ENGINES) == ["*filter", "COMMIT"]


ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
FWD, IN = "-A LOGITLAB-FWD-logitlab0", "-A LOGITLAB-IN-logitlab0"
BETWEEN = [
    f"{FWD} {ESTABLISHED}",
    f"{FWD} -s 10.201.0.2/32 -i logitlab0 -o logitlab0 -j ACCEPT",
    f"{FWD} -s 10.201.0.3/32 -i logitlab0 -o logitlab0 -j ACCEPT",
    f"{FWD} -d 10.201.0.3/32 -i logitlab0 -o logitlab0 -p tcp -m tcp --dport 8000 -j ACCEPT",
]
FROM_THE_BRIDGE_TO_THE_HOST = [f"{IN} {ESTABLISHED}", f"{IN} -j DROP"]


def test_without_internet_these_are_all_rules():
    assert chains(CLOSED, "ipv4") == {
        CLOSED.forward: [*BETWEEN, f"{FWD} -j DROP"],
        CLOSED.input: FROM_THE_BRIDGE_TO_THE_HOST,
    }


def test_with_internet_names_and_global_addresses_come_in_between():
    rules = chains(OPEN, "ipv4")
    assert rules[OPEN.input] == FROM_THE_BRIDGE_TO_THE_HOST
    private = [f"{FWD} -d {net} -i logitlab0 -j DROP" for net in NOT_THE_INTERNET]
    assert rules[OPEN.forward] == [
        *BETWEEN,
        f"{FWD} -d 10.0.0.53/32 -i logitlab0 -p udp -m udp --dport 53 -j RETURN",
        f"{FWD} -d 10.0.0.53/32 -i logitlab0 -p tcp -m tcp --dport 53 -j RETURN",
        *private,
        f"{FWD} -i logitlab0 ! -o logitlab0 -j RETURN",
        f"{FWD} -j DROP",
    ]


@pytest.mark.parametrize("wanted", [CLOSED, OPEN])
def test_nothing_passes_by_ipv6(wanted):
    assert chains(wanted, "ipv6") == {
        wanted.forward: [f"{FWD} -j DROP"],
        wanted.input: FROM_THE_BRIDGE_TO_THE_HOST,
    }


def test_a_repair_and_a_removal_are_one_transaction_of_the_table_filter():
    listed = [*ENGINES, "-A FORWARD -o logitlab0 -j LOGITLAB-FWD-logitlab0"]
    assert repair(CLOSED, "ipv4", listed) == [
        *("*filter", ":LOGITLAB-FWD-logitlab0 - [0:0]", ":LOGITLAB-IN-logitlab0 - [0:0]"),
        *(*BETWEEN, f"{FWD} -j DROP", *FROM_THE_BRIDGE_TO_THE_HOST),
        "-D FORWARD -o logitlab0 -j LOGITLAB-FWD-logitlab0",
        "-I DOCKER-USER 1 -i logitlab0 -j LOGITLAB-FWD-logitlab0",
        "-I DOCKER-USER 2 -o logitlab0 -j LOGITLAB-FWD-logitlab0",
        "-I FORWARD 1 -i logitlab0 -j LOGITLAB-FWD-logitlab0",
        "-I FORWARD 2 -o logitlab0 -j LOGITLAB-FWD-logitlab0",
        "-I INPUT 1 -i logitlab0 -j LOGITLAB-IN-logitlab0",
        "COMMIT",
    ]
    assert removal(CLOSED, [*listed, f"-N {CLOSED.forward}", f"-N {CLOSED.input}"]) == [
        "*filter",
        "-D FORWARD -o logitlab0 -j LOGITLAB-FWD-logitlab0",
        *("-F LOGITLAB-FWD-logitlab0", "-F LOGITLAB-IN-logitlab0"),
        *("-X LOGITLAB-FWD-logitlab0", "-X LOGITLAB-IN-logitlab0"),
        "COMMIT",
    ]


@pytest.mark.parametrize(
    ("before", "stands"),
    [
        ("-A INPUT -j SOMEBODYS-CHAIN", False),  # which may accept
        ("-A DOCKER-USER -j SOMEBODYS-CHAIN", False),
        ("-A FORWARD -j ACCEPT", False),
        ("-A FORWARD -j SOMEBODYS-CHAIN", True),
        ("-A INPUT -i other0 -j LOGITLAB-IN-other0", True),
    ],
)
def test_which_rules_may_precede_our_jumps(before, stands):
    listed = restored(ENGINES, repair(CLOSED, "ipv4", ENGINES))
    parent = before.split()[1]
    first = next(i for i, line in enumerate(listed) if line.startswith(f"-A {parent} "))
    assert is_applied(CLOSED, "ipv4", [*listed[:first], before, *listed[first:]]) == stands


@given(st.data())
def test_whatever_is_lost_or_added_is_noticed_and_repaired(data):
    listed = restored(ENGINES, repair(CLOSED, "ipv4", ENGINES))
    if data.draw(st.booleans()):
        lost = data.draw(st.sampled_from([line for line in listed if "LOGITLAB" in line]))
        if lost.startswith("-N"):
            chain = lost.removeprefix("-N ")
            listed = [line for line in listed if chain not in line]
        else:
            listed.remove(lost)
    else:
        parent = data.draw(st.sampled_from(["DOCKER-USER", "INPUT", CLOSED.forward, CLOSED.input]))
        first = next(i for i, line in enumerate(listed) if line.startswith(f"-A {parent} "))
        listed.insert(first, f"-A {parent} -j ACCEPT")
    assert not is_applied(CLOSED, "ipv4", listed)
    assert is_applied(CLOSED, "ipv4", restored(listed, repair(CLOSED, "ipv4", listed)))


def test_other_settings_replace_the_rules():
    listed = restored(ENGINES, repair(OPEN, "ipv4", ENGINES))
    assert not is_applied(CLOSED, "ipv4", listed)
    assert is_applied(CLOSED, "ipv4", restored(listed, repair(CLOSED, "ipv4", listed)))


def test_two_deployments_on_one_host_leave_each_other_in_peace():
    other = Firewall("other0", "10.202.0.2", "10.202.0.3")
    listed = restored(ENGINES, repair(CLOSED, "ipv4", ENGINES))
    listed = restored(listed, repair(other, "ipv4", listed))
    assert is_applied(CLOSED, "ipv4", listed) and is_applied(other, "ipv4", listed)
    left = restored(listed, removal(other, listed))
    assert is_applied(CLOSED, "ipv4", left) and "other0" not in " ".join(left)


def test_without_the_engines_chain_the_rules_hang_on_forward():
    bare = ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT"]
    listed = restored(bare, repair(CLOSED, "ipv4", bare))
    assert is_applied(CLOSED, "ipv4", listed)
    assert "-A FORWARD -i logitlab0 -j LOGITLAB-FWD-logitlab0" in listed
    # The engine comes, and with it a chain that goes before FORWARD's own rules.
    listed += ["-N DOCKER-USER", "-A DOCKER-USER -j RETURN"]
    listed.insert(3, "-A FORWARD -j DOCKER-USER")
    assert not is_applied(CLOSED, "ipv4", listed)
    moved = restored(listed, repair(CLOSED, "ipv4", listed))
    assert is_applied(CLOSED, "ipv4", moved)
    assert "-A DOCKER-USER -i logitlab0 -j LOGITLAB-FWD-logitlab0" in moved


def test_the_engine_may_put_its_chain_in_front_and_take_it_out_without_a_gap():
    listed = restored(ENGINES, repair(CLOSED, "ipv4", ENGINES))
    listed.remove("-A FORWARD -j DOCKER-USER")
    assert is_applied(CLOSED, "ipv4", listed)  # by the jumps in FORWARD
    first = next(i for i, line in enumerate(listed) if line.startswith("-A FORWARD "))
    accepting = "-A FORWARD -i logitlab0 -j ACCEPT"
    listed[first:first] = ["-A FORWARD -j DOCKER-USER", accepting]
    assert is_applied(CLOSED, "ipv4", listed)  # by the jumps in DOCKER-USER
    listed.remove("-A FORWARD -j DOCKER-USER")
    assert not is_applied(CLOSED, "ipv4", listed)


@pytest.mark.parametrize(
    "before", [[], ["-A FORWARD -i logitlab0 -j ACCEPT", "-A FORWARD -j DOCKER-USER"]]
)
def test_a_chain_that_no_packet_reaches_is_not_relied_on(before):
    listed = [*before, "-N DOCKER-USER", "-A DOCKER-USER -j RETURN"]
    repaired = restored(listed, repair(CLOSED, "ipv4", listed))
    assert is_applied(CLOSED, "ipv4", repaired)
    forward = [line for line in repaired if line.startswith("-A FORWARD ")]
    assert all("LOGITLAB" in line for line in forward[:2])


def within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


def verdict(wanted: Firewall, source: str, target: str, out: str, port: int = 8888) -> str:
    """What the rules say to a new TCP connection that comes in at the bridge."""
    for rule in chains(wanted, "ipv4")[wanted.forward]:
        words = rule.split()
        output = dict(itertools.pairwise(words))
        away = "! -o" in rule
        if (
            "--ctstate" in output
            or (
                "-s" in output
                and ipaddress.ip_address(source) not in ipaddress.ip_network(output["-s"])
            )
            or (
                "-d" in output
                and ipaddress.ip_address(target) not in ipaddress.ip_network(output["-d"])
            )
            or ("-o" in output and (output["-o"] == out) == away)
            or output.get("-p", "tcp") != "tcp"
            or ("--dport" in output and int(output["--dport"]) != port)
        ):
            continue
        return output["-j"]
    raise AssertionError("no rule decides")


STUDENT, PEER = "10.201.0.20", "10.201.0.21"


@pytest.mark.parametrize("wanted", [CLOSED, OPEN])
def test_which_addresses_reach_which_on_the_bridge(wanted):
    bridge = wanted.bridge
    assert verdict(wanted, STUDENT, wanted.proxy, bridge, 8000) == "ACCEPT"
    assert verdict(wanted, STUDENT, wanted.proxy, bridge, 8001) == "DROP"
    assert verdict(wanted, STUDENT, PEER, bridge) == "DROP"
    assert verdict(wanted, STUDENT, wanted.hub, bridge, 8081) == "DROP"
    assert verdict(wanted, wanted.hub, STUDENT, bridge) == "ACCEPT"
    assert verdict(wanted, wanted.proxy, STUDENT, bridge) == "ACCEPT"


@given(st.ip_addresses(v=4))
def test_internet_access_is_access_to_global_addresses_only(address):
    assert verdict(CLOSED, STUDENT, str(address), "eth0") == "DROP"
    if verdict(OPEN, STUDENT, str(address), "eth0") == "RETURN":
        relays = ipaddress.ip_network("192.88.99.0/24")  # public, and counted as reserved
        assert address.is_global or address in relays


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
        *("10.0.0.1", "172.17.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "127.0.0.53"),
        *("224.0.0.251", "255.255.255.255", "0.0.0.0", "198.18.0.1", "240.0.0.1"),
    ],
)
def test_internet_access_is_not_access_to(address):
    assert verdict(OPEN, STUDENT, address, "eth0", 80) == "DROP"


def test_names_are_looked_up_at_the_hosts_own_resolver_and_nothing_else_is_asked_there():
    assert verdict(OPEN, STUDENT, "10.0.0.53", "eth0", 53) == "RETURN"
    assert verdict(OPEN, STUDENT, "10.0.0.53", "eth0", 80) == "DROP"
    assert verdict(CLOSED, STUDENT, "10.0.0.53", "eth0", 53) == "DROP"


def test_resolvers_are_read_from_resolv_conf():
    text = "# c\nsearch 10.0.0.54\nnameserver 127.0.0.53\nnameserver 10.0.0.53\n"
    text += "nameserver fe80::1\nnameserver 10.0.0.53\nnameserver x\nnameserver\n"
    assert resolvers(text) == ("10.0.0.53",)


def test_names_of_chains_fit_into_the_kernels_28_characters():
    longest = Firewall("b" * 15, "10.201.0.2", "10.201.0.3")
    assert len(longest.forward) <= 28 and len(longest.input) <= 28


def test_settings_come_from_the_environment():
    assert firewall_from(ENVIRONMENT, ("10.0.0.53",)) == CLOSED
    opened = firewall_from(ENVIRONMENT | {"STUDENT_INTERNET": "yes"}, ("10.0.0.53",))
    assert opened == OPEN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOGITLAB_BRIDGE", ""),
        ("LOGITLAB_BRIDGE", "a" * 16),
        ("LOGITLAB_BRIDGE", "br0 -j ACCEPT"),
        ("LOGITLAB_BRIDGE", "br+"),
        ("LOGITLAB_HUB_IP", ""),
        ("LOGITLAB_HUB_IP", "10.0.0.0/8"),
        ("LOGITLAB_PROXY_IP", "proxy"),
        ("LOGITLAB_PROXY_IP", "10.0.0.1\n-A INPUT -j ACCEPT"),
        ("STUDENT_INTERNET", "Yes"),
    ],
)
def test_wrong_settings_are_refused_by_name(name, value):
    with pytest.raises(FirewallError, match=name):
        firewall_from(ENVIRONMENT | {name: value})
