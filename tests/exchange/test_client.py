"""nbgrader's own command line apps and JupyterLab extension over this exchange."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from nbgrader import apps
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.server_extensions.assignment_list.handlers import AssignmentList
from nbgrader.utils import parse_utc
from sqlalchemy import delete
from traitlets.config import Config

from hub.exchange import archive
from hub.exchange.client import ExchangeCollect
from hub.exchange.client.outbox import RECEIPTS_FILE
from hub.exchange.client.remarks import take_remarks
from hub.exchange.client.transport import HttpTransport
from hub.exchange.records import DueRow, Points, ReleaseRow
from tests.exchange.samples import ASSIGNMENT, COURSE, key, notebook, release
from tests.gradebooks import empty_gradebook

CLASSES = {
    "exchange": "Exchange",
    "fetch_assignment": "ExchangeFetchAssignment",
    "fetch_feedback": "ExchangeFetchFeedback",
    "list": "ExchangeList",
    "release_assignment": "ExchangeReleaseAssignment",
    "release_feedback": "ExchangeReleaseFeedback",
    "submit": "ExchangeSubmit",
    "collect": "ExchangeCollect",
}
CONFIG = f"c = get_config()\nc.CourseDirectory.course_id = {COURSE!r}\n" + "".join(
    f"c.ExchangeFactory.{role} = 'hub.exchange.client.{name}'\n" for role, name in CLASSES.items()
)
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class Person:
    """Somebody with a home folder, a token and nbgrader configured for this exchange."""

    def __init__(self, home: Path, token: str, name: str, monkeypatch, url: str) -> None:
        home.mkdir()
        self.home, self._token, self._name = home, token, name
        self._monkeypatch, self.url = monkeypatch, url
        (home / "nbgrader_config.py").write_text(CONFIG)

    @contextlib.contextmanager
    def being(self):
        with self._monkeypatch.context() as patched:
            patched.setenv("HOME", str(self.home))
            patched.setenv("JUPYTERHUB_USER", self._name)
            patched.setenv("JUPYTERHUB_API_TOKEN", self._token)
            patched.setenv("LOGITLAB_EXCHANGE_URL", self.url)
            patched.setenv("JUPYTER_CONFIG_DIR", str(self.home / ".jupyter"))
            patched.chdir(self.home)
            yield

    def nbgrader(self, command: str, *arguments: str) -> int:
        """Run an nbgrader command as the shell does; returns its exit status."""
        with self.being():
            app = getattr(apps, command)()
            try:
                app.initialize(list(arguments))
                app.start()
            except SystemExit as exit:
                return int(exit.code or 0)
            return 0

    def assignment_list(self) -> AssignmentList:
        manager = AssignmentList()
        manager.root_dir = str(self.home)
        return manager

    def path(self, *parts: str) -> Path:
        return self.home.joinpath(*parts)

    def edit(self, text: str) -> None:
        book = {**NOTEBOOK, "metadata": {"text": text}}
        self.path(ASSIGNMENT, "induction-heads.ipynb").write_text(json.dumps(book))


@pytest.fixture
def person(tmp_path, monkeypatch, service):
    monkeypatch.setattr(HttpTransport, "delays", (0.01, 0.01))
    # nbgrader runs the `alembic` that stands beside this Python
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # must not be used

    def make(token: str, name: str) -> Person:
        return Person(tmp_path / token, token, name, monkeypatch, service.url)

    return make


@pytest.fixture
def student(person):
    return person("student", "alice")


@pytest.fixture
def instructor(person):
    person = person("instructor", "prof")
    person.path("gradebook.db").write_bytes(empty_gradebook(COURSE))
    folder = person.path("release", ASSIGNMENT)
    folder.mkdir(parents=True)
    (folder / "induction-heads.ipynb").write_text(json.dumps(NOTEBOOK))
    (folder / "data").mkdir()
    (folder / "data" / "words.txt").write_text("the cat")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "x.ipynb").write_text("{}")
    return person


def make_feedback(instructor: Person, student: str = "alice", text: str = "<p>good") -> None:
    """What nbgrader leaves in feedback/: pages, and the other files of the submission."""
    source = instructor.path("submitted", student, ASSIGNMENT)
    folder = instructor.path("feedback", student, ASSIGNMENT)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("timestamp.txt", "receipt.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    (folder / "induction-heads.html").write_text(text)


def submissions(student: Person) -> list[dict]:
    with student.being():
        listed = student.assignment_list().list_submitted_assignments(COURSE)
    assert listed["success"], listed
    return [entry for info in listed["value"] for entry in info["submissions"]]


def test_a_whole_round_works_from_the_command_line(student, instructor, store):
    assert instructor.nbgrader("ReleaseAssignmentApp", ASSIGNMENT, "--force") == 0
    assert student.nbgrader("ListApp") == 0
    assert student.nbgrader("FetchAssignmentApp", ASSIGNMENT) == 0
    assert student.path(ASSIGNMENT, "data", "words.txt").read_text() == "the cat"
    assert not student.path(ASSIGNMENT, ".ipynb_checkpoints").exists()
    student.edit("solved")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    assert instructor.nbgrader("CollectApp", ASSIGNMENT) == 0
    collected = instructor.path("submitted", "alice", ASSIGNMENT)
    assert "solved" in (collected / "induction-heads.ipynb").read_text()
    make_feedback(instructor)
    assert instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT) == 0
    assert student.nbgrader("FetchFeedbackApp", ASSIGNMENT) == 0
    (page,) = student.path(ASSIGNMENT, "feedback").glob("*/induction-heads.html")
    assert page.read_text() == "<p>good"
    assert page.parent.name == (collected / "timestamp.txt").read_text()
    assert student.nbgrader("ListApp", "--cached") == 0


def grade(instructor: Person, score: float, waits: bool = False) -> None:
    """What autograding leaves behind: a grade, and the submission's receipt beside the notebook."""
    folder = instructor.path("autograded", "alice", ASSIGNMENT)
    folder.mkdir(parents=True, exist_ok=True)
    receipt = instructor.path("submitted", "alice", ASSIGNMENT, "receipt.json")
    (folder / "receipt.json").write_bytes(receipt.read_bytes())
    with Gradebook(f"sqlite:///{instructor.path('gradebook.db')}", COURSE) as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT)
        gradebook.update_or_create_notebook("induction-heads", ASSIGNMENT)
        cell = ("test-1", "induction-heads", ASSIGNMENT)
        gradebook.update_or_create_grade_cell(*cell, max_score=54, cell_type="code")
        gradebook.update_or_create_student("alice")
        gradebook.update_or_create_submission(ASSIGNMENT, "alice")
        made = gradebook.find_submission_notebook("induction-heads", ASSIGNMENT, "alice")
        made.late_submission_penalty = 3
        found = gradebook.find_grade("test-1", "induction-heads", ASSIGNMENT, "alice")
        found.auto_score, found.needs_manual_grade = score, waits
        gradebook.db.commit()


