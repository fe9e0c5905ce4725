"""Settings to JupyterHub's configuration, in small functions."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.settings import CourseSettings, Settings
from hub.host.install.state import notebook_ready
from hub.jupyterhub.pages import formgrader_redirects, landing, passwords, people
from hub.people import roles
from hub.people.accounts import login

PAGES = Path(__file__).parent.parent / "pages"


@dataclass(frozen=True)
class Ports:
    """Loopback ports of one run of the embedded server. `public` is the browser's."""

    public: int
    hub: int
    proxy_api: int
    exchange: int


def update_addresses(c: Any, ports: Ports) -> None:
    """Nothing listens beyond localhost."""
    c.JupyterHub.bind_url = f"http://127.0.0.1:{ports.public}"
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{ports.hub}"
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports.proxy_api}"


def update_proxy(c: Any) -> None:
    """The proxy that `hub.host.install` put beside this Python; needs no system Node."""
    c.ConfigurableHTTPProxy.command = str(Path(sys.executable).parent / "configurable-http-proxy")


def update_state(c: Any, folder: CourseFolder) -> None:
    """All of the hub's state lives in the course folder's `server/`."""
    c.JupyterHub.db_url = folder.hub_database_url
    c.JupyterHub.cookie_secret_file = str(folder.server / "cookie_secret")
    c.ConfigurableHTTPProxy.pid_file = str(folder.server / "proxy.pid")
    # Students' servers are children of this process, so they start and stop with it.
    c.JupyterHub.cleanup_servers = True


def update_people(c: Any, folder: CourseFolder) -> None:
    """Accounts, groups and roles."""
    courses = [course.settings for course in courses_of(folder)]
    for section, traits in login.configuration(folder).items():
        c[section].update(traits)
    c.JupyterHub.load_groups = roles.groups(*courses)
    c.JupyterHub.load_roles = roles.roles(*courses)


def exchange_arguments(*courses: Settings) -> list[str]:
    """Arguments of `python -m hub.exchange`: what it is told of each course, the hub's limits.

    courses: the hub's, its first one first, whose limits are the hub's.
    """
    limits = courses[0].exchange
    return [
        *(f"--course={settings.course.id}" for settings in courses),
        *(
            f"--due={settings.course.id}/{name}={when:%Y-%m-%dT%H:%M:%SZ}"
            for settings in courses
            for name, when in settings.due_dates.items()
        ),
        *(
            argument
            for course in (settings.course for settings in courses)
            for argument in (
                f"--title={course.id}={course.title}",
                f"--timezone={course.id}={course.timezone}",
                f"--order={course.id}={','.join(course.order)}",
            )
        ),
        f"--submission-mib={limits.submission_mib}",
        f"--file-mib={limits.file_mib}",
        f"--files={limits.files}",
        f"--quota-mib={limits.quota_mib}",
    ]


def update_exchange(c: Any, folder: CourseFolder, ports: Ports) -> None:
    """The exchange as a service that the hub starts, restarts and stops."""
    c.JupyterHub.services = [
        {
            "name": roles.EXCHANGE,
            "url": f"http://127.0.0.1:{ports.exchange}",
            "command": [
                *(sys.executable, "-m", "hub.exchange"),
                f"--store={folder.exchange}",
                *exchange_arguments(*(course.settings for course in courses_of(folder))),
            ],
            "display": False,
        }
    ]


def update_confirmation(c: Any, folder: CourseFolder) -> None:
    """No authorisation page for instructors who open the formgrader, and for anybody who opens the
    exchange's page, as both belong to the hub. JupyterHub shows one for other people's servers,
    of which the grader's is one."""
    graders = {f"jupyterhub-user-{each.settings.course.grader}" for each in courses_of(folder)}
    unasked = {*graders, f"service-{roles.EXCHANGE}"}
    c.JupyterHub.tornado_settings = {"oauth_no_confirm_list": unasked}


def update_spawner(c: Any, folder: CourseFolder, ports: Ports) -> None:
    """Students' servers: local processes, for people who trust each other."""
    c.JupyterHub.spawner_class = "hub.jupyterhub.spawners.local.LocalSpawner"
    c.LocalSpawner.course = folder
    # Decided once: a checkout that changes under a running server must not hold up anybody.
    c.LocalSpawner.libraries_are_coming = not notebook_ready(Path(sys.prefix))
    c.LocalSpawner.exchange_url = f"http://127.0.0.1:{ports.public}/services/{roles.EXCHANGE}"
    c.Spawner.http_timeout = 120
    c.JupyterHub.concurrent_spawn_limit = 2 * (os.cpu_count() or 1)


def update_pages(c: Any, folder: CourseFolder) -> None:
    """The hub's pages."""
    course = folder.settings.course
    c.JupyterHub.template_paths = [str(PAGES / "templates")]
    c.JupyterHub.logo_file = str(PAGES / "logo.svg")
    c.JupyterHub.default_url = landing
    kind = login.login_kind(folder.settings, folder.environment)
    own_passwords = passwords.HANDLERS if kind == "native" else []
    c.JupyterHub.extra_handlers = [*formgrader_redirects.HANDLERS, *people.HANDLERS, *own_passwords]
    c.JupyterHub.template_vars = {
        "course_title": course.title,
        "course_page_url": roles.COURSE_PAGE,
        "logitlab_version": version("logitlab"),
        "login_kind": kind,
        "courses": [_links(each.settings.course) for each in courses_of(folder)],
    }


def _links(course: CourseSettings) -> dict[str, str]:
    """What the pages link for those who instruct a course."""
    server = f"/hub/spawn/{course.grader}?next=/user/{course.grader}"
    return {
        "title": course.title,
        "instructor_group": course.instructor_group,
        "formgrader_url": f"{server}/formgrader",
        "course_files_url": f"{server}/lab",
        "people_url": f"/hub/people/{course.id}",
    }


def update(c: Any, folder: CourseFolder, ports: Ports) -> None:
    """The whole configuration of the embedded server."""
    update_addresses(c, ports)
    update_proxy(c)
    update_state(c, folder)
    update_people(c, folder)
    update_exchange(c, folder, ports)
    update_confirmation(c, folder)
    update_spawner(c, folder, ports)
    update_pages(c, folder)
