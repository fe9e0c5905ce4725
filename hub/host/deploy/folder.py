"""The deployment's folder: the files that an admin edits, and the generated secrets.

By default `docker/` in the checkout, where git ignores everything that we do not ship. To run
several deployments of one checkout, `$LOGITLAB_DEPLOYMENT` names another folder for each.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from hub.facts import env, files
from hub.facts.errors import UserError
from hub.host.deploy.subnet import CANDIDATES, free_subnet, host_routes

CHECKOUT = Path(__file__).resolve().parents[3]
SECRETS = {"proxy_token": 32, "exchange_token": 32, "crypt_key": 32}


class DeployError(UserError):
    """Something on this host prevents the command; the message says how to fix it."""


def folder() -> Path:
    """The deployment's folder, absolute."""
    return Path(os.environ.get(env.DEPLOYMENT) or CHECKOUT / "docker").resolve()


def prepare(deployment: Path) -> Iterator[str]:
    """Create whatever the deployment's folder lacks; existing files are kept. Yields what it made.

    Raises DeployError if the folder cannot be written.
    """
    try:
        deployment.mkdir(parents=True, exist_ok=True)
        for target, text in (
            (deployment / ".env", example_env),
            (deployment / "course.yaml", example_course),
        ):
            if not target.exists():
                target.write_text(text(), encoding="utf-8")
                yield (
                    f"{target}: written with the defaults; edit it and run this command again to "
                    "apply"
                )
        (deployment / "jupyterhub.d").mkdir(exist_ok=True)
        make_models_folder(deployment)
        yield from _make_secrets(deployment / "secrets")
    except OSError as error:
        raise DeployError(
            f"{error.filename}: {error.strerror}.", "Choose another folder."
        ) from error


def make_models_folder(deployment: Path) -> Path:
    """`models/` of the deployment, readable by the host's other accounts and by containers."""
    models = deployment / "models"
    if not models.exists():
        models.mkdir(parents=True)
        models.chmod(0o755)
    return models


def example_env() -> str:
    """The text of a new .env: the example, with a subnet that is free on this host."""
    text = (CHECKOUT / "docker" / "env.example").read_text(encoding="utf-8")
    first = CANDIDATES[0]
    free = free_subnet(host_routes()) or first  # `doctor` then reports what it overlaps
    return text.replace(f"STUDENTS_SUBNET={first}", f"STUDENTS_SUBNET={free}")


def example_course() -> str:
    """The text of a new course.yaml."""
    return (CHECKOUT / "hub" / "core" / "course.example.yaml").read_text(encoding="utf-8")


def _make_secrets(deployment: Path) -> Iterator[str]:
    """A random secret per name. The folder is closed to others; the files are readable by all,
    as the users of the containers that mount them are not this host's."""
    deployment.mkdir(mode=0o700, exist_ok=True)
    deployment.chmod(0o700)
    for name, size in SECRETS.items():
        path = deployment / name
        if path.exists():
            continue
        files.replace(path, secrets.token_hex(size) + "\n", mode=0o444)
        yield f"{path}: new secret"


def read_env(path: Path) -> dict[str, str]:
    """The variables of an environment file as Compose reads it: NAME=value lines, # comments.

    Raises DeployError naming the first line that is neither.
    """
    variables = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise DeployError(f"{path}, line {number}: expected NAME=value, found {text!r}")
        value = value.split(" #")[0].strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        variables[name] = value
    return variables
