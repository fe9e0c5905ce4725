"""Every package that the code imports stands in the lock of the part it belongs to.

With --no-deps a forgotten one is missing on a newcomer's machine, although not on one's own.
"""

import ast
import sys
import sysconfig
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest

from hub.host.install.state import ROOT

# Without what setuptools carries along, which is found only once that is imported.
INSTALLED = {one.name for one in distributions(path=[sysconfig.get_path("purelib")])}
PROVIDERS = {
    module: known
    for module, names in packages_distributions().items()
    if (known := [name for name in names if name in INSTALLED])
}
OURS = {"course", "hub", "tests"}
# Parts of hub/ that run only where more is installed, and what that is: files, or folders.
RUNS_WITH = {
    "hub/grading/isolation": "notebook",  # executes notebooks
    "hub/host/models.py": "notebook",  # fetches weights
    "hub/verification/symmetric_models.py": "notebook",  # proves with models
    "hub/jupyterhub/spawners/container.py": "containers",
}


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
    return {normal(line.partition("==")[0]) for line in lines} | (
        {"torch"} if "notebook" in names else set()  # it stands in no lock
    )


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@pytest.mark.parametrize(
    ("folder", "available"),
    [
        ("hub", locked("server")),
        ("hub/facts", set()),
        ("hub/host", set()),
        ("course", locked("notebook")),
        ("source", locked("notebook")),
        ("tests", locked("server", "notebook", "containers", "dev")),
    ],
)
def test_every_import_is_in_the_lock_of_its_part(folder, available):
    missing = {}
    for file in (ROOT / folder).rglob("*.py"):
        path = str(file.relative_to(ROOT))
        more = [lock for part, lock in RUNS_WITH.items() if path.startswith(part)]
        allowed = available | (locked(*more) if folder.startswith("hub") and more else set())
        for module in imported(file):
            names = {normal(name) for name in PROVIDERS.get(module, [module])}
            if not names & allowed:
                missing[path] = module
    assert missing == {}
