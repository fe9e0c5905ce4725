"""JupyterHub's configuration file in the hub's container, derived from course.yaml.

Python files `docker/jupyterhub.d/*.py` run afterwards, in order of their names, with `c`
available: an escape hatch for what course.yaml does not set.
"""

import os

from hub.core.course_folder import default_root, open_course
from hub.core.database import wait_for_database
from hub.core.environment import Environment
from hub.facts.deployment import deployment
from hub.jupyterhub.configuration import containers

c = get_config()  # type: ignore[name-defined]

environment = Environment.read(os.environ)
folder = open_course(default_root(environment), environment)
wait_for_database(containers.DATABASE_SECONDS)
containers.update(c, folder, deployment(os.environ))

for extra in containers.extras(folder):
    exec(compile(extra.read_text(encoding="utf-8"), extra, "exec"), {"c": c, "folder": folder})
