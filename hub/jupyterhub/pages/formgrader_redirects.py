"""Redirects the formgrader's links to files, which it writes for a server without a prefix.

In a browser tab nbgrader's formgrader links to `/tree/PATH` and the like, whatever the server's
base URL is, so they arrive at the hub, which sends them to the JupyterLab of the course's grader.
"""

from __future__ import annotations

import posixpath
from urllib.parse import quote

from jupyterhub.handlers.base import BaseHandler
from tornado import web

from hub.facts.names import grader_of

INSTRUCTORS = "formgrade-"


def target(groups: list[str], referer: str, path: str) -> str | None:
    """The target of a link to `path` for somebody in `groups`; None if they instruct no course.

    For instructors of several courses, the page with the link (`referer`) decides which course.
    """
    graders = [
        grader_of(group.removeprefix(INSTRUCTORS))
        for group in sorted(groups)
        if group.startswith(INSTRUCTORS)
    ]
    if not graders:
        return None
    grader = next((name for name in graders if f"/user/{name}/" in referer), graders[0])
    inside = posixpath.normpath("/" + path).lstrip("/")
    return f"/user/{grader}/lab/tree/{quote(inside)}"


class FormgraderLink(BaseHandler):
    """Redirects `/tree/…`, `/notebooks/…` and `/edit/…` for instructors."""

    @web.authenticated
    def get(self, path: str) -> None:
        groups = [group.name for group in self.current_user.groups]
        url = target(groups, self.request.headers.get("Referer", ""), path)
        if url is None:
            raise web.HTTPError(404)
        self.redirect(url)


HANDLERS = [(rf"/{kind}/(.*)", FormgraderLink) for kind in ("tree", "notebooks", "edit")]
