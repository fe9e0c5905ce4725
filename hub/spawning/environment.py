"""The environment and folders of one person's server, as data."""

from __future__ import annotations

import sys
from pathlib import Path

from hub.configure.jupyterlab import config_path, part_of
from hub.course_folder import CourseFolder

# Of the hub's own environment only these reach a person's server.
KEPT = ["LANG", "LC_ALL", "TZ", "COURSE_MODELS", "CUDA_VISIBLE_DEVICES"]


def home(user: str, folder: CourseFolder) -> Path:
    """Where `user` works. The grader works in the course folder itself."""
    if part_of(user, folder.settings) == "grader":
        return folder.root
    return folder.server / "homes" / user


def environment(user: str, folder: CourseFolder, exchange_url: str) -> dict[str, str]:
    """What is set for every server, whatever starts it."""
    settings = folder.settings
    part = part_of(user, settings)
    threads = str(settings.server.cpu_threads)
    variables = {
        "JUPYTER_CONFIG_PATH": str(config_path(part, folder)),
        # nbgrader starts `alembic` and `jupyter` by name.
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LOGITLAB_EXCHANGE_URL": exchange_url,
        # Nothing is downloaded at run time; without this, a machine with no network spends
        # minutes in retries.
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }
    if part == "grader":
        variables["LOGITLAB_COURSE"] = str(folder.root)
        # The grader's own dot files stay out of the folder that instructors see.
        private = folder.server / "homes" / user
        variables |= {"HOME": str(private), "JUPYTER_DATA_DIR": str(private / "jupyter")}
    return variables
