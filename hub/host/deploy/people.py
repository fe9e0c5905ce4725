"""`roster` and `links`: run `logitlab roster` in the right container."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from hub.facts import accounts, container_paths, env
from hub.facts.containers import FIRST_COURSE, CourseStorage, image, volume
from hub.host.deploy.folder import DeployError
from hub.host.deploy.stack import Stack, need_running, opened


def course_command(
    stack: Stack,
    storage: CourseStorage,
    *arguments: str,
    mounts: tuple[str, ...] = (),
    folder: str = "/tmp",
) -> list[str]:
    """A command in a container of its own, with a course and its gradebook mounted."""
    project, tag = stack.project, stack.variables[env.TAG]
    volumes = {
        storage.folder: container_paths.COURSE,
        storage.people: container_paths.PEOPLE,
        "db_socket": f"{container_paths.DATABASE}:ro",
    }
    environment = {
        env.SHAPE: "containers",
        env.COURSE: container_paths.COURSE,
        env.PEOPLE: container_paths.PEOPLE,
        env.GRADEBOOK: storage.gradebook_url,
        env.URL: stack.url,
        "HOME": "/tmp",
    }
    return [
        *("docker", "run", "--rm", "-i", "--network=none", "--read-only"),
        f"--user={accounts.GRADER}:{accounts.GRADER}",
        *("--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--tmpfs=/tmp"),
        f"--workdir={folder}",
        *(f"--volume={volume(project, name)}:{path}" for name, path in volumes.items()),
        *(f"--volume={mount}" for mount in mounts),
        *(f"--env={name}={value}" for name, value in environment.items()),
        *(["-t"] if sys.stdin.isatty() else []),
        image("grader", tag),
        *arguments,
    ]


def hub_command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess:
    """`logitlab …` in the hub's container."""
    return stack.compose("exec", "-T", "hub", "logitlab", *arguments)


def roster_command(stack: Stack, table: Path, yes: bool) -> list[str]:
    """The command that imports `table`, under its own name so that messages show it."""
    command = ["logitlab", "roster", "import", table.name, *(["--yes"] if yes else [])]
    mount = f"{table}:/tables/{table.name}:ro"
    return course_command(stack, FIRST_COURSE, *command, mounts=(mount,), folder="/tables")


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand `name`."""
    if name == "roster":
        parser.add_argument("table", type=Path, help="CSV file: username, first_name, last_name…")
        parser.add_argument("--yes", action="store_true", help="apply without asking")
    else:
        parser.add_argument(
            "names",
            nargs="*",
            help="for these people; default: all with neither a password nor an open link",
        )


def run(name: str, arguments: argparse.Namespace) -> int:
    """Run the subcommand `name`; returns the exit status. Raises DeployError."""
    stack = opened()
    need_running(stack, "db" if name == "roster" else "hub")
    if name == "links":
        new = [f"--new={name}" for name in arguments.names]
        return hub_command(stack, "roster", "links", *(new or ["--missing"])).returncode
    table = arguments.table.resolve()
    if not table.is_file():
        raise DeployError(f"{table} is not a file.", "Usage: `make roster FILE=students.csv`.")
    return subprocess.run(roster_command(stack, table, arguments.yes)).returncode
