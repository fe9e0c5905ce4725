"""Makes the hub's database match its courses' people.

JupyterHub's `load_groups` and `admin_users` only ever add. Somebody who left a course or
changed roles must not keep memberships, admin rights, sessions or tokens: neither across a
restart of the hub (`reconcile`) nor while it runs (`hub.people.accounts.watch`). An account is the
hub's: it is removed once no course has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterhub import orm
from sqlalchemy import create_engine, inspect, make_url

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.roster.merge import everybody
from hub.core.settings import Settings
from hub.people.roles import groups
from hub.people.sessions import end_sessions


@dataclass(frozen=True)
class Rights:
    """Somebody's rights in the hub's database."""

    admin: bool
    groups: frozenset[str]


@dataclass(frozen=True)
class Difference:
    """Changes to make to the hub's users. Names in order."""

    gone: tuple[str, ...]
    new: tuple[str, ...]
    moved: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.gone or self.new or self.moved)


def wanted(*courses: Settings) -> dict[str, Rights]:
    """The rights of everybody in the hub's `courses`, the graders' accounts among them."""
    members = {name: set(group["users"]) for name, group in groups(*courses).items()}
    graders = [settings.course.grader for settings in courses]
    return {
        name: Rights(
            admin=any(name in settings.people.admins for settings in courses),
            groups=frozenset(group for group, names in members.items() if name in names),
        )
        for name in [*everybody(*courses), *graders]
    }


def present(session: Any) -> dict[str, Rights]:
    """The current rights of everybody in the hub's database."""
    return {
        user.name: Rights(bool(user.admin), frozenset(group.name for group in user.groups))
        for user in session.query(orm.User).all()
    }


def difference(now: Mapping[str, Rights], then: Mapping[str, Rights]) -> Difference:
    """The changes that lead from `now` to `then`."""
    return Difference(
        gone=tuple(sorted(set(now) - set(then))),
        new=tuple(sorted(set(then) - set(now))),
        moved=tuple(sorted(name for name in set(now) & set(then) if now[name] != then[name])),
    )


def apply_rights(session: Any, user: orm.User, kept: Rights | None) -> None:
    """Revoke what `user` has beyond `kept`; None: everything, sessions too. Does not commit."""
    groups = kept.groups if kept else frozenset()
    user.groups = [group for group in user.groups if group.name in groups]
    if not (kept and kept.admin):
        user.admin = False
        user.roles = [role for role in user.roles if kept and role.name != "admin"]
    if kept is None:
        end_sessions(session, user, servers_live=False)


def reconcile(folder: CourseFolder) -> Iterator[str]:
    """Revoke rights in the hub's database that its courses no longer grant. Yields lines.

    For a hub that is not running. People who are in no course are removed with every token and
    session or, if their server is still running, left for the hub to stop and remove. Home,
    submissions, grades and password are kept. The hub adds new rights when it starts.
    """
    if not has_hub_database(folder.hub_database_url):
        return
    session = orm.new_session_factory(folder.hub_database_url)()
    try:
        then = wanted(*(course.settings for course in courses_of(folder)))
        found = difference(present(session), then)
        users = {user.name: user for user in session.query(orm.User).all()}
        for name in found.gone:
            apply_rights(session, users[name], None)
            if not any(spawner.server for spawner in users[name].orm_spawners.values()):
                session.delete(users[name])
            yield f"{name}: no longer in the course; cannot log in, sessions ended"
        for name in found.moved:
            yield from _taken(name, users[name], then[name])
            apply_rights(session, users[name], then[name])
        session.commit()
    finally:
        session.close()


def _taken(name: str, user: orm.User, kept: Rights) -> Iterator[str]:
    if user.admin and not kept.admin:
        yield f"{name}: no longer an admin"
    for group in user.groups:
        if group.name not in kept.groups:
            yield f"{name}: no longer in {group.name}"


def has_hub_database(url: str) -> bool:
    """Whether a hub has ever used the database at `url`."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite" and not Path(where.database or "").is_file():
        return False
    engine = create_engine(url)
    try:
        return inspect(engine).has_table("users")
    finally:
        engine.dispose()
