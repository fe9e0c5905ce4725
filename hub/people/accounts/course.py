"""Common to every kind of login: only the course's people are let in."""

from __future__ import annotations

from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import Instance

from hub.core.course_folder import CourseFolder
from hub.people.accounts.watch import PeopleWatch


class CourseAuthenticator(Authenticator):
    """Lets in `allowed_users`, which follows course.yaml and roster while the hub runs."""

    course = Instance(CourseFolder, help="The hub's course.").tag(config=True)

    async def check_allowed(self, username: str, authentication: Any = None) -> bool:
        return username in self.allowed_users

    def get_handlers(self, app: Any) -> list[Any]:
        """Adds no pages beside the hub's own login; and starts watching the people."""
        PeopleWatch(app, self.course).start()
        return []
