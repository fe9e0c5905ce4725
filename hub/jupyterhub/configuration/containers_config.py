"""JupyterHub's configuration file in the hub's container: all of it follows from course.yaml.

Plain Python in `docker/jupyterhub.d/*.py` is read afterwards, in the order of the names, with
`c` at hand: the way out for what course.yaml does not set.
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
