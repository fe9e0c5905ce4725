"""The remarks on a submission, for the dialog that JupyterLab shows after *Submit*.

nbgrader's button reports only success or failure; our JupyterLab extension
(`hub/singleuser/labextensions/logitlab`) fetches the remarks on an accepted submission
from here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from hub.exchange.client.base import STATE_FOLDER
from hub.exchange.client.remarks import take_remarks


class RemarksHandler(APIHandler):
    """Returns the remarks on the last submission, once; null while it has not finished."""

    @web.authenticated
    def post(self) -> None:
        self.finish(json.dumps({"remarks": take_remarks(Path.home() / STATE_FOLDER)}))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub.singleuser.remarks"}]


def _load_jupyter_server_extension(server: Any) -> None:
    route = url_path_join(server.web_app.settings["base_url"], "/logitlab/remarks")
    server.web_app.add_handlers(".*$", [(route, RemarksHandler)])
