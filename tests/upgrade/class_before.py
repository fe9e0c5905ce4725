"""The class in the data of these tests: its people, and what their course server says of it.

`make.py` asks 2d81227, the tests ask today's LogitLab: over HTTP, by addresses that both have.
"""

from __future__ import annotations

import hashlib
from typing import Any

COURSE = "interp"
GRADER = f"grader-{COURSE}"
PASSWORDS = {
    "root": "a password of root",
    "prof": "a password of prof",
    "alice": "a password of alice",
    "bob": "a password of bob",
    "carol": "a password of carol",
}
WITH_LINK = "dana@example.org"  # was sent a password link and has not opened it yet
WITHOUT_LINK = "erik"  # not in the course any more

# Handed out, graded and returned, with an essay graded by hand; bob's came late.
WARMUP = "warmup"
# With its tests in the student's kernel, due before it was handed in; graded, not returned.
KERNEL = "kernel"
# Only handed out: one of the shipped ones.
START = "start"
# In the gradebook and in source/ only: 2d81227 took the name, and could not hand it out.
SPACED = "week 1"
NOTEBOOK = "doubling"
ESSAY = "why"
MANUAL_SCORE, COMMENT = 3.5, "Fast — ß 💡"

# Every variable of `.env`, with another value than the one that the example shows.
ENV = {
    "LOGITLAB_PROJECT": "circuits",
    "LOGITLAB_TAG": "2026-11",
    "DOMAIN": "course.example.org",
    "ACME_EMAIL": "admin@example.org",
    "ACME_CA": "production",
    "HTTP_PORT": "8080",
    "HTTPS_PORT": "8443",
    "STUDENT_INTERNET": "yes",
    "STUDENTS_SUBNET": "10.77.0.0/16",
    "BASE_IMAGE": "logitlab/base:bookworm",
    "TORCH": "cu130",
    "MODELS_MODE": "volume",
    "MODELS": "gpt2",
    "EXECUTOR_MEMORY": "6g",
    "DOCKER_SOCKET": "/run/other/docker.sock",
}


def observed(people: dict[str, Any]) -> dict[str, Any]:
    """What root, prof, alice, bob and carol are told of themselves and of the course's work.

    people: somebody logged in for each of `PASSWORDS`, with the grader's server started by prof.
    """
    return {
        "people": {name: _account(person) for name, person in people.items()},
        "exchange": {
            **{name: _own_work(people[name]) for name in ("alice", "bob", "carol")},
            "prof": _all_work(people["prof"]),
        },
        "formgrader": _gradebook(people["prof"]),
    }


def _account(person: Any) -> dict[str, Any]:
    answer = person.api("GET", "/user").json()
    return {key: answer[key] for key in ("name", "admin", "groups")}


def exchange(person: Any, path: str) -> Any:
    """The answer of the exchange's API to somebody."""
    headers = {"Authorization": f"token {person.token(note='exchange')}"}
    answer = person.http.get(f"/services/exchange/api/{path}", headers=headers)
    answer.raise_for_status()
    return answer


def _own_work(student: Any) -> dict[str, Any]:
    return {
        path: exchange(student, f"courses/{COURSE}/{path}").json()
        for path in ("assignments", "my-submissions")
    }


def _all_work(instructor: Any) -> dict[str, Any]:
    found = exchange(instructor, f"courses/{COURSE}/submissions").json()
    listed = found["submissions"] if isinstance(found, dict) else found
    archives = {
        one["receipt"]: exchange(
            instructor, f"courses/{COURSE}/submissions/{one['receipt']}"
        ).content
        for one in listed
    }
    return {
        "submissions": found,
        "sha256": {key: hashlib.sha256(data).hexdigest() for key, data in archives.items()},
    }


def formgrader(person: Any, path: str) -> Any:
    answer = person.server("GET", f"/formgrader/api/{path}", owner=GRADER)
    answer.raise_for_status()
    return answer.json()


def _gradebook(instructor: Any) -> dict[str, Any]:
    told = {path: formgrader(instructor, path) for path in ("assignments", "students")}
    for assignment in (WARMUP, KERNEL):
        told[f"submissions of {assignment}"] = formgrader(instructor, f"submissions/{assignment}")
        for one in formgrader(instructor, f"submitted_notebooks/{assignment}/{NOTEBOOK}"):
            for kind in ("grades", "comments"):
                path = f"{kind}?submission_id={one['id']}"
                told[f"{kind} of {assignment} of {one['student']}"] = formgrader(instructor, path)
    return told


def as_told(now: Any, before: Any) -> Any:
    """`now` without what the exchange tells of a release or submission only since then."""
    if isinstance(now, dict) and isinstance(before, dict):
        return {key: as_told(now[key], before[key]) for key in now if key in before}
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        return [as_told(one, other) for one, other in zip(now, before, strict=True)]
    return now


def without_zone(assignments):
    """Without how due dates are shown: in UTC then, in the course's time zone now."""
    shown = {"display_duedate", "duedate_notimezone", "duedate_timezone"}
    return [{key: value for key, value in one.items() if key not in shown} for one in assignments]
