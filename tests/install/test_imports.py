"""Every package that the code imports stands in the lock of the part it belongs to.

With --no-deps a forgotten one is missing on a newcomer's machine, although not on one's own.
"""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from hub.install.state import ROOT

PROVIDERS = packages_distributions()
OURS = {"course", "hub", "tests"}
# These parts of hub/ run only where the notebook libraries are: they execute notebooks.
NEEDS_NOTEBOOK = ROOT / "hub" / "grading" / "apart"
# What runs only in the hub's container; nothing of the embedded shape may import it.
IN_CONTAINERS = [ROOT / "hub" / "spawning" / "container.py"]


def imported(file: Path) -> set[str]:
    """Top-level modules that `file` imports, here or inside functions."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module)
    return {module.partition(".")[0] for module in modules} - set(sys.stdlib_module_names) - OURS


def locked(*names: str) -> set[str]:
    lines = [
        line
        for name in names
        for line in (ROOT / "requirements" / f"{name}.lock").read_text().splitlines()
    ]
    return {normal(line.partition("==")[0]) for line in lines}


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@pytest.mark.parametrize(
    ("folder", "available"),
    [
        ("hub", locked("server")),
        ("hub/grading/apart", locked("server", "notebook") | {"torch"}),
        ("hub/deploy", set()),
        ("course", locked("notebook") | {"torch"}),
        ("source", locked("notebook") | {"torch"}),
        ("tests", locked("server", "notebook", "containers", "dev") | {"torch"}),
    ],
)
def test_every_import_is_in_the_lock_of_its_part(folder, available):
    missing = {}
    for file in (ROOT / folder).rglob("*.py"):
        if folder == "hub" and NEEDS_NOTEBOOK in file.parents:
            continue
        allowed = available | (locked("containers") if file in IN_CONTAINERS else set())
        for module in imported(file):
            names = {normal(name) for name in PROVIDERS.get(module, [module])}
            if not names & allowed:
                missing[str(file.relative_to(ROOT))] = module
    assert missing == {}