def released_points(store) -> Points | None:
    feedback = store.submissions(COURSE)[-1].feedback
    assert feedback is not None
    return feedback.points


def test_the_points_are_released_with_the_feedback(student, instructor, store):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.nbgrader("SubmitApp", ASSIGNMENT)
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    make_feedback(instructor)
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    assert released_points(store) is None  # not autograded here
    grade(instructor, 51)
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    assert released_points(store) == Points(51, 54, 3)
    grade(instructor, 51, waits=True)
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    assert released_points(store) is None
    grade(instructor, 51)
    (instructor.path("autograded", "alice", ASSIGNMENT) / "receipt.json").write_text(
        json.dumps({"receipt": "0" * 32})  # of a newer submission, whose pages are not made yet
    )
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    assert released_points(store) is None


def test_the_time_of_a_submission_is_the_servers_and_nbgrader_reads_it(student, instructor, clock):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.nbgrader("SubmitApp", ASSIGNMENT)
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    text = instructor.path("submitted", "alice", ASSIGNMENT, "timestamp.txt").read_text()
    assert text == "2027-03-01 12:00:00.000000 UTC"
    assert parse_utc(text) == clock.now.replace(tzinfo=None)


def test_a_file_name_with_a_decomposed_letter_is_sent_composed(student, store):
    assert student.nbgrader("FetchAssignmentApp", ASSIGNMENT) == 0
    student.path(ASSIGNMENT, "U\u0308bung.txt").write_text("mine")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    (submission,) = store.submissions(COURSE)
    assert "\u00dcbung.txt" in sent(store, submission)
    student.path(ASSIGNMENT, "\u00dcbung.txt").write_text("another")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 1, "two files cannot have one name"


