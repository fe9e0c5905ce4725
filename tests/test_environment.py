"""The environment is read where a process starts, and the names of its variables stand once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hub.core.environment import Environment, EnvironmentVariableError
from hub.facts import env

HUB = Path(__file__).parents[1] / "hub"

STARTS = "a process starts here"
MADE = "nbgrader or the Jupyter server makes it, and nothing of ours runs before"
HANDED_ON = "a copy for the processes that it starts"
HOST = "commands of the host: each is a process that asks for itself"
ALLOWED = {
    "cli/__init__.py": STARTS,
    "containers/__main__.py": STARTS,
    "exchange/__main__.py": STARTS,
    "jupyterhub/configuration/containers_config.py": STARTS,
    "jupyterhub/configuration/jupyterhub_config.py": STARTS,
    "services/executor/__main__.py": STARTS,
    "services/firewall/__main__.py": STARTS,
    "services/guard/__main__.py": STARTS,
    "singleuser/gpu/budget.py": "every kernel starts with it",
    "exchange/client/base.py": MADE,
    "grading/pipeline/autograde.py": MADE,
    "singleuser/confined.py": HANDED_ON,
    "singleuser/formgrader.py": MADE,
    "singleuser/gpu/extension.py": MADE,
    "singleuser/validation/validator.py": MADE,
    "singleuser/warm_kernels/provisioner.py": HANDED_ON,
    "singleuser/warm_kernels/template.py": HANDED_ON,
    "core/environment.py": "puts the executables of this Python on the PATH",
    "grading/isolation/prefix.py": "sees whether given cells change it",
    "grading/isolation/session.py": HANDED_ON,
    "grading/sandbox/forking.py": "sets that of a process that it forks",
    "grading/sandbox/run.py": HANDED_ON,
    "serve.py": HANDED_ON,
    "services/firewall/host.py": HANDED_ON,
    "host/deploy/gpus.py": HANDED_ON,
    "host/deploy/stack.py": HANDED_ON,
    "host/install/commands.py": HANDED_ON,
    "host/deploy/disk.py": HOST,
    "host/deploy/environment.py": HOST,
    "host/deploy/folder.py": HOST,
    "host/deploy/images.py": HOST,
    "host/deploy/models.py": HOST,
    "host/install/__main__.py": HOST,
    "host/install/steps.py": HOST,
}
NAMES: set[str] = {value for name, value in vars(env).items() if name.isupper()}


def reads(tree: ast.AST) -> bool:
    """Whether a module uses the environment in any way that Python has."""
    words = {"environ", "environb", "getenv", "getenvb"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in words and _is_os(node.value))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and _names(node) & words)
        for node in ast.walk(tree)
    )


def _is_os(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "os"


def _names(node: ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def modules() -> dict[str, ast.Module]:
    return {
        path.relative_to(HUB).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in HUB.rglob("*.py")
    }


def test_the_environment_is_read_where_a_process_starts_and_nowhere_else():
    assert sorted(name for name, tree in modules().items() if reads(tree)) == sorted(ALLOWED)


@pytest.mark.parametrize(
    "line",
    [
        "import os\nx = os.environ['A']",
        "import os\nx = os.getenv('A')",
        "from os import environ",
        "def f():\n    import os\n    return 'A' in os.environ",
    ],
)
def test_every_way_to_read_it_is_noticed(line):
    assert reads(ast.parse(line))


def test_the_name_of_a_variable_stands_once():
    again = {
        (name, node.value)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in NAMES and name != "facts/env.py"
    }
    assert again == set()


def test_what_is_unset_or_empty_is_the_course_without_containers():
    assert Environment.read({}) == Environment()
    assert Environment.read(dict.fromkeys(NAMES, "")) == Environment()


def test_each_variable_has_its_field():
    found = Environment.read(
        {
            "LOGITLAB_COURSE": "/srv/hub",
            "LOGITLAB_PEOPLE": "/srv/people",
            "LOGITLAB_GRADEBOOK": "postgresql:///gradebook",
            "LOGITLAB_HUB_DATABASE": "postgresql:///jupyterhub",
            "LOGITLAB_SHAPE": "containers",
            "LOGITLAB_URL": "https://course.example.org",
            "LOGITLAB_PORT": "8123",
            "XDG_DATA_HOME": "/data",
            "LOGITLAB_OAUTH_SECRET": "hush",
            "LOGITLAB_OAUTH_SECRET_FILE": "/run/secrets/oauth",
            "LOGITLAB_EXCHANGE_URL": "http://exchange:1",
            "JUPYTERHUB_API_TOKEN": "token",
            "JUPYTERHUB_USER": "alice",
            "LOGITLAB_EXECUTOR": "/run/executor/socket",
            "PATH": "/bin",
        }
    )
    assert found == Environment(
        course=Path("/srv/hub"),
        people=Path("/srv/people"),
        gradebook="postgresql:///gradebook",
        hub_database="postgresql:///jupyterhub",
        in_containers=True,
        url="https://course.example.org",
        port=8123,
        data_folder=Path("/data"),
        oauth_secret="hush",
        oauth_secret_file=Path("/run/secrets/oauth"),
        exchange_url="http://exchange:1",
        hub_token="token",
        hub_user="alice",
        executor=Path("/run/executor/socket"),
    )
    assert "hush" not in repr(found) and "token=" not in repr(found)


@pytest.mark.parametrize("port", ["eighty", "-1", "80a"])
def test_a_port_that_is_no_number_is_refused_by_its_name(port):
    with pytest.raises(EnvironmentVariableError, match=f"LOGITLAB_PORT={port}"):
        Environment.read({"LOGITLAB_PORT": port})
