"""What `make mutants` changes, and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MutatedModule:
    """A module of decisions, and its tests, which need no service, engine or root."""

    name: str
    tests: tuple[str, ...]


MODULES = (
    MutatedModule("hub.services.guard.create", ("tests/guard/test_create.py",)),
    MutatedModule("hub.exchange.access", ("tests/exchange/test_access.py",)),
    MutatedModule("hub.services.firewall.rules", ("tests/firewall/test_rules.py",)),
    MutatedModule("hub.jupyterhub.spawners.gpu.placement", ("tests/gpu/test_placement.py",)),
)