@pytest.mark.parametrize(
    ("folder", "mark"), [("venv", "pyvenv.cfg"), ("env", "conda-meta/history")]
)
def test_an_environment_among_the_work_is_left_out_and_reported(
    student, store, capsys, folder, mark
):
    assert student.nbgrader("FetchAssignmentApp", ASSIGNMENT) == 0
    inside = student.path(ASSIGNMENT, "tools", folder)
    (inside / "bin").mkdir(parents=True)
    (inside / mark).parent.mkdir(exist_ok=True)
    (inside / mark).write_text("")
    (inside / "bin" / "python").symlink_to("/usr/bin/python3")
    student.path(ASSIGNMENT, "tools", "notes.txt").write_text("mine")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    assert f"tools/{folder}/ is left out" in "".join(capsys.readouterr())
    (submission,) = store.submissions(COURSE)
    assert "tools/notes.txt" in sent(store, submission)
    assert not any(folder in name.split("/") for name in sent(store, submission))


def sent(store, submission) -> set[str]:
    with open(store.blob_path(submission.sha256), "rb") as file:
        return {member.path for member in archive.read(file, store.limits)}


def test_a_receipt_is_shown_and_kept_in_the_home_folder(student, store, caplog):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.nbgrader("SubmitApp", ASSIGNMENT)
    (kept,) = store.submissions(COURSE)
    written = student.path(RECEIPTS_FILE).read_text()
    assert kept.receipt in written and kept.sha256 in written
    assert "2027-03-01 12:00:00 UTC" in written
    assert not list(student.path(".logitlab").rglob("*.tar"))


def test_the_assignment_list_of_jupyterlab_shows_and_does_everything(student, instructor):
    instructor.nbgrader("ReleaseAssignmentApp", ASSIGNMENT, "--force")
    with student.being():
        manager = student.assignment_list()
        assert manager.list_courses() == {"success": True, "value": [COURSE]}
        (released,) = manager.list_assignments(COURSE)["value"]
        assert released["status"] == "released"
        assert manager.fetch_assignment(COURSE, ASSIGNMENT) == {"success": True}
        (fetched,) = manager.list_assignments(COURSE)["value"]
        assert fetched["status"] == "fetched" and fetched["path"] == ASSIGNMENT
        (book,) = fetched["notebooks"]
        assert book["path"] == f"{ASSIGNMENT}/induction-heads.ipynb"
        assert manager.submit_assignment(COURSE, ASSIGNMENT) == {"success": True}
        student.edit("second try")
        assert manager.submit_assignment(COURSE, ASSIGNMENT) == {"success": True}
    first, second = submissions(student)
    assert first["timestamp"] < second["timestamp"]
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    make_feedback(instructor)
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    first, second = submissions(student)
    assert not first["has_exchange_feedback"] and second["has_exchange_feedback"]
    with student.being():
        assert student.assignment_list().fetch_feedback(COURSE, ASSIGNMENT) == {"success": True}
    first, second = submissions(student)
    assert not first["has_local_feedback"] and second["has_local_feedback"]
    assert second["local_feedback_path"] == f"{ASSIGNMENT}/feedback/{second['timestamp']}"
    assert not second["feedback_updated"]
    make_feedback(instructor, text="<p>better")
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    assert submissions(student)[1]["feedback_updated"]


