"""Lets a command of whoever runs the embedded server act as a course's grader for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jupyterhub import orm

from hub.core.course_folder import CourseFolder
from hub.facts.errors import UserError
from hub.people.rights import has_hub_database
from hub.people.roles import USE_EXCHANGE

TOKEN_SECONDS = 900  # for the longest command, and for one that is killed


class NoGrader(UserError):
    """The hub does not know the course's grader."""


@contextmanager
def grader_token(folder: CourseFolder, note: str) -> Iterator[str]:
    """A token for the exchange only, which expires when the block ends.

    Made in the hub's database, which belongs to the account of whoever runs this.
    Raises NoGrader while the hub starts for the first time.
    """
    grader = folder.settings.course.grader
    unknown = NoGrader(f"The hub has no account {grader} yet.", "Wait until it has started.")
    if not has_hub_database(folder.hub_database_url):
        raise unknown
    session = orm.new_session_factory(folder.hub_database_url)()
    try:
        user = orm.User.find(session, grader)
        if user is None:
            raise unknown
        key = user.new_api_token(scopes=[USE_EXCHANGE], note=note, expires_in=TOKEN_SECONDS)
        try:
            yield key
        finally:
            # Not deleted: SQLite would give the next token its id, under which the running hub
            # still remembers this one. The hub removes tokens that have expired.
            token = orm.APIToken.find(session, key)
            if token is not None:
                token.expires_at = token.now()
                session.commit()
    finally:
        session.close()
