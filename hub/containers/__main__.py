"""`python -m hub.containers SERVICE`: the commands of compose.yaml's services."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from hub.containers.setup import setup as set_up
from hub.core.course_folder import CourseFolder, default_root, open_course
from hub.core.environment import Environment
from hub.core.settings import load_settings
from hub.facts import env
from hub.facts.containers import database_url
from hub.facts.deployment import HUB_API, secret
from hub.facts.errors import UserError

# Of each course, the hub's first one first: there is one so far.
SETTINGS = (Path("/srv/settings/course.yaml"),)
EXCHANGE_PORT = 8102
# An instructor's pages stand still so long while the database is started again.
GRADEBOOK_SECONDS = 15
WAY_BACK = (
    "Set LOGITLAB_TAG to the version that was here and `make up`, or remove this deployment and "
    "restore the backup made before the upgrade."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The services of a course server in containers; compose.yaml starts them."""


@main.command()
def setup() -> None:
    """Put settings and configuration into the volumes, with their owners. Runs once at each up."""
    try:
        for line in set_up(SETTINGS, Environment.read(os.environ)):
            click.echo(line)
    except UserError as error:
        raise click.ClickException(error.shown) from error


@main.command()
def hub() -> None:
    """JupyterHub, after its database was brought up to date: the tables, then the people."""
    from hub.jupyterhub.tables import HUB
    from hub.people.rights import reconcile

    folder = _course()
    try:
        for line in HUB.upgrade(folder.hub_database_url, WAY_BACK):
            click.echo(line)
    except UserError as error:
        raise click.ClickException(error.shown) from error
    for line in reconcile(folder):
        click.echo(line)
    config = Path(__file__).parents[1] / "jupyterhub" / "configuration" / "containers_config.py"
    _become([sys.executable, "-m", "jupyterhub", "-f", str(config)])


@main.command()
def exchange() -> None:
    """The exchange, told of each course what its course.yaml says."""
    from hub.jupyterhub.configuration.jupyterhub import exchange_arguments
    from hub.people.roles import EXCHANGE, USE_EXCHANGE

    try:
        courses = [load_settings(file) for file in SETTINGS]
        token = secret("exchange_token")
    except UserError as error:
        raise click.ClickException(error.shown) from error
    os.environ |= {
        env.HUB_TOKEN: token,
        "JUPYTERHUB_API_URL": f"{HUB_API}/hub/api",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": f"service-{EXCHANGE}",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": f'["{USE_EXCHANGE}"]',
        "JUPYTERHUB_SERVICE_NAME": EXCHANGE,
        "JUPYTERHUB_SERVICE_PREFIX": f"/services/{EXCHANGE}/",
        env.SERVICE_URL: f"http://exchange-control:{EXCHANGE_PORT}",
    }
    _become(
        [
            *(sys.executable, "-m", "hub.exchange"),
            "--store=/srv/exchange",
            f"--database={database_url('exchange')}",
            *exchange_arguments(*courses),
        ]
    )


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def formgrader(arguments: tuple[str, ...]) -> None:
    """The formgrader's server, after the students of the course were put into its gradebook."""
    from jupyterhub.singleuser import main as serve

    from hub.core.database import wait_for_database
    from hub.core.gradebook import GRADEBOOK
    from hub.people.enrolment import enrol
    from hub.upstream.nbgrader import revive_sessions

    wait_for_database(GRADEBOOK_SECONDS)
    revive_sessions()
    folder = _course()
    try:
        for line in GRADEBOOK.upgrade(folder.gradebook_url, WAY_BACK):
            click.echo(line)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    for line in enrol(folder):
        click.echo(line)
    sys.argv = ["jupyterhub-singleuser", *arguments]
    serve()


def _course() -> CourseFolder:
    environment = Environment.read(os.environ)
    return open_course(default_root(environment), environment)


def _become(command: list[str]) -> None:
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(prog_name="python -m hub.containers")
