"""A server that an earlier version started goes on, and reads what this version writes for it."""

import os
import subprocess
import sys

from hub.core.course_folder import new_course, open_course
from hub.core.environment import Environment
from hub.jupyterhub.configuration.jupyterlab import write_files


def test_a_students_server_of_an_earlier_version_reads_the_new_configuration(tmp_path):
    list(new_course(tmp_path / "course"))
    write_files("student", open_course(tmp_path / "course", Environment()), tmp_path / "config")
    # What that server's image has of the code, and it has nothing else.
    old = tmp_path / "old" / "hub"
    (old / "validation").mkdir(parents=True)
    (old / "__init__.py").touch()
    (old / "validation" / "__init__.py").write_text("def in_terminals(): print('validates')\n")
    code = (
        # This checkout, which is installed in editable form, is not in that image.
        "import sys\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        "from traitlets.config import PyFileConfigLoader\n"
        f"loader = PyFileConfigLoader('nbgrader_config.py', path={str(tmp_path / 'config')!r})\n"
        "print(loader.load_config().ExchangeFactory.exchange)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(old.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["validates", "hub.exchange.client.Exchange"], done.stderr