def test_a_notebook_that_the_student_added_does_not_hide_the_feedback(student, instructor):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.path(ASSIGNMENT, "scratch.ipynb").write_text(json.dumps(NOTEBOOK))
    student.nbgrader("SubmitApp", ASSIGNMENT)
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    make_feedback(instructor)
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    assert submissions(student)[0]["has_exchange_feedback"]
    student.nbgrader("FetchFeedbackApp", ASSIGNMENT)
    assert submissions(student)[0]["has_local_feedback"]


def test_the_formgraders_buttons_release_collect_and_take_back(student, instructor, store):
    with instructor.being():
        config = Config()
        for role, name in CLASSES.items():
            config.ExchangeFactory[role] = f"hub.exchange.client.{name}"
        config.CourseDirectory.course_id = COURSE
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        assert api.exchange_is_functional
        assert api.get_released_assignments() == {ASSIGNMENT}
        assert api.unrelease(ASSIGNMENT)["success"]
        assert api.get_released_assignments() == set()
        assert api.release_assignment(ASSIGNMENT)["success"]
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.nbgrader("SubmitApp", ASSIGNMENT)
    with instructor.being():
        assert api.collect(ASSIGNMENT)["success"]
        assert api.get_submitted_students(ASSIGNMENT) == {"alice"}
        make_feedback(instructor)
        assert api.release_feedback(ASSIGNMENT)["success"]
    assert store.submissions(COURSE)[0].feedback is not None


def test_collect_takes_the_newest_and_updates_only_when_asked(student, instructor):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    collected = instructor.path("submitted", "alice", ASSIGNMENT, "induction-heads.ipynb")
    for text, arguments, expected in [
        ("one", [], "one"),
        ("two", [], "one"),
        ("three", ["--update"], "three"),
    ]:
        student.edit(text)
        student.nbgrader("SubmitApp", ASSIGNMENT)
        instructor.nbgrader("CollectApp", ASSIGNMENT, *arguments)
        assert f'"{expected}"' in collected.read_text()


def test_collect_before_the_due_date_takes_the_last_one_in_time(
    student, instructor, store, clock, monkeypatch
):
    monkeypatch.setattr(ExchangeCollect, "copy_due_dates", lambda self: None)
    release(store, due=clock.now + timedelta(hours=1))
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    for text in ("in time", "too late"):
        student.edit(text)
        student.nbgrader("SubmitApp", ASSIGNMENT)
        clock.now += timedelta(hours=2)
    collected = instructor.path("submitted", "alice", ASSIGNMENT, "induction-heads.ipynb")
    instructor.nbgrader("CollectApp", ASSIGNMENT, "--before-duedate")
    assert "in time" in collected.read_text()
    instructor.nbgrader("CollectApp", ASSIGNMENT, "--update")
    assert "too late" in collected.read_text()


def test_collect_gives_the_gradebook_the_due_date_of_the_exchange(
    student, instructor, store, clock
):
    due = clock.now + timedelta(hours=1)
    release(store, due=due)
    url = f"sqlite:///{instructor.path('gradebook.db')}"
    with Gradebook(url, COURSE) as gradebook:
        gradebook.add_assignment(ASSIGNMENT)
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.nbgrader("SubmitApp", ASSIGNMENT)
    instructor.nbgrader("CollectApp", ASSIGNMENT, "--db", url)
    with Gradebook(url, COURSE) as gradebook:
        assert gradebook.find_assignment(ASSIGNMENT).duedate == due.replace(tzinfo=None)


def test_collect_never_writes_through_a_link(student, instructor, tmp_path):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.nbgrader("SubmitApp", ASSIGNMENT)
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    page = instructor.path("submitted", "alice", ASSIGNMENT, "induction-heads.ipynb")
    page.unlink()
    page.symlink_to(victim)
    student.edit("again")
    student.nbgrader("SubmitApp", ASSIGNMENT)
    instructor.nbgrader("CollectApp", ASSIGNMENT, "--update")
    assert victim.read_text() == "precious" and not page.is_symlink()


