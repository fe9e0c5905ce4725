"""Who may do what, asked of the decisions themselves: no service, no Hub."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from hub.exchange.access import INSTRUCTOR, STUDENT, Access, Caller
from hub.exchange.errors import (
    Conflict,
    InvalidName,
    NotAllowed,
    NotFound,
    TooLarge,
    TooManyUploads,
)
from tests.exchange.conftest import LIMITS
from tests.exchange.samples import (
    ASSIGNMENT,
    COURSE,
    give_feedback,
    key,
    notebook,
    packed,
    sha256,
    submit,
)

STUDENTS, INSTRUCTORS = f"nbgrader-{COURSE}", f"formgrade-{COURSE}"
PAGE = "induction-heads.html"
MOST = LIMITS.submission_bytes
MAY = datetime(2027, 5, 1, tzinfo=UTC)


@pytest.fixture
def alice(store):
    return Access(store, Caller("alice", frozenset({STUDENTS})), {COURSE, "other"})


@pytest.fixture
def prof(store):
    return Access(store, Caller("prof", frozenset({INSTRUCTORS})), {COURSE, "other"})


def uploaded(access, take, data=None):
    """What `take` makes of an upload of `data`."""
    data = notebook("mine") if data is None else data
    upload = access.begin_upload()
    try:
        upload.write(data)
        return take(upload, sha256(data))
    finally:
        upload.close()


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        ((), set()),
        ((STUDENTS,), {STUDENT}),
        ((INSTRUCTORS,), {INSTRUCTOR}),
        ((STUDENTS, INSTRUCTORS), {STUDENT, INSTRUCTOR}),
        (("nbgrader-other", f"{STUDENTS}2", f"x{INSTRUCTORS}", COURSE), set()),
    ],
)
def test_roles_are_those_of_the_courses_groups(groups, roles):
    assert Caller("alice", frozenset(groups)).roles(COURSE) == roles


def extend_by_a_day(access):
    access._store.set_due(COURSE, ASSIGNMENT, MAY, by="prof")
    return access.extend(COURSE, ASSIGNMENT, "alice", MAY + timedelta(days=1))


# What is asked, and who may; each is asked in a course with `receipt` in it.
CALLS = {
    "assignments": ("both", lambda a, receipt: a.assignments(COURSE)),
    "fetch": ("both", lambda a, receipt: a.fetch(COURSE, ASSIGNMENT)),
    "my_submissions": ("both", lambda a, receipt: a.my_submissions(COURSE)),
    "my_feedback": ("both", lambda a, receipt: a.my_feedback(COURSE, receipt)),
    "my_feedback_page": ("both", lambda a, receipt: a.my_feedback_page(COURSE, receipt, PAGE)),
    "may_submit": (STUDENT, lambda a, receipt: a.may_submit(COURSE, ASSIGNMENT, key(), 1)),
    "submit": (
        STUDENT,
        lambda a, receipt: uploaded(a, lambda *of: a.submit(COURSE, ASSIGNMENT, key(), *of)),
    ),
    "may_release": (INSTRUCTOR, lambda a, receipt: a.may_release(COURSE, ASSIGNMENT, 1)),
    "release": (
        INSTRUCTOR,
        lambda a, receipt: uploaded(
            a, lambda *of: a.release(COURSE, "new", *of, due=None, force=False)
        ),
    ),
    "due_dates": (INSTRUCTOR, lambda a, receipt: a.due_dates(COURSE)),
    "set_due": (INSTRUCTOR, lambda a, receipt: a.set_due(COURSE, ASSIGNMENT, None)),
    "extensions": (INSTRUCTOR, lambda a, receipt: a.extensions(COURSE)),
    "extend": (INSTRUCTOR, lambda a, receipt: extend_by_a_day(a)),
    "unrelease": (INSTRUCTOR, lambda a, receipt: a.unrelease(COURSE, ASSIGNMENT)),
    "all_submissions": (INSTRUCTOR, lambda a, receipt: a.all_submissions(COURSE)),
    "download": (INSTRUCTOR, lambda a, receipt: a.download(COURSE, receipt)),
    "may_put_feedback": (INSTRUCTOR, lambda a, receipt: a.may_put_feedback(COURSE, receipt, 1)),
    "put_feedback": (
        INSTRUCTOR,
        lambda a, receipt: uploaded(
            a,
            lambda *of: a.put_feedback(
                COURSE, receipt, *of, student="alice", assignment=ASSIGNMENT, points=None
            ),
            packed({"a.html": b"good"}),
        ),
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("role", [None, STUDENT, INSTRUCTOR])
def test_each_call_is_for_its_roles_only(store, call, role):
    mine = submit(store, notebook("alice's"))
    give_feedback(store, mine)
    groups = {STUDENT: {STUDENTS}, INSTRUCTOR: {INSTRUCTORS}}.get(role, {"nbgrader-other"})
    access = Access(store, Caller("alice", frozenset(groups)), {COURSE, "other"})
    wanted, ask = CALLS[call]
    if role is not None and wanted in ("both", role):
        ask(access, mine.receipt)
    else:
        words = "student or instructor" if wanted == "both" else wanted
        with pytest.raises(NotAllowed, match=f"'alice' is not {words} of the course '{COURSE}'"):
            ask(access, mine.receipt)


@pytest.mark.parametrize("call", CALLS)
def test_a_group_of_a_course_that_is_not_served_opens_nothing(store, call):
    mine = submit(store, notebook("alice's"))
    access = Access(store, Caller("alice", frozenset({STUDENTS, INSTRUCTORS})), {"other"})
    with pytest.raises(NotAllowed):
        CALLS[call][1](access, mine.receipt)


def test_a_course_is_asked_for_by_a_courses_name(prof):
    with pytest.raises(InvalidName, match="course"):
        prof.assignments("../other")


def test_the_list_of_courses_has_the_callers_own_with_roles_limits_and_use(store):
    submit(store, notebook("alice's"))
    groups = {STUDENTS, INSTRUCTORS, "nbgrader-algebra", "nbgrader-nowhere"}
    access = Access(store, Caller("alice", frozenset(groups)), {"other", COURSE, "algebra"})
    rest = {"limits": LIMITS.as_json(), "warning": ""}
    assert access.courses() == [
        {"course": "algebra", "roles": ["student"], "used_bytes": 0, **rest},
        {
            "course": COURSE,
            "roles": ["instructor", "student"],
            "used_bytes": len(notebook("alice's")),
            **rest,
        },
    ]


def test_own_submissions_are_ones_own_also_for_an_instructor(store, alice, prof):
    mine, other = submit(store, notebook("a")), submit(store, notebook("b"), student="bob")
    assert [each.receipt for each in alice.my_submissions(COURSE)] == [mine.receipt]
    assert prof.my_submissions(COURSE) == []
    assert alice.my_submissions(COURSE, "another") == []
    assert {each.receipt for each in prof.all_submissions(COURSE)} == {mine.receipt, other.receipt}
    assert [each.receipt for each in prof.all_submissions(COURSE, student="bob")] == [other.receipt]
    assert prof.all_submissions(COURSE, "another") == []
    assert prof.download(COURSE, other.receipt).student == "bob"


def test_feedback_of_another_is_refused_in_the_words_of_none_at_all(store, alice):
    mine, other = submit(store, notebook("a")), submit(store, notebook("b"), student="bob")
    given = give_feedback(store, other)
    assert given.receipt == other.receipt
    for receipt in (mine.receipt, other.receipt, "0" * 32):
        with pytest.raises(NotFound, match=f"There is no feedback for you on '{receipt}'"):
            alice.my_feedback(COURSE, receipt)
        with pytest.raises(NotFound, match=f"There is no feedback for you on '{receipt}'"):
            alice.my_feedback_page(COURSE, receipt, PAGE)
    give_feedback(store, mine)
    assert alice.my_feedback(COURSE, mine.receipt).receipt == mine.receipt
    assert alice.my_feedback_page(COURSE, mine.receipt, PAGE) == b"<p>well done"


@pytest.mark.parametrize("page", ["another.html", "../induction-heads.html", ""])
def test_a_page_that_the_feedback_does_not_have_is_not_found(store, alice, page):
    mine = submit(store, notebook("a"))
    give_feedback(store, mine)
    with pytest.raises(NotFound, match="There is no page"):
        alice.my_feedback_page(COURSE, mine.receipt, page)


@pytest.mark.parametrize(
    "ask",
    [
        lambda alice, prof: alice.fetch(COURSE, "../x"),
        lambda alice, prof: alice.my_feedback(COURSE, "x"),
        lambda alice, prof: alice.may_submit(COURSE, "../x", key(), 1),
        lambda alice, prof: alice.may_submit(COURSE, ASSIGNMENT, "x", 1),
        lambda alice, prof: prof.may_release(COURSE, "../x", 1),
        lambda alice, prof: prof.download(COURSE, "../x"),
        lambda alice, prof: prof.may_put_feedback(COURSE, "x", 1),
    ],
)
def test_a_name_that_is_none_is_refused_before_anything_is_looked_up(alice, prof, ask):
    with pytest.raises(InvalidName):
        ask(alice, prof)


def test_a_name_that_cannot_have_a_folder_is_reported_before_the_upload(store):
    access = Access(store, Caller("../bob", frozenset({STUDENTS})), {COURSE})
    with pytest.raises(InvalidName):
        access.may_submit(COURSE, ASSIGNMENT, key(), 1)


def test_an_upload_may_have_the_size_of_the_limit_and_no_byte_more(store, alice, prof):
    mine = submit(store, notebook("a"))
    asked = [
        lambda size: alice.may_submit(COURSE, ASSIGNMENT, key(), size),
        lambda size: prof.may_release(COURSE, ASSIGNMENT, size),
        lambda size: prof.may_put_feedback(COURSE, mine.receipt, size),
    ]
    for may in asked:
        may(MOST)
        with pytest.raises(TooLarge, match=r"The upload is .*; the limit is 2\.0 MB"):
            may(MOST + 1)


def test_a_submission_must_be_of_a_release_and_have_room_unless_it_is_in_already(store, alice):
    with pytest.raises(NotFound):
        alice.may_submit(COURSE, "not-released", key(), 1)
    known = key()
    for number in range(3):
        submit(store, packed({"a.bin": bytes([number]) * 900_000}), with_key=known)
        known = key() if number < 2 else known
    with pytest.raises(TooLarge, match="your quota is"):
        alice.may_submit(COURSE, ASSIGNMENT, key(), 900_000)
    alice.may_submit(COURSE, ASSIGNMENT, known, 900_000)
    store.unrelease(COURSE, ASSIGNMENT, by="prof")
    alice.may_submit(COURSE, ASSIGNMENT, known, 900_000)


def test_feedback_must_be_on_a_submission_of_the_course(store, prof):
    with pytest.raises(NotFound):
        prof.may_put_feedback(COURSE, "0" * 32, 1)
    mine = submit(store, notebook("a"))
    dean = Access(store, Caller("dean", frozenset({"formgrade-other"})), {COURSE, "other"})
    with pytest.raises(NotFound):
        dean.may_put_feedback("other", mine.receipt, 1)


def test_a_submission_is_its_callers_under_the_assignment_and_key_given(store, alice):
    once = key()
    kept = uploaded(alice, lambda *of: alice.submit(COURSE, ASSIGNMENT, once, *of))
    assert (kept.student, kept.course, kept.assignment) == ("alice", COURSE, ASSIGNMENT)
    assert store.has_key("alice", once)


def test_instructors_actions_are_logged_with_their_names(store, clock, prof, caplog):
    caplog.set_level(logging.INFO)
    made = uploaded(
        prof, lambda *of: prof.release(COURSE, ASSIGNMENT, *of, due=clock.now, force=True)
    )
    assert prof.set_due(COURSE, ASSIGNMENT, clock.now).due == clock.now
    mine = submit(store, notebook("a"))
    uploaded(
        prof,
        lambda *of: prof.put_feedback(
            COURSE, mine.receipt, *of, student="alice", assignment=ASSIGNMENT, points=None
        ),
        packed({"a.html": b"good"}),
    )
    assert prof.unrelease(COURSE, ASSIGNMENT).sha256 == made.sha256
    lines = [line for line in caplog.messages if "by=" in line]
    assert len(lines) == 4 and all("by=prof" in line for line in lines)


def test_a_release_is_replaced_by_force_only(prof):
    with pytest.raises(Conflict):
        uploaded(prof, lambda *of: prof.release(COURSE, ASSIGNMENT, *of, due=None, force=False))


def test_an_upload_counts_for_its_caller(store, alice, prof):
    held = [alice.begin_upload() for _ in range(LIMITS.uploads_at_once)]
    with pytest.raises(TooManyUploads):
        alice.begin_upload()
    prof.begin_upload().close()
    for upload in held:
        upload.close()
