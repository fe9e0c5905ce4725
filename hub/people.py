"""Who is in the course, made true in the hub's database before the hub starts.

JupyterHub's `load_groups` and `admin_users` only ever add. Somebody who was taken out of
`course.yaml`, or moved within it, must not keep memberships, an admin's rights, sessions or tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupyterhub import orm

from hub.configure.roles import groups
from hub.course_folder import CourseFolder


def reconcile(folder: CourseFolder) -> Iterator[str]:
    """Take from the hub's database what `course.yaml` no longer gives; yields what was taken.

    Who is not in the course any more is removed with every token and session; home, submissions
    and grades stay. What `course.yaml` newly gives, the hub adds itself when it starts.
    """
    if not (folder.server / "jupyterhub.sqlite").exists():
        return
    settings = folder.settings
    members = groups(settings)
    people = settings.people
    known = {*people.admins, *people.instructors, *people.students, settings.course.grader}
    session = orm.new_session_factory(folder.hub_database_url)()
    try:
        for user in session.query(orm.User).all():
            if user.name not in known:
                session.delete(user)
                yield f"{user.name}: not in course.yaml any more; cannot log in, sessions ended"
            elif user.admin and user.name not in people.admins:
                user.admin = False
                user.roles = [role for role in user.roles if role.name != "admin"]
                yield f"{user.name}: no admin any more"
        for group in session.query(orm.Group).all():
            wanted = set(members.get(group.name, {"users": []})["users"])
            for user in [user for user in group.users if user.name not in wanted]:
                group.users.remove(user)
                yield f"{user.name}: not in {group.name} any more"
        session.commit()
    finally:
        session.close()