def test_bytes_that_rotted_on_the_servers_disk_cost_only_their_owner(
    student, instructor, person, store, caplog
):
    other = person("other-student", "bob")
    for one in (student, other):
        one.nbgrader("FetchAssignmentApp", ASSIGNMENT)
        one.edit(one.home.name)
        one.nbgrader("SubmitApp", ASSIGNMENT)
    (rotten,) = store.submissions(COURSE, student="alice")
    blob = store.blob_path(rotten.sha256)
    blob.write_bytes(blob.read_bytes().replace(b"student", b"STUDENT"))
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    assert not instructor.path("submitted", "alice", ASSIGNMENT).exists()
    assert instructor.path("submitted", "bob", ASSIGNMENT).exists()


def test_collect_checks_the_bytes_against_the_receipt_itself(student, instructor, monkeypatch):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.nbgrader("SubmitApp", ASSIGNMENT)

    def another(self, course, receipt, out):
        out.write(notebook("another"))

    monkeypatch.setattr(HttpTransport, "download", another)
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    assert not instructor.path("submitted", "alice", ASSIGNMENT).exists()


def test_an_interrupted_submit_is_finished_by_the_next_with_the_same_key(
    student, store, monkeypatch
):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.edit("work")
    real = httpx.Client.request

    def answer_lost(self, method, *arguments, **options):
        response = real(self, method, *arguments, **options)
        if method == "PUT":
            raise httpx.ReadError("connection lost after the server had everything")
        return response

    with monkeypatch.context() as patched:
        patched.setattr(httpx.Client, "request", answer_lost)
        assert student.nbgrader("SubmitApp", ASSIGNMENT) == 1
    (kept,) = store.submissions(COURSE)
    assert not student.path(RECEIPTS_FILE).exists()
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    assert store.submissions(COURSE) == [kept]
    assert kept.receipt in student.path(RECEIPTS_FILE).read_text()


def test_what_changed_since_an_interrupted_submit_goes_in_after_it(student, store):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    outbox = student.path(".logitlab", "exchange", "pending", COURSE, ASSIGNMENT)
    outbox.mkdir(parents=True)
    (outbox / f"{key()}.tar").write_bytes(notebook("interrupted"))
    student.edit("newer")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    assert len(store.submissions(COURSE)) == 2
    assert len(student.path(RECEIPTS_FILE).read_text().splitlines()) == 2


def test_a_service_that_is_away_is_reported_and_the_work_is_kept(
    student, store, monkeypatch, capsys
):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.url = "http://127.0.0.1:9/services/exchange"
    for command in ("SubmitApp", "ListApp", "FetchFeedbackApp"):
        assert student.nbgrader(command, ASSIGNMENT) == 1
    output = "".join(capsys.readouterr())
    assert "does not answer" in output and "Try again in a minute" in output
    assert "Traceback" not in output


def test_a_refused_submission_is_not_sent_again(student, store, capsys):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    store.unrelease(COURSE, ASSIGNMENT, by="prof")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 1
    assert "no released assignment" in "".join(capsys.readouterr())
    assert not list(student.path(".logitlab").rglob("*.tar"))


def test_an_oversized_file_is_refused_before_it_is_sent(student, capsys):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.path(ASSIGNMENT, "big.bin").write_bytes(bytes(1_500_000))
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 1
    assert "big.bin is 1.5 MB; the limit for a file is 1.0 MB" in "".join(capsys.readouterr())


def test_a_student_cannot_submit_in_anothers_name(student, store, capsys):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    assert student.nbgrader("SubmitApp", ASSIGNMENT, "--student", "bob") == 1
    assert store.submissions(COURSE) == []


def test_strict_refuses_when_a_released_notebook_is_missing(student, store, capsys):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.path(ASSIGNMENT, "induction-heads.ipynb").unlink()
    assert student.nbgrader("SubmitApp", ASSIGNMENT, "--strict") == 1
    assert store.submissions(COURSE) == []
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0


