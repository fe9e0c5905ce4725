"""*Open* on the course's page: JupyterLab with an assignment's notebook, fetched if need be.

The page links `/hub/user-redirect/logitlab/open?course=…&assignment=…`, which starts the person's
server first. Where a folder of the assignment is there already, nothing is fetched or changed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from hub.exchange.errors import InvalidName
from hub.exchange.names import check_assignment, check_course

ROOT = "logitlab_opening_root"  # key in a server's settings: the folder of a person's files


def target(root: Path, assignment: str) -> str:
    """What JupyterLab shows of a fetched assignment: its only notebook, else its folder."""
    notebooks = sorted(path.name for path in (root / assignment).glob("*.ipynb"))
    return f"{assignment}/{notebooks[0]}" if len(notebooks) == 1 else assignment


async def fetch(root: Path, course: str, assignment: str) -> str:
    """Fetch as the button of the assignment list does; returns what is wrong, "" if nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "nbgrader", "fetch_assignment", assignment),
        f"--course={course}",
        cwd=root,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, log = await process.communicate()
    return problem(log.decode(errors="replace")) if process.returncode else ""


def problem(log: str) -> str:
    """What our exchange classes said last, as they fail; nbgrader then adds that it failed."""
    found = [line.partition("| CRITICAL] ")[2] for line in log.splitlines()]
    said = [line for line in found if line]
    return said[-1] if said else "It could not be fetched; fetch it in the list to see why."


class OpenHandler(JupyterHandler):
    """Leads a browser to the notebook."""

    @web.authenticated
    async def get(self) -> None:
        try:
            course = check_course(self.get_argument("course"))
            assignment = check_assignment(self.get_argument("assignment"))
        except InvalidName as error:
            raise web.HTTPError(400, "%s", error.shown) from None
        root = self.settings[ROOT]
        if not (root / assignment).is_dir():
            wrong = await fetch(root, course, assignment)
            # Also there if it was opened twice at once, of which one came too late.
            if not (root / assignment).is_dir():
                raise web.HTTPError(409, "%s was not opened. %s", assignment, wrong)
        self.redirect(url_path_join(self.base_url, "lab/tree", quote(target(root, assignment))))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub.singleuser.opening"}]


def _load_jupyter_server_extension(server: Any) -> None:
    settings = server.web_app.settings
    settings[ROOT] = Path(server.root_dir)
    route = url_path_join(settings["base_url"], "/logitlab/open")
    server.web_app.add_handlers(".*$", [(route, OpenHandler)])
