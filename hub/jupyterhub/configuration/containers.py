"""JupyterHub's configuration in containers, from settings and deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.settings import Settings
from hub.facts.container_paths import FIREWALL_HEARTBEAT, GUARD_SOCKET
from hub.facts.deployment import EXCHANGE, HUB_API, INSIDE, PROXY_API, Deployment
from hub.jupyterhub.configuration import jupyterhub
from hub.jupyterhub.pages import server_access
from hub.people import roles

CULLER = "idle-culler"
GUARD = f"unix://{GUARD_SOCKET}"

# A killed proxy comes back without routes; the hub restores them at its next check.
CHECK_ROUTES_SECONDS = 15
LOOK_SECONDS = 2
# A killed PostgreSQL is back in two seconds, on a busy machine in a few more.
DATABASE_SECONDS = 10


def update_addresses(c: Any, deployment: Deployment) -> None:
    """The hub listens only on the control network; students' servers reach it through the proxy."""
    c.JupyterHub.bind_url = "http://:8000"
    c.JupyterHub.hub_bind_url = HUB_API
    c.JupyterHub.public_url = deployment.url
    c.Spawner.hub_connect_url = INSIDE


def update_proxy(c: Any, deployment: Deployment) -> None:
    """A proxy in its own container, which outlives the hub."""
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = PROXY_API
    c.ConfigurableHTTPProxy.auth_token = deployment.proxy_token
    c.JupyterHub.last_activity_interval = CHECK_ROUTES_SECONDS


def update_state(c: Any, folder: CourseFolder) -> None:
    """What outlives the hub: its database, the cookie secret, and every running server."""
    c.JupyterHub.db_url = folder.hub_database_url
    c.JupyterHub.db_kwargs = {"pool_pre_ping": True}
    c.JupyterHub.cookie_secret_file = str(folder.server / "cookie_secret")
    c.JupyterHub.cleanup_servers = False
    # A starting hub checks every server; its pages need not wait for the slowest.
    c.JupyterHub.init_spawners_timeout = LOOK_SECONDS
    c.JupyterHub.cleanup_proxy = False


def update_services(c: Any, settings: Settings, deployment: Deployment) -> None:
    """The exchange, which runs beside the hub, and the culler, which the hub runs."""
    c.JupyterHub.services = [
        {
            "name": roles.EXCHANGE,
            "url": EXCHANGE,
            "api_token": deployment.exchange_token,
            "display": False,
        }
    ]
    if minutes := settings.containers.idle_minutes:
        c.JupyterHub.services.append(
            {
                "name": CULLER,
                "command": [
                    *(sys.executable, "-m", "jupyterhub_idle_culler"),
                    f"--timeout={60 * minutes}",
                    f"--cull-every={min(300, 20 * minutes)}",
                ],
            }
        )
        c.JupyterHub.load_roles.append(
            {
                "name": CULLER,
                "description": "Stop servers that nobody uses",
                "services": [CULLER],
                "scopes": [
                    "list:users",
                    "read:users:activity",
                    "read:servers",
                    "delete:servers",
                ],
            }
        )


def update_spawner(c: Any, folder: CourseFolder, deployment: Deployment) -> None:
    """Servers as containers, started through the guard in front of the Docker socket."""
    c.JupyterHub.spawner_class = "hub.jupyterhub.spawners.container.ContainerSpawner"
    c.ContainerSpawner.course = folder
    c.ContainerSpawner.deployment = deployment
    c.ContainerSpawner.firewall_heartbeat = FIREWALL_HEARTBEAT
    c.ContainerSpawner.client_kwargs = {"base_url": GUARD}
    # Named servers would share a home and a position in the queue.
    c.JupyterHub.allow_named_servers = False
    # The spawner's own queue orders starts instead of refusing some.
    c.JupyterHub.concurrent_spawn_limit = 0


def update_access_grants(c: Any, folder: CourseFolder, deployment: Deployment) -> None:
    """Which browser may open whose server: the grants that the gateway requires."""
    graders = frozenset(course.settings.course.grader for course in courses_of(folder))
    pages = server_access.handlers(graders, deployment.url)
    c.JupyterHub.extra_handlers = [*c.JupyterHub.extra_handlers, *pages]
    c.Authenticator.post_auth_hook = server_access.revoke_grants


def update(c: Any, folder: CourseFolder, deployment: Deployment) -> None:
    """The whole configuration of a deployment in containers."""
    update_addresses(c, deployment)
    update_proxy(c, deployment)
    update_state(c, folder)
    jupyterhub.update_people(c, folder)
    update_services(c, folder.settings, deployment)
    jupyterhub.update_confirmation(c, folder)
    update_spawner(c, folder, deployment)
    jupyterhub.update_pages(c, folder)
    update_access_grants(c, folder, deployment)


def extras(folder: CourseFolder) -> list[Path]:
    """The admin's own `jupyterhub.d/*.py`, read last."""
    return sorted((folder.root / "jupyterhub.d").glob("*.py"))