CUT_OFF = json.dumps(NOTEBOOK)[:-20]
CONFLICT = "\n".join(
    ["{", "<<<<<<< HEAD", '"cells": [],', "=======", '"cells": 3', ">>>>>>> anna", '"nbformat": 4}']
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CUT_OFF, "its JSON breaks off or is damaged"),
        (
            CONFLICT,
            "markers of a git conflict (`<<<<<<< HEAD` in line 2, `>>>>>>> anna` in line 6)",
        ),
        (json.dumps(NOTEBOOK) + "\n}}", "2 stray characters stand after the notebook"),
    ],
)
def test_a_damaged_notebook_is_taken_and_the_student_is_reported_at_once(
    student, store, capsys, text, words
):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.path(ASSIGNMENT, "induction-heads.ipynb").write_text(text)
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    assert len(store.submissions(COURSE)) == 1
    report = capsys.readouterr().err
    assert "`induction-heads.ipynb`: " in report and words in report


def test_an_unreadable_notebook_is_reported_to_score_nothing(student, store, capsys):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.path(ASSIGNMENT, "induction-heads.ipynb").write_text(CUT_OFF)
    student.nbgrader("SubmitApp", ASSIGNMENT)
    report = capsys.readouterr().err
    assert "nothing in it can be graded: open it, repair it and submit again" in report


def test_a_notebook_under_another_name_is_reported_at_submission(student, store, capsys):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    folder = student.path(ASSIGNMENT)
    (folder / "induction-heads.ipynb").rename(folder / "induction-heads (1).ipynb")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    report = capsys.readouterr().err
    assert "`induction-heads.ipynb` is not in the submission." in report
    assert "If `induction-heads (1).ipynb` is it, it will be found by its cells" in report


def test_the_remarks_on_a_submission_wait_for_the_dialog_once(student, store):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.path(ASSIGNMENT, "induction-heads.ipynb").write_text(CUT_OFF)
    state = student.path(".logitlab", "exchange")
    with student.being():
        assert student.assignment_list().submit_assignment(COURSE, ASSIGNMENT) == {"success": True}
    assert any("JSON breaks off" in sentence for sentence in take_remarks(state) or [])
    assert take_remarks(state) is None
    student.edit("whole again")
    student.nbgrader("SubmitApp", ASSIGNMENT)
    assert take_remarks(state) == []


def test_feedback_on_a_notebook_under_another_name_is_found(student, instructor):
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    folder = student.path(ASSIGNMENT)
    (folder / "induction-heads.ipynb").rename(folder / "mine.ipynb")
    student.nbgrader("SubmitApp", ASSIGNMENT)
    instructor.nbgrader("CollectApp", ASSIGNMENT)
    make_feedback(instructor)
    instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT)
    assert submissions(student)[0]["has_exchange_feedback"]
    student.nbgrader("FetchFeedbackApp", ASSIGNMENT)
    assert submissions(student)[0]["has_local_feedback"]


def test_fetch_does_not_overwrite_but_replaces_what_is_missing(student, instructor):
    instructor.nbgrader("ReleaseAssignmentApp", ASSIGNMENT, "--force")
    student.nbgrader("FetchAssignmentApp", ASSIGNMENT)
    student.edit("work")
    student.path(ASSIGNMENT, "data", "words.txt").unlink()
    assert student.nbgrader("FetchAssignmentApp", ASSIGNMENT) == 1
    assert student.nbgrader("FetchAssignmentApp", ASSIGNMENT, "--replace") == 0
    assert student.path(ASSIGNMENT, "data", "words.txt").exists()
    assert "work" in student.path(ASSIGNMENT, "induction-heads.ipynb").read_text()


def test_submissions_cannot_be_removed_and_releases_only_by_name(instructor, store):
    assert instructor.nbgrader("ListApp", "--inbound", "--remove") == 1
    assert instructor.nbgrader("ListApp", "--remove") == 1
    assert store.releases(COURSE)
    assert instructor.nbgrader("ListApp", "--remove", ASSIGNMENT) == 0
    assert not store.releases(COURSE)


