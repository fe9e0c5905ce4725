"""JupyterHub's configuration file, derived from course.yaml.

`logitlab serve` starts JupyterHub with this file and passes the course and the ports
in the environment. Python files `<course>/jupyterhub.d/*.py` run afterwards, in order
of their names, with `c` available: an escape hatch for what course.yaml does not set.
"""

import os

from hub.core.course_folder import courses_of, default_root, open_course
from hub.core.environment import Environment
from hub.facts import env
from hub.jupyterhub.configuration import jupyterhub, jupyterlab

c = get_config()  # type: ignore[name-defined]

environment = Environment.read(os.environ)
folder = open_course(default_root(environment), environment)
ports = jupyterhub.Ports(*(int(port) for port in os.environ[env.PORTS].split(",")))
for course in courses_of(folder):
    jupyterlab.write(course)
jupyterhub.update(c, folder, ports)

for extra in sorted((folder.root / "jupyterhub.d").glob("*.py")):
    exec(compile(extra.read_text(encoding="utf-8"), extra, "exec"), {"c": c, "folder": folder})
