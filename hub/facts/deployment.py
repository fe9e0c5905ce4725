"""One deployment in containers: the names and addresses that compose.yaml gives the hub.

Everything is read from the environment of the hub's container, once; functions get it as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.facts import container_paths, containers, env
from hub.facts.errors import UserError

# Names on the networks of compose.yaml. The `-control` ones exist on the control network only.
HUB_API = "http://hub-control:8081"
PROXY_API = "http://proxy-control:8001"
EXCHANGE = "http://exchange-control:8102"
# Where students' servers find hub and exchange: the one address that they reach.
INSIDE = "http://proxy:8000"

# In the containers that run notebooks: models of the image.
MODELS = "/opt/logitlab/models"

SECRETS = Path("/run/secrets")


class DeploymentError(UserError):
    """The hub's container lacks something that compose.yaml gives; the message says what."""


@dataclass(frozen=True)
class Deployment:
    """What of a deployment the hub and its spawner have to know."""

    project: str
    tag: str
    url: str
    models_volume: bool = False
    internet: bool = False
    gpus: str = ""
    proxy_token: str = field(default="", repr=False)
    exchange_token: str = field(default="", repr=False)

    @property
    def network(self) -> str:
        return containers.network(self.project)

    @property
    def student_image(self) -> str:
        return containers.image("student", self.tag)

    @property
    def grader_image(self) -> str:
        return containers.image("grader", self.tag)

    def volume(self, name: str) -> str:
        return containers.volume(self.project, name)


def deployment(environ: Mapping[str, str], secrets: Path = SECRETS) -> Deployment:
    """The deployment that `environ` and the secret files describe.

    Raises DeploymentError where a variable or a secret is missing.
    """
    wanted = (env.PROJECT, env.TAG, env.URL)
    missing = [name for name in wanted if not environ.get(name)]
    if missing:
        raise DeploymentError(f"{', '.join(missing)} not set.", "Start this through compose.yaml.")
    return Deployment(
        project=environ[env.PROJECT],
        tag=environ[env.TAG],
        url=environ[env.URL],
        models_volume=environ.get(env.MODELS_MODE, "image") == "volume",
        internet=environ.get(env.STUDENT_INTERNET, "no") == "yes",
        gpus=environ.get(env.GPUS, ""),
        proxy_token=secret("proxy_token", secrets),
        exchange_token=secret("exchange_token", secrets),
    )


def models_folders(volume: bool) -> str:
    """`COURSE_MODELS` of a container. volume: does it have the deployment's folder of models?"""
    return f"{container_paths.DEPLOYMENTS_MODELS}:{MODELS}" if volume else MODELS


def secret(name: str, secrets: Path = SECRETS) -> str:
    """The secret `name` that compose.yaml hands over as a file."""
    try:
        return (secrets / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DeploymentError(
            f"The secret {name} cannot be read ({error.strerror}).", "`make up` makes it."
        ) from error
