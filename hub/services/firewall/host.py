"""The rules on this host: read, ensured, removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.services.firewall.rules import Family, Firewall, FirewallError, is_applied, removal, repair

TIMEOUT = 20  # seconds for one call of iptables
WAIT = "5"  # seconds to wait for somebody else's change
COMMANDS: dict[Family, str] = {"ipv4": "iptables", "ipv6": "ip6tables"}
LEGACY_TABLES: dict[Family, str] = {
    "ipv4": "/proc/net/ip_tables_names",
    "ipv6": "/proc/net/ip6_tables_names",
}
BRIDGE_CALLS: dict[Family, str] = {
    "ipv4": "bridge-nf-call-iptables",
    "ipv6": "bridge-nf-call-ip6tables",
}


@dataclass(frozen=True)
class Table:
    """The filter table of one family in one of the kernel's two firewalls."""

    family: Family
    variant: str  # nft or legacy

    def __str__(self) -> str:
        return f"{COMMANDS[self.family]}-{self.variant}"

    def rules(self) -> list[str]:
        """The rules as listed by `iptables -S`. Raises FirewallError."""
        return _run([str(self), "-w", WAIT, "-S"]).splitlines()

    def restore(self, lines: list[str]) -> None:
        """Apply `lines` atomically. Raises FirewallError."""
        wait = ["-w", WAIT] if self.variant == "legacy" else []
        command = [f"{COMMANDS[self.family]}-{self.variant}-restore", *wait, "--noflush"]
        _run(command, "\n".join([*lines, ""]))


def tables() -> list[Table]:
    """The tables that the rules belong in: the firewall that the engine uses, both families.

    If both of the kernel's firewalls have DOCKER-USER, both get the rules, as packets have to
    pass both. If neither has, nft gets them. Raises FirewallError if there is no iptables.
    """
    variants = [variant for variant in ("nft", "legacy") if _is_engines(variant)] or ["nft"]
    families: list[Family] = ["ipv4"]
    if Path("/proc/net/if_inet6").exists():
        families.append("ipv6")
    return [Table(family, variant) for variant in variants for family in families]


def _is_engines(variant: str) -> bool:
    if variant == "legacy" and not _legacy_is_in_use("ipv4"):
        return False
    return "-N DOCKER-USER" in Table("ipv4", variant).rules()


def _legacy_is_in_use(family: Family) -> bool:
    # Listing legacy rules would load the old firewall even if nothing uses it.
    try:
        return "filter" in Path(LEGACY_TABLES[family]).read_text(encoding="ascii").split()
    except OSError:
        return False


def ensure_rules(wanted: Firewall) -> Iterator[str]:
    """Ensure that the rules are applied, and yield a line for each table that had to be changed.

    Raises FirewallError if they are not applied afterwards, or the kernel would bypass them.
    """
    _check_bridge(wanted.bridge)
    for table in tables():
        listed = table.rules()
        if not is_applied(wanted, table.family, listed):
            table.restore(repair(wanted, table.family, listed))
            if not is_applied(wanted, table.family, table.rules()):
                raise FirewallError(f"{table}: the rules were set but are not applied")
            yield f"{table}: rules for {wanted.bridge} set"


def remove_rules(wanted: Firewall) -> Iterator[str]:
    """Remove the rules wherever they are, and yield a line for each table."""
    for variant in ("nft", "legacy"):
        for family in COMMANDS:
            if variant == "legacy" and not _legacy_is_in_use(family):
                continue
            table = Table(family, variant)
            lines = removal(wanted, table.rules())
            if len(lines) > 2:
                table.restore(lines)
                yield f"{table}: rules for {wanted.bridge} removed"


def _check_bridge(bridge: str) -> None:
    """Check that the bridge exists and that its traffic passes the firewall."""
    interface = Path("/sys/class/net") / bridge
    if not interface.exists():
        raise FirewallError(
            f"there is no bridge {bridge} on this host: either the students' network has not been "
            "created "
            "yet, or LOGITLAB_BRIDGE names another"
        )
    for family, call in BRIDGE_CALLS.items():
        own = interface / "bridge" / call.removeprefix("bridge-").replace("-", "_")
        if family == "ipv6" and not Path("/proc/net/if_inet6").exists():
            continue
        if not any(_is_on(path) for path in (Path("/proc/sys/net/bridge") / call, own)):
            raise FirewallError(
                f"net.bridge.{call} is not 1: traffic between students' servers does not "
                "pass the firewall.",
                f"On the host: modprobe br_netfilter; sysctl -w net.bridge.{call}=1",
            )


def _is_on(path: Path) -> bool:
    try:
        return path.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def _run(command: list[str], text: str = "") -> str:
    if shutil.which(command[0]) is None:
        raise FirewallError(f"{command[0]} is not installed.", "Debian: apt-get install iptables")
    # The lock file's default path is read-only in a container.
    environment = {**os.environ, "XTABLES_LOCKFILE": "/tmp/xtables.lock"}
    try:
        done = subprocess.run(
            command,
            input=text,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FirewallError(f"{command[0]} did not finish within {TIMEOUT} s") from None
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise FirewallError(f"{' '.join(command)}: {reason}")
    return done.stdout
