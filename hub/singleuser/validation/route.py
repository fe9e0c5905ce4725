"""The *Validate* button of a notebook, behind nbgrader's own route.

nbgrader's handler executes the notebook inside the student's server, which blocks
meanwhile. Here the validator runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from nbgrader.server_extensions.validate_assignment.handlers import ValidateAssignmentHandler
from tornado import web

from hub.upstream.nbgrader import other_validation_routes

RESULTS = "logitlab_validation"  # key in a server's settings: the results of its last validation


class ValidateHandler(ValidateAssignmentHandler):
    """Serves nbgrader's button without blocking the rest of the student's server."""

    @web.authenticated
    async def post(self) -> None:
        body = self.get_json_body() or {}
        path = body.get("path") or self.get_argument("path")
        root = Path(self.root_dir).resolve()
        target = (root / path).resolve()
        if not target.is_relative_to(root):
            raise web.HTTPError(403, "That path is outside your files.")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub.singleuser.validation", str(target)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        answer, log = await process.communicate()
        self.settings[RESULTS] = {}
        if process.returncode:
            last = log.decode(errors="replace").strip().rpartition("\n")[2]
            self.finish(json.dumps({"success": False, "value": last}))
        else:
            self.settings[RESULTS] = json.loads(answer)["value"]
            self.finish(answer)


class ResultsHandler(JupyterHandler):
    """The results of the last validation, for our extension to show in nbgrader's dialog."""

    @web.authenticated
    def get(self) -> None:
        self.finish(self.settings.get(RESULTS, {}))


def add_handlers(server: Any) -> None:
    """Add our routes to a Jupyter server."""
    server.web_app.settings["root_dir"] = server.root_dir
    base = server.web_app.settings["base_url"]
    routes = [
        ("/assignments/validate", ValidateHandler),
        ("/logitlab/validation", ResultsHandler),
        *other_validation_routes(),
    ]
    server.web_app.add_handlers(".*$", [(url_path_join(base, at), who) for at, who in routes])
