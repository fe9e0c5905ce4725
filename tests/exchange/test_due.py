"""The exchange alone holds due dates: from the first release on, after an upgrade, by command."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from nbgrader.api import Gradebook

from hub.cli import main
from hub.core.course_folder import CourseFolder, new_course, open_course
from hub.core.environment import Environment
from hub.core.gradebook import open_gradebook
from hub.exchange.due import NoDate, read_date
from hub.exchange.errors import NotFound
from hub.exchange.gradebook_dates import copy_due_dates
from hub.exchange.records import UPGRADED
from hub.exchange.store import Store
from hub.serve import _upgrade_exchange
from tests.exchange.old_course import old_course
from tests.exchange.samples import ASSIGNMENT, COURSE, Clock, notebook, release, sha256, submit
from tests.gradebooks import empty_gradebook

UTC = dt.UTC
MAY, JUNE = dt.datetime(2027, 5, 1, 21, 59, tzinfo=UTC), dt.datetime(2027, 6, 1, 12, tzinfo=UTC)
NAME = "sums"


# The store


def test_a_date_given_at_a_later_release_changes_nothing(store: Store) -> None:
    store.unrelease(COURSE, ASSIGNMENT, by="prof")
    store.set_due(COURSE, ASSIGNMENT, MAY, by="prof")
    assert release(store).due == MAY
    upload = store.begin_upload("prof")
    upload.write(data := notebook("corrected"))
    again = store.release(COURSE, ASSIGNMENT, upload, sha256(data), by="prof", due=JUNE, force=True)
    upload.close()
    assert again.due == MAY


def test_what_was_handed_in_stays_late_when_the_release_is_withdrawn(
    store: Store, clock: Clock
) -> None:
    mine = submit(store, notebook("mine"))
    store.set_due(COURSE, ASSIGNMENT, clock.now - dt.timedelta(hours=1), by="prof")
    store.unrelease(COURSE, ASSIGNMENT, by="prof")
    assert store.submission(COURSE, mine.receipt).late


def test_an_assignment_that_was_never_released_has_no_date_to_change(store: Store) -> None:
    with pytest.raises(NotFound, match="never released"):
        store.set_due(COURSE, "nowhere", MAY, by="prof")


def test_a_date_of_course_yaml_from_before_the_upgrade_stands_after_it(
    kind_of_course,
) -> None:
    course = kind_of_course
    store = course.open()
    old = {one.assignment: one.due for one in store.due_dates("mechinterp")}
    assert old and all(one.set_by == UPGRADED for one in store.due_dates("mechinterp"))
    name = store.releases("mechinterp")[0].assignment
    changed = store.settle({"mechinterp"}, {("mechinterp", name): JUNE, ("other", "x"): MAY})
    assert [(one.assignment, one.due) for one in changed] == [(name, JUNE)]
    assert store.release_of("mechinterp", name).due == JUNE
    # Once: what course.yaml says from then on is nothing but a difference.
    assert store.settle({"mechinterp"}, {("mechinterp", name): MAY}) == []
    assert store.release_of("mechinterp", name).due == JUNE
    store.close()


def test_a_date_that_was_set_after_the_upgrade_is_not_overwritten_by_it(kind_of_course) -> None:
    store = kind_of_course.open()
    name = store.releases("mechinterp")[0].assignment
    store.set_due("mechinterp", name, MAY, by="prof")
    store.settle({"mechinterp"}, {("mechinterp", name): JUNE})
    assert store.release_of("mechinterp", name).due == MAY
    store.close()


def test_a_withdrawn_assignment_keeps_the_date_of_course_yaml_or_begins_anew(
    kind_of_course,
) -> None:
    course = kind_of_course
    course.sql("DELETE FROM releases")
    store = course.open()
    names = sorted({one.assignment for one in store.submissions("mechinterp")})
    store.settle({"mechinterp"}, {("mechinterp", names[0]): JUNE})
    assert [(one.assignment, one.due) for one in store.due_dates("mechinterp")] == [
        (names[0], JUNE)
    ]
    assert all(
        one.due == (JUNE if one.assignment == names[0] else None)
        for one in store.submissions("mechinterp")
    )
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"], name="kind_of_course")
def _kind_of_course(request, tmp_path):
    return old_course(request.param, tmp_path / "store")


# The gradebook's copy


@pytest.fixture(name="gradebook")
def _gradebook(tmp_path: Path):
    path = tmp_path / "gradebook.db"
    path.write_bytes(empty_gradebook(COURSE))
    with Gradebook(f"sqlite:///{path}", COURSE) as gradebook:
        gradebook.add_assignment(ASSIGNMENT, duedate=MAY.isoformat())
        yield gradebook


def record(due: dt.datetime | None, set_by: str = "prof") -> dict[str, object]:
    return {"assignment": ASSIGNMENT, "due": due and due.isoformat(), "set_by": set_by}


@pytest.mark.parametrize("due", [JUNE, None, MAY - dt.timedelta(days=9)])
def test_the_gradebook_follows_the_exchange(gradebook: Gradebook, due) -> None:
    gradebook.add_student("alice")
    gradebook.add_submission(ASSIGNMENT, "alice")
    assert copy_due_dates(gradebook, [record(due)]).changed == [ASSIGNMENT]
    assert gradebook.find_assignment(ASSIGNMENT).duedate == (due and due.replace(tzinfo=None))
    assert copy_due_dates(gradebook, [record(due)]).changed == []


def test_grades_stay_as_they_were_before_the_upgrade_until_somebody_decides(
    gradebook: Gradebook,
) -> None:
    gradebook.add_student("alice")
    gradebook.add_submission(ASSIGNMENT, "alice")
    for due in (JUNE, None):
        copied = copy_due_dates(gradebook, [record(due, UPGRADED)])
        assert not copied.changed and "as before the upgrade" in copied.kept[0]
        assert f"logitlab due {ASSIGNMENT} '2027-05-01 21:59:00'" in copied.kept[0]
        assert gradebook.find_assignment(ASSIGNMENT).duedate == MAY.replace(tzinfo=None)
    assert copy_due_dates(gradebook, [record(JUNE, "prof")]).changed


def test_a_date_of_before_the_upgrade_is_copied_where_nothing_was_collected(
    gradebook: Gradebook,
) -> None:
    assert copy_due_dates(gradebook, [record(JUNE, UPGRADED)]).changed == [ASSIGNMENT]


# The commands


def run(folder: CourseFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--course", str(folder.root)])


def done(folder: CourseFolder, *words: str) -> str:
    result = run(folder, *words)
    assert result.exit_code == 0, result.output
    return result.output


def say_due(folder: CourseFolder, date: str) -> CourseFolder:
    """Put a date into course.yaml."""
    text = (
        "course: {id: mechinterp, timezone: Europe/Berlin}\n"
        "people: {instructors: [prof], students: [alice]}\n"
        f"assignments:\n  {NAME}:\n    due: {date}\n"
    )
    folder.settings_file.write_text(text)
    return folder.reread()


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> CourseFolder:
    list(new_course(tmp_path / "course"))
    folder = open_course(tmp_path / "course", Environment())
    made = folder.release / NAME
    made.mkdir(parents=True)
    (made / f"{NAME}.ipynb").write_text("{}")
    (folder.root / "gradebook.db").write_bytes(empty_gradebook("mechinterp"))
    with open_gradebook(folder.gradebook_url, "mechinterp") as gradebook:
        gradebook.add_assignment(NAME)
    return say_due(folder, "2027-05-01 23:59")


def in_gradebook(folder: CourseFolder) -> dt.datetime | None:
    with open_gradebook(folder.gradebook_url, "mechinterp") as gradebook:
        return gradebook.find_assignment(NAME).duedate


def test_a_date_in_course_yaml_counts_at_the_first_release_and_then_only_by_command(
    folder: CourseFolder,
) -> None:
    assert "not released yet. Then it is due 2027-05-01 23:59 (Europe/Berlin)" in done(
        folder, "due", NAME
    )
    released = done(folder, "release", "--hand-out", NAME)
    assert "course.yaml" not in released
    assert done(folder, "due", NAME) == f"{NAME}: due 2027-05-01 23:59 (Europe/Berlin)\n"
    assert in_gradebook(folder) == MAY.replace(tzinfo=None)
    folder = say_due(folder, "2027-05-08 23:59")
    sentence = (
        f"{NAME}: course.yaml has 2027-05-08 23:59 (Europe/Berlin), but what counts is the "
        f"exchange's: 2027-05-01 23:59 (Europe/Berlin). To take over course.yaml's: "
        f"`logitlab due {NAME} --from-settings`"
    )
    assert sentence in done(folder, "release", "--hand-out", NAME)
    assert f"warning: {sentence}" in done(folder, "check")
    assert f"warning: {sentence}" in list(_upgrade_exchange(folder))
    assert in_gradebook(folder) == MAY.replace(tzinfo=None)
    taken = done(folder, "due", NAME, "--from-settings")
    assert taken == f"{NAME}: due 2027-05-08 23:59 (Europe/Berlin)\n"
    assert in_gradebook(folder) == dt.datetime(2027, 5, 8, 21, 59)
    assert "exchange's" not in done(folder, "check") + done(folder, "release", "--hand-out", NAME)


def test_a_date_is_typed_in_the_courses_zone_with_or_without_quotes(folder: CourseFolder) -> None:
    done(folder, "release", "--hand-out", NAME)
    for words in (("2027-12-01 12:00",), ("2027-12-01", "12:00"), ("2027-12-01T12:00",)):
        done(folder, "due", NAME, "--none")
        assert in_gradebook(folder) is None
        assert done(folder, "due", NAME).startswith(f"{NAME}: no due date\n")
        done(folder, "due", NAME, *words)
        assert in_gradebook(folder) == dt.datetime(2027, 12, 1, 11, 0)


def test_the_gradebooks_date_counts_at_the_first_release_where_course_yaml_has_none(
    folder: CourseFolder,
) -> None:
    folder.settings_file.write_text("course: {id: mechinterp}\n")
    with open_gradebook(folder.gradebook_url, "mechinterp") as gradebook:
        gradebook.update_or_create_assignment(NAME, duedate=JUNE.isoformat())
    done(folder, "release", "--hand-out", NAME)
    assert done(folder, "due", NAME) == f"{NAME}: due 2027-06-01 12:00 (UTC)\n"


@pytest.mark.parametrize("words", [("2027-05-01",), ("tomorrow",), ("--none", "2027-05-01 12:00")])
def test_what_is_no_date_changes_nothing(folder: CourseFolder, words: tuple[str, ...]) -> None:
    done(folder, "release", "--hand-out", NAME)
    assert run(folder, "due", NAME, *words).exit_code != 0
    assert done(folder, "due", NAME) == f"{NAME}: due 2027-05-01 23:59 (Europe/Berlin)\n"


def test_a_date_without_a_time_is_refused_with_an_example(folder: CourseFolder) -> None:
    with pytest.raises(NoDate) as refused:
        read_date("2027-05-01", folder.settings.course)
    assert "2027-02-01 23:59" in refused.value.fix and "Europe/Berlin" in refused.value.fix


def test_a_penalty_that_was_forgiven_stays_forgiven(folder: CourseFolder) -> None:
    with folder.settings_file.open("a") as file:
        file.write("late: {policy: zero}\n")
    done(folder, "release", "--hand-out", NAME)
    with open_gradebook(folder.gradebook_url, "mechinterp") as gradebook:
        gradebook.add_student("alice")
        gradebook.add_submission(NAME, "alice", timestamp=dt.datetime(2027, 5, 2, 12, 0))

    def seconds_late() -> str:
        done(folder, "export", str(table := folder.root / "grades.csv"))
        head, row = table.read_text().splitlines()
        return dict(zip(head.split(","), row.split(","), strict=True))["seconds_late"]

    assert seconds_late() == "50460"
    done(folder, "due", NAME, "2027-05-03 12:00")
    for _ in range(2):
        assert seconds_late() == "0"
        done(folder, "collect", NAME)
        done(folder, "check")
    with open_gradebook(folder.gradebook_url, "mechinterp") as gradebook:
        gradebook.find_assignment(NAME).duedate = MAY.replace(tzinfo=None)  # a copy gone stale
        gradebook.db.commit()
    assert seconds_late() == "0"
