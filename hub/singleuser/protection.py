"""What graded code may do here, on the formgrader's pages: a warning, and the page behind it.

The page is the section of docs/admin.md, so that both always say the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from nbgrader.server_extensions.formgrader.base import BaseHandler
from tornado import web

DOCUMENT = Path(__file__).parents[2] / "docs" / "admin.md"
HEADING = "### Graded code\n"

# What no kernel protects, named as in the document.
NEVER = ("the network", "process names", "limits of processes", "`/dev/shm`")


def section(document: str) -> str:
    """The section on graded code of docs/admin.md, as Markdown."""
    _, heading, rest = document.partition(HEADING)
    return heading + rest.partition("\n## ")[0]


class ProtectionPage(BaseHandler):
    """What is protected here and what is not."""

    @web.authenticated
    def get(self) -> None:
        if not DOCUMENT.is_file():
            raise web.HTTPError(404, "LogitLab's docs/admin.md is not installed here")
        text = markdown2html_mistune(section(DOCUMENT.read_text(encoding="utf-8")))
        self.write(self.render("protection.tpl", base_url=self.base_url, text=Markup(text)))


def add_page(webapp: Any) -> None:
    """Route the page at `/formgrader/protection`."""
    route = url_path_join(webapp.settings["base_url"], "/formgrader/protection")
    webapp.add_handlers(".*$", [(route, ProtectionPage)])
