"""Configuration of JupyterLab and nbgrader in a person's server, by their role in the course.

Each function returns files as data: path below the configuration folder -> JSON value. The
folder is put on the server's JUPYTER_CONFIG_PATH (see `hub.jupyterhub.spawners`), so that no file
of the environment is changed and two courses can share one environment.
"""

from __future__ import annotations

import json
import pprint
from pathlib import Path
from typing import Any, Literal

from traitlets.config import Config

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.roster.merge import everybody
from hub.core.settings import Settings
from hub.grading.pipeline.configuration import update_grading
from hub.people.roles import COURSE_PAGE

Role = Literal["student", "instructor", "grader"]

EXCHANGE_CLASSES = {
    "exchange": "Exchange",
    "fetch_assignment": "ExchangeFetchAssignment",
    "fetch_feedback": "ExchangeFetchFeedback",
    "release_assignment": "ExchangeReleaseAssignment",
    "release_feedback": "ExchangeReleaseFeedback",
    "list": "ExchangeList",
    "submit": "ExchangeSubmit",
    "collect": "ExchangeCollect",
}

GRADER_CSP = "frame-ancestors 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:"

# JupyterLab searches this folder for extensions.
LABEXTENSIONS = Path(__file__).parents[2] / "singleuser" / "labextensions"

# Never copied between folders. `hub.authoring.release` and `hub.grading.pipeline.autograde` keep
# sources out of releases and graded submissions, file by file.
AUTHOR_ONLY = ["*.bak", ".ipynb_checkpoints", "*.pyc", "__pycache__"]


def role_of(user: str, hub: CourseFolder) -> Role:
    """The role of `user`; anybody who is neither instructor nor grader counts as a student.

    A person has one server for all courses of the `hub`: an instructor of one is served as such.
    """
    courses = [course.settings for course in courses_of(hub)]
    if any(user == settings.course.grader for settings in courses):
        return "grader"
    instructs = any(user in settings.people.instructors for settings in courses)
    return "instructor" if instructs else "student"


def course_of(user: str, hub: CourseFolder) -> CourseFolder:
    """The course that a server of `user` is started for: a grader's own, else the first of the
    `hub` that has them; the hub's first where none has."""
    courses = courses_of(hub)
    for course in courses:
        if user == course.settings.course.grader:
            return course
    return next((each for each in courses if user in everybody(each.settings)), courses[0])


def nbgrader_config(role: Role, folder: CourseFolder) -> dict[str, Any]:
    """nbgrader's configuration for one role; only the grader's has the course folder."""
    settings = folder.settings
    config: dict[str, Any] = {
        "CourseDirectory": {"course_id": settings.course.id},
        "Exchange": {"path_includes_course": False},
        "ExchangeFactory": {
            trait: f"hub.exchange.client.{name}" for trait, name in EXCHANGE_CLASSES.items()
        },
    }
    config["CourseValidator"] = {
        "tests": settings.grading.tests,
        "tests_of": {name: settings.tests_of(name) for name in settings.assignments},
        "limits": settings.grading.limits,
    }
    if role == "grader":
        config["CourseDirectory"] |= {
            "root": str(folder.root),
            "db_url": folder.gradebook_url,
            "ignore": AUTHOR_ONLY,
        }
        more = Config()
        update_grading(more, settings)
        config |= _named(more)
    return config


def grader_config(folder: CourseFolder) -> Config:
    """nbgrader's configuration of the course, for commands outside JupyterLab."""
    return Config(nbgrader_config("grader", folder))


def _named(value: Any) -> Any:
    """JSON for a configuration: classes and functions become the names nbgrader imports."""
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item) for item in value]
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return value


