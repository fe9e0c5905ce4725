"""Applies changes of each course's course.yaml and roster to the running hub.

Runs in the hub's own process, on its event loop, so it needs no token with admin rights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyterhub import orm, roles
from jupyterhub.utils import maybe_future
from tornado.ioloop import PeriodicCallback

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.roster.merge import everybody
from hub.core.settings import Settings, SettingsError
from hub.people.rights import Difference, Rights, apply_rights, difference, present, wanted
from hub.upstream.jupyterhub import count_new_user

SECONDS = 3

Stamp = tuple[int, int, int] | None


class PeopleWatch:
    """Checks the courses' files every few seconds; acts when one has changed."""

    def __init__(self, app: Any, course: CourseFolder) -> None:
        self.app, self.course = app, course
        self._looked: list[Stamp] = []
        self._rosters_seen: set[Path] = set()
        self._callback = PeriodicCallback(self.look, 1000 * SECONDS)

    def start(self) -> None:
        self._callback.start()

    async def look(self) -> None:
        """Apply what changed since the last check; retry what cannot be done yet."""
        courses = courses_of(self.course.reread())
        rosters = [course.roster_file for course in courses]
        stamps = [_stamp(path) for path in (*(each.settings_file for each in courses), *rosters)]
        hub_is_up = getattr(self.app, "http_server", None) is not None
        if stamps == self._looked or not hub_is_up:
            return
        self._looked = stamps
        try:
            if missing := [path for path in self._rosters_seen if not path.is_file()]:
                raise SettingsError(
                    f"The roster file is missing ({missing[0]}); nobody is removed for that."
                )
            settings = [course.settings for course in courses]
        except SettingsError as error:
            self.app.log.error("The course's people stay as they were. %s", error)
            return
        self._rosters_seen = {path for path in rosters if path.is_file()}
        if not await self.apply(*settings):
            self._looked = []

    async def apply(self, *courses: Settings) -> bool:
        """Make the hub's users those of its `courses`; False if somebody's server first has to
        finish starting or stopping."""
        authenticator, db = self.app.authenticator, self.app.db
        then = wanted(*courses)
        authenticator.admin_users = {name for each in courses for name in each.people.admins}
        authenticator.allowed_users = set(everybody(*courses))
        found = difference(present(db), then)
        try:
            self._change_rights(found, then)
            gone = [await self._remove(name) for name in found.gone]
        except Exception:
            db.rollback()
            self.app.log.exception("Applying the changed list of people failed; retrying")
            return False
        return all(gone)

    def _change_rights(self, found: Difference, then: dict[str, Rights]) -> None:
        """Everything that needs no waiting, in one transaction, revocations first."""
        db = self.app.db
        for name in found.gone:
            self.app.log.info("%s is no longer in any course: sessions end, the server stops", name)
            apply_rights(db, orm.User.find(db, name), None)
        for name in found.moved:
            self.app.log.info("%s: rights follow course.yaml and roster", name)
            user = orm.User.find(db, name)
            apply_rights(db, user, then[name])
            self._give(user, then[name])
            self._forget_spawners(user)
        for name in found.new:
            self.app.log.info("%s joined the course", name)
            user = orm.User(name=name)
            db.add(user)
            count_new_user()
            self._give(user, then[name])
        db.commit()

    def _give(self, user: orm.User, rights: Rights) -> None:
        db = self.app.db
        user.admin = rights.admin
        roles.assign_default_roles(db, entity=user)
        have = {group.name for group in user.groups}
        for name in rights.groups - have:
            group = orm.Group.find(db, name)
            if group is None:
                group = orm.Group(name=name)
                db.add(group)
            user.groups.append(group)

    def _forget_spawners(self, orm_user: orm.User) -> None:
        """Spawners keep the course's settings from when they were created."""
        user = self.app.users[orm_user]
        for name in [name for name, spawner in user.spawners.items() if not spawner.active]:
            user.spawners.pop(name)

    async def _remove(self, name: str) -> bool:
        """Stop the servers of `name` and remove the user; the home is kept."""
        user = self.app.users[name]
        for server, spawner in list(user.spawners.items()):
            if spawner.pending:
                return False
            if spawner.active:
                await self.app.proxy.delete_user(user, server)
                await user.stop(server)
        await maybe_future(self.app.authenticator.delete_user(user))
        self.app.users.delete(user)
        return True


def _stamp(path: Path) -> Stamp:
    """A value that changes when a file is written or replaced; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
