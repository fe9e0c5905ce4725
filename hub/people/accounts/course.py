"""What holds for every way to log in: who is in the course is let in, nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import Unicode

from hub.people.accounts.watch import PeopleWatch


class CourseAuthenticator(Authenticator):
    """Lets in who is in `allowed_users`, which follows course.yaml and roster as the hub runs."""

    course_root = Unicode(help="The course folder.").tag(config=True)

    async def check_allowed(self, username: str, authentication: Any = None) -> bool:
        return username in self.allowed_users

    def get_handlers(self, app: Any) -> list[Any]:
        """No pages beside the hub's own log-in; and the moment to begin to watch the people."""
        PeopleWatch(app, Path(self.course_root)).start()
        return []
