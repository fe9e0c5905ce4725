"""The formgrader of a course folder, on a Jupyter server of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from hub.jupyterhub.configuration.jupyterlab import GRADER_CSP
from hub.serve import free_port
from tests.grading.tiny_course import course_config


@contextmanager
def formgrader_of(root: Path, course_id: str = "tiny") -> Iterator[httpx.Client]:
    """Serve the formgrader of a course in the folder `root`."""
    port = free_port()
    headers = {"Content-Security-Policy": GRADER_CSP}
    chosen = root / "jupyter_server_config.py"
    chosen.write_text(
        "c.ServerApp.jpserver_extensions = {'hub.singleuser.formgrader': True}\n"
        f"c.ServerApp.tornado_settings = {{'headers': {headers}}}\n"
        f"c.CourseDirectory.root = {str(root)!r}\n"
        f"c.CourseDirectory.course_id = {course_id!r}\n"
        "c.HTMLExporter.preprocessors = "
        f"{course_config(root).HTMLExporter.preprocessors}\n"
    )
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
            *(f"--config={chosen}", f"--ServerApp.root_dir={root}", f"--port={port}"),
            *("--IdentityProvider.token=t", "--ServerApp.port_retries=0"),
        ],
        cwd=root,
        env=os.environ | {"JUPYTER_NO_CONFIG": "1", "HOME": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "token t"}, timeout=60
    ) as http:
        try:
            for _ in range(120):
                try:
                    http.get("/api/status").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.5)
            yield http
        finally:
            server.terminate()
            server.wait()