def server_config(
    role: Role, kernel_idle_minutes: int = 0, warm_kernels: bool = True
) -> dict[str, Any]:
    """jupyter_server's configuration: its extensions, and the path of our JupyterLab extensions.

    A kernel that is idle for `kernel_idle_minutes` is stopped, even if a page still shows
    it, so that its memory and GPU memory are freed before its server is stopped; 0: never.
    """
    grader = role == "grader"
    # The formgrader shows students' work in an instructor's session: no script of another
    # site may run there. (The hub adds this header only if none is set, so its own part is
    # repeated here.)
    headers = {"Content-Security-Policy": GRADER_CSP} if grader else {}
    return {
        "ServerApp": {
            "tornado_settings": {"headers": headers},
            # Not a login shell, whose profile would remove our commands from the PATH.
            "terminado_settings": {"shell_command": ["/bin/bash"]},
            "jpserver_extensions": {
                # Not needed, and each slows down every start of a server.
                "jupyterlab_jupytext": False,
                "jupyter_lsp": False,
                "notebook": False,
                "notebook_shim": False,
                # The grader has ours instead, see hub/singleuser/formgrader.py.
                "nbgrader.server_extensions.formgrader": False,
                "nbgrader.server_extensions.course_list": False,
                "nbgrader.server_extensions.assignment_list": not grader,
                # Ours answers its route, see hub/singleuser/validation.
                "nbgrader.server_extensions.validate_assignment": False,
                "hub.singleuser.validation": True,
                "hub.singleuser.gpu.extension": True,
                # Few work in the grader's notebooks, and its server is there all the time.
                "hub.singleuser.warm_kernels.extension": warm_kernels and not grader,
                "hub.singleuser.remarks": not grader,
                "hub.singleuser.opening": not grader,
                **({"hub.singleuser.formgrader": True} if grader else {}),
            },
        },
        # On one machine, whoever reaches a kernel's ports would read what it computes and shows.
        "KernelManager": {"transport_encryption": "auto"},
        "MappingKernelManager": {
            "cull_idle_timeout": kernel_idle_minutes * 60,
            "cull_interval": 60,
            "cull_connected": True,
        },
        "LabApp": {"extra_labextensions_path": [str(LABEXTENSIONS)]},
    }


def page_config(role: Role, settings: Settings, containers: bool) -> dict[str, Any]:
    """JupyterLab's configuration: what is disabled, and what our own extension shows.

    nbgrader's formgrader command is disabled, as the hub forbids framing; a launcher card opens
    the formgrader in a browser tab instead.
    """
    grader = settings.course.grader
    disabled = [
        "@jupyter/nbgrader:formgrader",
        "@jupyter/nbgrader:course-list",
        # These query the network for news and packages, which nothing needs at run time.
        "@jupyterlab/apputils-extension:announcements",
        "@jupyterlab/extensionmanager-extension",
        "jupyterlab-jupytext",
    ]
    if not containers:
        # Its port stays open, and runs code for everybody on the machine who asks.
        disabled.append("@jupyterlab/debugger-extension")
    if role == "grader":
        disabled.append("@jupyter/nbgrader:assignment-list")
    if role == "student":
        disabled.append("@jupyter/nbgrader:create-assignment")
    formgrader = {
        "student": "",
        "instructor": f"/hub/spawn/{grader}?next=/user/{grader}/formgrader",
        "grader": f"/user/{grader}/formgrader",
    }
    return {
        "disabledExtensions": {name: True for name in disabled},
        "logitlabAssignments": "" if role == "grader" else "yes",
        "logitlabCoursePage": "" if role == "grader" else COURSE_PAGE,
        "logitlabFormgrader": formgrader[role],
    }


def setting_overrides() -> dict[str, Any]:
    """Defaults of JupyterLab's own settings; people can change each."""
    return {
        "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 15},
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
    }


def files(role: Role, folder: CourseFolder) -> dict[str, Any]:
    """Every configuration file of one role."""
    # People who run everything on their own machine stop their kernels themselves.
    containers = folder.environment.in_containers
    idle = folder.settings.containers.kernel_idle_minutes if containers else 0
    return {
        "nbgrader_config.py": nbgrader_config(role, folder),
        "jupyter_server_config.json": server_config(
            role, idle, folder.settings.server.warm_kernels
        ),
        "labconfig/page_config.json": page_config(role, folder.settings, containers),
        "labconfig/default_setting_overrides.json": setting_overrides(),
    }


def write(folder: CourseFolder) -> None:
    """Write the files of all roles below `server/config/<role>`."""
    for role in ("student", "instructor", "grader"):
        write_files(role, folder, config_path(role, folder))


def write_files(role: Role, folder: CourseFolder, target: Path) -> None:
    """Write the files of one role below `target`."""
    for name, value in files(role, folder).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(name, value, role), encoding="utf-8")


def _text(name: str, value: Any, role: Role) -> str:
    if name.endswith(".py"):
        # nbgrader reads JSON too, but warns each time that this file is missing.
        values = pprint.pformat(value, width=100)
        text = (
            "from traitlets.config import Config\n\n"
            "try:\n    from hub.singleuser.validation import in_terminals\n"
            "except ImportError:  # a server that an earlier version started reads this file too\n"
            "    from hub.validation import in_terminals\n\n"
            f"c = get_config()\nc.merge(Config({values}))\nin_terminals()\n"
        )
        if role == "grader":
            text += "\nfrom hub.authoring.generate import in_nbgrader\n\nin_nbgrader()\n"
        return text
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def config_path(role: Role, folder: CourseFolder) -> Path:
    """The folder to put on JUPYTER_CONFIG_PATH."""
    return folder.server / "config" / role
