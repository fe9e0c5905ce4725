"""The environment, arguments and folders of one person's server, as data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from course.models import models_folders
from hub.core.course_folder import CourseFolder
from hub.core.settings import Settings
from hub.facts import env
from hub.jupyterhub.configuration.jupyterlab import Role, config_path, course_of, role_of

# Only these of the hub's own variables reach a server that is a process on the same machine.
KEPT = ["LANG", "LC_ALL", "TZ", env.DEVICE, "CUDA_VISIBLE_DEVICES"]


def home(user: str, folder: CourseFolder) -> Path:
    """Where `user` works. A grader works in its course's folder itself."""
    if role_of(user, folder) == "grader":
        return course_of(user, folder).root
    return folder.server / "homes" / user


def common(settings: Settings, exchange_url: str) -> dict[str, str]:
    """Variables of every server, whatever starts it and wherever it runs."""
    threads = str(settings.server.cpu_threads)
    return {
        env.EXCHANGE_URL: exchange_url,
        # Nothing is downloaded at run time; without this, a machine without a network spends
        # minutes on retries.
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }


def environment(user: str, folder: CourseFolder, exchange_url: str) -> dict[str, str]:
    """The environment of a server that is a process on this machine."""
    role, course = role_of(user, folder), course_of(user, folder)
    variables = common(folder.settings, exchange_url) | {
        "JUPYTER_CONFIG_PATH": str(config_path(role, course)),
        # Explicit, as people have separate data folders.
        env.MODELS: os.pathsep.join(map(str, models_folders())),
        # nbgrader starts `alembic` and `jupyter` by name.
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }
    if role == "grader":
        variables[env.COURSE] = str(course.root)
        # Keeps the grader's dot files out of the folder that instructors see.
        private = folder.server / "homes" / user
        variables |= {"HOME": str(private), "JUPYTER_DATA_DIR": str(private / "jupyter")}
    return variables


def arguments(role: Role, root: str) -> list[str]:
    """Arguments of `jupyterhub-singleuser` that works in the folder `root`."""
    given = [f"--ServerApp.root_dir={root}"]
    if role == "grader":
        hidden = "['server', '__pycache__', '*.pyc', 'gradebook.db']"
        given += [
            f"--ContentsManager.hide_globs={hidden}",
            "--FileContentsManager.post_save_hook=hub.authoring.pairing.post_save_hook",
            "--FileContentsManager.pre_save_hook=hub.authoring.preview.keep_release",
        ]
    return given