def test_due_dates_in_the_configuration_go_with_the_release(instructor, store):
    with instructor.path("nbgrader_config.py").open("a") as config:
        config.write(f"c.ExchangeReleaseAssignment.due = {{{ASSIGNMENT!r}: '2027-04-01T10:00Z'}}\n")
    never_released(store)
    assert instructor.nbgrader("ReleaseAssignmentApp", ASSIGNMENT) == 0
    assert store.release_of(COURSE, ASSIGNMENT).as_json()["due"].startswith("2027-04-01T10:00")


def test_a_due_date_entered_in_the_formgrader_goes_with_the_release(instructor, store):
    with Gradebook(f"sqlite:///{instructor.path('gradebook.db')}", COURSE) as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2027-05-01 08:00")
    never_released(store)
    assert instructor.nbgrader("ReleaseAssignmentApp", ASSIGNMENT) == 0
    assert store.release_of(COURSE, ASSIGNMENT).as_json()["due"].startswith("2027-05-01T08:00")


def test_the_release_button_takes_the_date_of_course_yaml_once(instructor, store, capsys):
    text = "course: {{id: {}, timezone: Europe/Berlin}}\nassignments: {{{}: {{due: {}}}}}\n"
    settings = instructor.path("course.yaml")
    settings.write_text(text.format(COURSE, ASSIGNMENT, "2027-05-01 23:59"))
    never_released(store)
    for date in ("2027-05-01 23:59", "2027-06-01 23:59"):
        settings.write_text(text.format(COURSE, ASSIGNMENT, date))
        assert instructor.nbgrader("ReleaseAssignmentApp", ASSIGNMENT, "--force") == 0
        assert store.release_of(COURSE, ASSIGNMENT).as_json()["due"].startswith("2027-05-01T21:59")
    said = "".join(capsys.readouterr())
    assert said.count(f"`logitlab due {ASSIGNMENT} --from-settings`") == 1


def never_released(store) -> None:
    """As if the release of the fixture had not been there."""
    with store._database.write() as session:
        for table in (ReleaseRow, DueRow):
            session.execute(delete(table))


def test_assignments_can_live_in_a_folder_of_their_course(student, store):
    with student.path("nbgrader_config.py").open("a") as config:
        config.write("c.Exchange.path_includes_course = True\n")
    assert student.nbgrader("FetchAssignmentApp", ASSIGNMENT) == 0
    assert student.path(COURSE, ASSIGNMENT, "induction-heads.ipynb").exists()
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    assert len(store.submissions(COURSE)) == 1


def test_the_same_classes_work_without_a_server(tmp_path, monkeypatch, instructor, student):
    for one in (instructor, student):
        one.url = ""
        with one.path("nbgrader_config.py").open("a") as config:
            config.write(f"c.Exchange.local_store = {str(tmp_path / 'local')!r}\n")
    assert instructor.nbgrader("ReleaseAssignmentApp", ASSIGNMENT) == 0
    assert student.nbgrader("FetchAssignmentApp", ASSIGNMENT) == 0
    student.edit("local")
    assert student.nbgrader("SubmitApp", ASSIGNMENT) == 0
    assert instructor.nbgrader("CollectApp", ASSIGNMENT) == 0
    make_feedback(instructor)
    assert instructor.nbgrader("ReleaseFeedbackApp", ASSIGNMENT) == 0
    assert student.nbgrader("FetchFeedbackApp", ASSIGNMENT) == 0
    assert list(student.path(ASSIGNMENT, "feedback").glob("*/induction-heads.html"))


def test_a_student_gets_a_refusal_from_an_instructors_commands(student, store, capsys):
    for command in ("CollectApp", "ReleaseFeedbackApp"):
        student.nbgrader(command, ASSIGNMENT)
    student.path("release", ASSIGNMENT).mkdir(parents=True)
    student.path("release", ASSIGNMENT, "induction-heads.ipynb").write_text("{}")
    assert student.nbgrader("ReleaseAssignmentApp", ASSIGNMENT, "--force") == 1
    assert student.nbgrader("ListApp", "--inbound") == 1
    assert "is not instructor" in "".join(capsys.readouterr())
    assert not os.path.exists(student.path("submitted"))
