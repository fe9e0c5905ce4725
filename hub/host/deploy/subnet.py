"""Finds a private network for students' servers that this host does not use yet."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

# The first free one is written into a new .env. The others are networks that the engine does not
# assign to other projects by default.
CANDIDATES = ("172.30.0.0/16", *(f"10.{number}.0.0/16" for number in range(201, 216)))


def overlapping(subnet: str, routes: Iterable[str]) -> list[str]:
    """Those of `routes`, this host's networks, that overlap `subnet`."""
    wanted = ipaddress.ip_network(subnet)
    return [route for route in routes if ipaddress.ip_network(route).overlaps(wanted)]


def free_subnet(routes: Iterable[str]) -> str | None:
    """The first candidate that overlaps no route, or None."""
    taken = list(routes)
    return next((one for one in CANDIDATES if not overlapping(one, taken)), None)


def host_routes(table: Path = Path("/proc/net/route")) -> tuple[str, ...]:
    """Networks of this host's interfaces, from the routing table, without the default route."""
    found = []
    for line in table.read_text().splitlines()[1:] if table.exists() else []:
        _, destination, _, _, _, _, _, mask, *_ = line.split()
        if mask != "00000000":
            address = ipaddress.ip_address(int.from_bytes(bytes.fromhex(destination), "little"))
            bits = int.from_bytes(bytes.fromhex(mask), "little").bit_count()
            found.append(f"{address}/{bits}")
    return tuple(found)
