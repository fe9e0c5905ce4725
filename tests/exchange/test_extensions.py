"""Extensions: a student's own due date, which nobody else sees and everything follows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hub.core.course_folder import CourseFolder
from hub.core.gradebook import open_gradebook
from hub.exchange.errors import Conflict, InvalidName, NotFound
from hub.exchange.store import Store
from tests.exchange.running import ServiceThread
from tests.exchange.samples import ASSIGNMENT, COURSE, Clock, key, notebook, packed, sha256, submit
from tests.exchange.test_due import MAY, NAME, _folder, done, run  # noqa: F401 - a fixture
from tests.exchange.test_routes import ask

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
PATH = f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}"


def test_an_extension_given_before_anything_was_handed_in_makes_it_in_time(
    store: Store, clock: Clock
) -> None:
    store.set_due(COURSE, ASSIGNMENT, clock.now - HOUR, by="prof")
    store.extend(COURSE, ASSIGNMENT, "alice", clock.now + HOUR, by="prof")
    mine, other = (submit(store, notebook(name), student=name) for name in ("alice", "bob"))
    assert (mine.late, mine.due) == (False, clock.now + HOUR)
    assert (other.late, other.due) == (True, clock.now - HOUR)


def test_an_extension_counts_for_what_was_handed_in_before_and_can_be_taken_back(
    store: Store, clock: Clock
) -> None:
    store.set_due(COURSE, ASSIGNMENT, clock.now - HOUR, by="prof")
    mine = submit(store, notebook("mine"))
    for due, late in ((clock.now, False), (clock.now - HOUR / 2, True), (None, True)):
        store.extend(COURSE, ASSIGNMENT, "alice", due, by="prof")
        assert store.submission(COURSE, mine.receipt).late == late
        (listed,) = store.submissions(COURSE)
        assert listed.late == late
    assert [(one.due, one.set_by) for one in store.extensions(COURSE)] == [(None, "prof")]


def test_an_extension_gives_nobody_less_time_than_everybody_has(store: Store, clock: Clock) -> None:
    store.set_due(COURSE, ASSIGNMENT, clock.now, by="prof")
    for due in (clock.now, clock.now - HOUR):
        with pytest.raises(Conflict):
            store.extend(COURSE, ASSIGNMENT, "alice", due, by="prof")
    store.extend(COURSE, ASSIGNMENT, "alice", clock.now + HOUR, by="prof")
    for everybody in (clock.now + DAY, None):
        store.set_due(COURSE, ASSIGNMENT, everybody, by="prof")
        (release,) = store.releases(COURSE, student="alice")
        assert (release.due, release.extended) == (everybody, False)


def test_an_extension_is_of_a_known_assignment_and_a_possible_name(
    store: Store, clock: Clock
) -> None:
    store.set_due(COURSE, ASSIGNMENT, clock.now, by="prof")
    with pytest.raises(NotFound, match="never released"):
        store.extend(COURSE, "nowhere", "alice", clock.now + DAY, by="prof")
    with pytest.raises(NotFound, match="no extension"):
        store.extend(COURSE, ASSIGNMENT, "alice", None, by="prof")
    with pytest.raises(InvalidName):
        store.extend(COURSE, ASSIGNMENT, "../alice", clock.now + DAY, by="prof")


def test_a_student_sees_their_own_due_date_and_others_theirs(
    service: ServiceThread, store: Store, clock: Clock
) -> None:
    store.set_due(COURSE, ASSIGNMENT, clock.now - HOUR, by="prof")
    path = f"{PATH}/extensions/alice?due=2027-03-04T10:00:00Z"
    given = ask(service, "instructor", "PUT", path).json()
    assert (given["student"], given["set_by"]) == ("alice", "prof")
    submit(store, notebook("mine"))
    seen = {}
    for token in ("student", "other-student", "instructor"):
        (listed,) = ask(service, token, "GET", f"/api/courses/{COURSE}/assignments").json()
        seen[token] = (listed["due"][:13], listed["extended"])
    assert seen == {
        "student": ("2027-03-04T10", True),
        "other-student": ("2027-03-01T11", False),
        "instructor": ("2027-03-01T11", False),
    }
    (mine,) = ask(service, "student", "GET", f"/api/courses/{COURSE}/my-submissions").json()
    assert mine["due"].startswith("2027-03-04T10") and not mine["late"]
    (all_,) = ask(service, "instructor", "GET", f"/api/courses/{COURSE}/submissions").json()
    assert all_["due"] == mine["due"] and not all_["late"]


@pytest.mark.parametrize("due", ["", "?due=soon", "?due=2027-03-01"])
def test_an_extension_is_not_taken_back_by_a_request_that_lacks_it(
    service: ServiceThread, store: Store, clock: Clock, due: str
) -> None:
    store.set_due(COURSE, ASSIGNMENT, clock.now, by="prof")
    store.extend(COURSE, ASSIGNMENT, "alice", clock.now + DAY, by="prof")
    answer = ask(service, "instructor", "PUT", f"{PATH}/extensions/alice{due}")
    assert answer.status_code == 400 and store.extensions(COURSE)[0].due == clock.now + DAY


# The command


@pytest.fixture(name="released")
def _released(folder: CourseFolder) -> CourseFolder:
    """A course with three students, whose assignment is due on 2027-05-01 at 23:59 in Berlin."""
    text = folder.settings_file.read_text()
    text = text.replace("[alice]", "[alice, bob, carol]") + "late: {policy: zero}\n"
    folder.settings_file.write_text(text)
    done(folder, "release", "--hand-out", NAME)
    return folder.reread()


def test_several_students_get_time_at_once_and_the_command_shows_who_has_it(
    released: CourseFolder,
) -> None:
    assert done(released, "extend", NAME) == f"{NAME}: nobody has an extension\n"
    done(released, "extend", NAME, "alice", "bob", "2027-05-03", "12:00")
    by = f"from grader-{released.settings.course.id}"
    assert done(released, "extend", NAME) == "".join(
        f"{NAME}: {student} has until 2027-05-03 12:00 (Europe/Berlin), {by}\n"
        for student in ("alice", "bob")
    )
    done(released, "extend", NAME, "bob", "--remove")
    assert "bob" not in done(released, "extend", NAME)


@pytest.mark.parametrize(
    "words",
    [
        ("alice", "mallory", "2027-05-03 12:00"),
        ("alice", "soon"),
        ("alice", "2027-05-03"),
        ("2027-05-03 12:00",),
        ("alice", "2027-04-01 12:00"),
        ("--remove",),
        ("--remove", "alice"),
    ],
)
def test_a_mistake_extends_nothing(released: CourseFolder, words: tuple[str, ...]) -> None:
    assert run(released, "extend", NAME, *words).exit_code != 0
    assert done(released, "extend", NAME) == f"{NAME}: nobody has an extension\n"


def test_penalties_and_exports_follow_an_extension(released: CourseFolder, tmp_path: Path) -> None:
    with open_gradebook(released.gradebook_url, released.settings.course.id) as gradebook:
        for student in ("alice", "bob"):
            gradebook.add_student(student)
            gradebook.add_submission(NAME, student, timestamp=dt.datetime(2027, 5, 2, 12, 0))

    def seconds_late() -> dict[str, str]:
        done(released, "export", str(tmp_path / "grades.csv"))
        head, *rows = (tmp_path / "grades.csv").read_text().splitlines()
        found = [dict(zip(head.split(","), row.split(","), strict=True)) for row in rows]
        return {row["student_id"]: row["seconds_late"] for row in found}

    assert seconds_late() == {"alice": "50460", "bob": "50460"}
    done(released, "extend", NAME, "alice", "2027-05-03 12:00")
    assert seconds_late() == {"alice": "0", "bob": "50460"}
    done(released, "due", NAME, "2027-05-02 12:00")  # 10:00 UTC; alice's own date stays
    assert seconds_late() == {"alice": "0", "bob": "7200"}
    done(released, "extend", NAME, "alice", "--remove")
    assert seconds_late() == {"alice": "7200", "bob": "7200"}


def test_feedback_that_shows_the_old_penalty_is_named(released: CourseFolder) -> None:
    done(released, "due", NAME, "2020-05-01 12:00")
    course, data = released.settings.course.id, packed({f"{NAME}.html": b"late"})
    store = Store(released.exchange)
    for student in ("alice", "bob"):
        upload = store.begin_upload(student)
        upload.write(work := packed({f"{NAME}.ipynb": b"{}"}))
        made = store.submit(course, NAME, student, key(), upload, sha256(work))
        upload.close()
        if student == "alice":
            upload = store.begin_upload("prof")
            upload.write(data)
            store.put_feedback(
                *(course, made.receipt, upload, sha256(data)),
                student=student,
                assignment=NAME,
                by="prof",
            )
            upload.close()
    store.close()
    again = (
        "the feedback that alice got shows the penalty of before. Release it again: "
        f"`logitlab feedback --hand-out {NAME}`"
    )
    assert again in done(released, "due", NAME, "2199-05-01 12:00")
    assert again in done(released, "due", NAME, "2020-05-01 12:00")
    assert again not in done(released, "due", NAME, "2020-05-01 12:00")
    assert again not in done(released, "extend", NAME, "bob", "2199-05-01 12:00")
    assert again in done(released, "extend", NAME, "alice", "2199-05-01 12:00")


def test_an_extension_of_nbgraders_own_is_left_alone(released: CourseFolder) -> None:
    with open_gradebook(released.gradebook_url, released.settings.course.id) as gradebook:
        gradebook.add_student("alice")
        gradebook.add_submission(NAME, "alice", timestamp=dt.datetime(2027, 5, 2, 12, 0))
        gradebook.grant_extension(NAME, "alice", days=2)
    done(released, "due", NAME, "2027-05-01 23:58")
    with open_gradebook(released.gradebook_url, released.settings.course.id) as gradebook:
        assert gradebook.find_submission(NAME, "alice").extension == 2 * DAY
    assert MAY.replace(tzinfo=None) == dt.datetime(2027, 5, 1, 21, 59)
