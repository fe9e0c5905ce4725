"""Who may do what on the hub: groups and Hub roles with least privilege.

Scopes are named in JupyterHub's own terms (its documentation, "RBAC"). No token outside the
hub holds an admin scope.
"""

from __future__ import annotations

from typing import Any

from hub.core.settings import Settings

EXCHANGE = "exchange"
COURSE_PAGE = f"/services/{EXCHANGE}/"  # the exchange's page: a person's courses
USE_EXCHANGE = f"access:services!service={EXCHANGE}"

# What a student's server may do with its own token: report activity, let its owner in,
# and speak to the exchange as its owner.
SERVER_TOKEN_SCOPES = ["users:activity!user", "access:servers!server", USE_EXCHANGE]


def groups(*courses: Settings) -> dict[str, dict[str, list[str]]]:
    """JupyterHub's `load_groups`: a group of students and one of instructors per course."""
    found = {}
    for settings in courses:
        course, people = settings.course, settings.people
        found[course.student_group] = {"users": list(people.students)}
        found[course.instructor_group] = {"users": [*people.instructors, course.grader]}
    return found


def grader_token_scopes(settings: Settings) -> list[str]:
    """What the formgrader's server may also do: see and change its own course's students."""
    group = settings.course.student_group
    return [
        *SERVER_TOKEN_SCOPES,
        f"list:groups!group={group}",
        f"groups!group={group}",
        "read:users:name",
        "read:users:groups",
    ]


def roles(*courses: Settings) -> list[dict[str, Any]]:
    """JupyterHub's `load_roles`: that of servers, and three of each course."""
    server = {"name": "server", "scopes": SERVER_TOKEN_SCOPES}
    return [server, *(role for settings in courses for role in _course_roles(settings))]


def _course_roles(settings: Settings) -> list[dict[str, Any]]:
    course = settings.course
    grader = course.grader
    return [
        {
            "name": f"member-{course.id}",
            "description": "Fetch from and submit to the exchange",
            "groups": [course.student_group, course.instructor_group],
            "scopes": [USE_EXCHANGE],
        },
        {
            "name": f"instructor-{course.id}",
            "description": "Start and open the course's formgrader",
            "groups": [course.instructor_group],
            "scopes": [
                f"servers!user={grader}",
                f"access:servers!user={grader}",
                f"read:users:name!user={grader}",
                f"read:servers!user={grader}",
            ],
        },
        {
            "name": f"grader-{course.id}",
            "description": "The course's formgrader maintains its own course's student list",
            "users": [grader],
            "scopes": grader_token_scopes(settings)[len(SERVER_TOKEN_SCOPES) :],
        },
    ]
