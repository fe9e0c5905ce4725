"""What JupyterLab and nbgrader find in a person's server, by the person's part in the course.

Each function returns files as data: path below the configuration folder -> JSON value. The
folder is put on JUPYTER_CONFIG_PATH of the server (see `hub.spawning`), so that no file of the
environment is changed and two courses can share one environment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from hub.course_folder import CourseFolder
from hub.grading.configuration import grading_config
from hub.settings import Settings

Part = Literal["student", "instructor", "grader"]

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

# Files an author keeps beside a notebook that no student may ever get.
AUTHOR_ONLY = ["*.py", "*.bak", "*.md.bak", ".ipynb_checkpoints", "*.pyc", "__pycache__"]


def part_of(user: str, settings: Settings) -> Part:
    """The part `user` plays; who is neither instructor nor grader is served as a student."""
    if user == settings.course.grader:
        return "grader"
    return "instructor" if user in settings.people.instructors else "student"


def nbgrader_config(part: Part, folder: CourseFolder) -> dict[str, Any]:
    """nbgrader's configuration for one part; only the grader knows the course folder."""
    settings = folder.settings
    config: dict[str, Any] = {
        "CourseDirectory": {"course_id": settings.course.id},
        "Exchange": {"path_includes_course": False},
        "ExchangeFactory": {
            trait: f"hub.exchange.client.{name}" for trait, name in EXCHANGE_CLASSES.items()
        },
        "ExecutePreprocessor": {"timeout": settings.grading.cell_seconds},
    }
    if part == "grader":
        config["CourseDirectory"] |= {
            "root": str(folder.root),
            "db_url": folder.gradebook_url,
            "ignore": AUTHOR_ONLY,
        }
        for name, values in grading_config(settings, folder.root).items():
            config[name] = {**config.get(name, {}), **values}
    return config


def server_config(part: Part) -> dict[str, Any]:
    """jupyter_server's: which server extensions of nbgrader run."""
    grader = part == "grader"
    return {
        "ServerApp": {
            "jpserver_extensions": {
                "jupytext": False,
                "nbgrader.server_extensions.formgrader": grader,
                "nbgrader.server_extensions.course_list": False,
                "nbgrader.server_extensions.assignment_list": not grader,
                "nbgrader.server_extensions.validate_assignment": True,
            }
        }
    }


def page_config(part: Part) -> dict[str, Any]:
    """JupyterLab's: the formgrader's own command is off, as the hub forbids framing it.

    The launcher card of `hub/labextension` opens it in a browser tab instead.
    """
    disabled = ["@jupyter/nbgrader:formgrader", "@jupyter/nbgrader:course-list"]
    if part == "grader":
        disabled.append("@jupyter/nbgrader:assignment-list")
    return {"disabledExtensions": {name: True for name in disabled}}


def files(part: Part, folder: CourseFolder) -> dict[str, Any]:
    """Every configuration file of one part."""
    return {
        "nbgrader_config.json": nbgrader_config(part, folder),
        "jupyter_server_config.json": server_config(part),
        "labconfig/page_config.json": page_config(part),
    }


def write(folder: CourseFolder) -> None:
    """Write the files of all parts below `server/config/<part>`."""
    for part in ("student", "instructor", "grader"):
        for name, value in files(part, folder).items():
            path = folder.server / "config" / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def config_path(part: Part, folder: CourseFolder) -> Path:
    """The folder to put on JUPYTER_CONFIG_PATH."""
    return folder.server / "config" / part
