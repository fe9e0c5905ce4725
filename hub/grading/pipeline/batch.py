"""Grade the submissions of an assignment: executed in parallel, each scored once it is."""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log, temp_attrs
from sqlalchemy.exc import DBAPIError, InvalidRequestError, SAWarning
from traitlets.config import Config, PyFileConfigLoader

from hub.core.database import connect_retry
from hub.facts.errors import UserError
from hub.grading.pipeline.autograde import (
    ExecuteSubmission,
    ScoreExecuted,
    SubmissionExporter,
    course_path,
    problems_of,
    with_all_problems,
)
from hub.grading.pipeline.execute import CannotGrade, Execution, IsolationError
from hub.grading.pipeline.file_states import FileStates, file_states
from hub.grading.pipeline.job import Job
from hub.grading.pipeline.reference import ReferenceFails, can_fake
from hub.grading.pipeline.regular import check_regular
from hub.grading.pipeline.renamed import Undecided, take_renamed
from hub.grading.pipeline.seeds import seed_of
from hub.grading.pipeline.ungraded import Ungraded, UngradedFolder, submitted_at
from hub.grading.sandbox.gate import ExecutionLimiter, memory_to_spare
from hub.grading.sandbox.remote import ExecutorAway
from hub.upstream.nbgrader import shared_engines

# A batch may take hours, so wait for a database that restarts meanwhile.
DATABASE_SECONDS = 60

# Of executions that wait or sleep, in addition to those that need a CPU.
MOST_AT_ONCE = 64

# Of executed notebooks that wait until they are scored, in addition to one for each that needs a
# CPU: each may have tens of MiB of outputs, and scoring may be the slower of the two.
MOST_UNSCORED = 8

# Executions that begin to sleep make room for more.
SECONDS_TO_SLEEP = 1.0

DATABASE_ERROR = re.compile(r"sqlalchemy\.exc\.|psycopg|sqlite3\.(Operational|Database)Error")
# The outcome of a submission that had to be executed in the scoring pass.
MACHINES_FAULT = re.compile(r"(?:CannotGrade|ReferenceFails|ReadingError|ExecutorAway): (.*)")
# The same for its disk: no space left, a quota used up, an error of the device, mounted read-only.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
DISKS_FAULT = re.compile(rf"OSError: \[Errno (?:{'|'.join(map(str, DISK_ERRORS))})\] ([^:\n]*)")
DATABASE_AWAY = "the gradebook's database could not be reached or disconnected"
KEPT = "What was scored before is kept, and nothing else has changed."


class BatchError(UserError):
    """An assignment cannot be graded, or not for everybody; the message says what to do."""


@dataclass
class Graded:
    """The outcome of grading one submission.

    ungraded: why it could not be graded, if that is not the student's fault.
    """

    student: str
    score: float | None = None
    max_score: float | None = None
    by_hand: bool = False
    problems: list[str] = field(default_factory=list)
    ungraded: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A submission before it is executed.

    jobs: the execution of each of its notebooks, by name.
    read: the state of all that it was made from; see `Batch._read`.
    """

    jobs: Mapping[str, Job]
    read: tuple[FileStates, str]


@dataclass
class Executed:
    """The notebooks of a prepared submission that have been executed, by name."""

    prepared: Prepared
    notebooks: dict[str, NotebookNode] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.notebooks.keys() == self.prepared.jobs.keys()


class DatabaseAway(Exception):
    """The gradebook's database does not answer, so nothing more can be scored now."""


def course_config(root: Path) -> Config:
    """nbgrader's configuration of the course folder at `root`: its `nbgrader_config.py`."""
    config = Config()
    if (root / "nbgrader_config.py").is_file():
        config = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
    config.CourseDirectory.root = str(root)
    return config


def autograde(
    root: Path,
    assignment: str,
    students: Sequence[str] | None = None,
    workers: int | None = None,
    force: bool = False,
    config: Config | None = None,
) -> Iterator[str]:
    """Autograde the collected submissions of `assignment`. Yields progress.

    students: only these; None: all who submitted.
    workers: notebooks executed at once; None: one per core.
    force: also those already graded since they were submitted.
    config: nbgrader's; `nbgrader_config.py` of the course folder if None.

    A submission that cannot be graded is reported in its line and in the table at the end; the
    others are graded. Manual grades are kept. If the machine or a given cell is at fault, the
    submission keeps its points and is retried, see `hub.grading.pipeline.ungraded`.

    Raises:
        BatchError: the assignment is not registered in the gradebook, or its reference fails, or
            its tests cannot run isolated: nobody is scored then. Or, at the end,
            submissions could not be graded: the message names them.
    """
    # nbgrader reads while it adds rows; what SQLAlchemy says of that tells an instructor nothing.
    warnings.filterwarnings("ignore", "Object of type", SAWarning)
    api = NbGraderAPI(config=course_config(root) if config is None else config)
    with connect_retry(DATABASE_SECONDS), readable(assignment), shared_engines():
        _check_registered(api.coursedir, assignment)
        batch = Batch(api, assignment, workers, force)
        yield from batch.remarks()
        chosen = batch.choose(students)
        if not chosen:
            yield f"{assignment}: nothing new to grade"
        else:
            yield from batch.check_tests()
            yield from batch.grade(chosen)
        if waiting := batch.message(students):
            raise BatchError(waiting)


@contextmanager
def readable(assignment: str) -> Iterator[None]:
    """Turn errors that stop a whole batch into BatchError with a fix."""
    try:
        yield
    except (IsolationError, CannotGrade, ExecutorAway) as error:
        raise BatchError(str(error)) from error
    except OSError as error:
        raise BatchError(
            f"{assignment}: {_disk_failed(error.strerror or str(error))}. {KEPT}",
            "Grade again when the disk is in order.",
        ) from error
    except (DatabaseAway, DBAPIError, InvalidRequestError) as error:
        raise BatchError(
            f"{assignment}: {DATABASE_AWAY}. {KEPT}", "Grade again once it is running."
        ) from error


def _disk_failed(why: str) -> str:
    return f"this machine could not read or write a file ({why})"


def _check_registered(coursedir: CourseDirectory, assignment: str) -> None:
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            gradebook.find_assignment(assignment)
        except MissingEntry:
            raise BatchError(
                f"The gradebook has no assignment {assignment!r}.",
                f"Generate its release first: `logitlab generate {assignment}`.",
            ) from None


def _is_new(coursedir: CourseDirectory, assignment: str, student: str) -> bool:
    graded = course_path(coursedir, "autograded", assignment, "x", student).parent
    if not graded.is_dir():
        return True
    submitted = course_path(coursedir, "submitted", assignment, "x", student).parent
    try:
        new, old = (coursedir.get_existing_timestamp(str(path)) for path in (submitted, graded))
    except ValueError:
        return True  # a damaged timestamp.txt, which scoring reports in the student's line
    return new is not None and (old is None or new > old)


class Batch:
    """One run over the submissions of an assignment."""

    def __init__(self, api: NbGraderAPI, assignment: str, workers: int | None, force: bool) -> None:
        self._api, self._assignment, self._force = api, assignment, force
        root = Path(api.coursedir.root)
        self._exporter, self._step = _steps(api)
        self._executed: dict[str, Executed] = {}  # by student, until they are scored
        self._ungraded = UngradedFolder(root / "server" / "ungraded" / assignment)
        # With an executor, the executor queues them.
        there = workers is None and ExecuteSubmission(config=api.config).executor
        self._workers = MOST_AT_ONCE if there else workers or os.cpu_count() or 1
        self._gate = ExecutionLimiter(self._workers, memory_to_spare)
        self._failed: dict[str, str] = {}  # students whose execution could not be, and why
        self._counted: set[str] = set()  # students whose tries this run has counted
        self._not_noted: dict[str, Ungraded] = {}  # that could not be put on the disk

    def remarks(self) -> list[str]:
        """What whoever grades this is to know about its source."""
        return self._step.source_remarks(self._assignment)

    def choose(self, students: Sequence[str] | None) -> list[str]:
        """The students with submissions that are not graded yet."""
        coursedir = self._api.coursedir
        submitted = Path(coursedir.format_path(coursedir.submitted_directory, ".", ".")).resolve()
        found = sorted(p.parent.name for p in submitted.glob(f"*/{self._assignment}") if p.is_dir())
        wanted = found if students is None else [name for name in found if name in set(students)]
        return [name for name in wanted if self._force or self._is_due(name)]

    def _is_due(self, student: str) -> bool:
        before = self._ungraded.get(student)
        if before and before.submission == self._submitted_at(student):
            return not before.waits_for_a_person
        return _is_new(self._api.coursedir, self._assignment, student)

    def _submitted_at(self, student: str) -> str:
        path = course_path(self._api.coursedir, "submitted", self._assignment, "x", student)
        return submitted_at(path.parent)

    def check_tests(self) -> Iterator[str]:
        """Execute the references, and report remarks about where the tests run.

        Raises IsolationError, ReferenceFails, CannotGrade or ExecutorAway: nobody can be graded
        then.
        """
        step = self._step
        if step.where(self._assignment) == "in_kernel":
            yield can_fake(self._assignment)
        for name in _notebooks(self._api.coursedir, self._assignment):
            yield f"checking the reference of {name}"
            yardstick = step.reference(self._assignment, name).yardstick()
            for cell in sorted(yardstick.failing_answered) if yardstick else ():
                yield (
                    f"{name}: the given cell `{cell}` fails with the reference's answers too, so "
                    "it fails for everybody. It costs nobody any points; if it should not fail, "
                    f"correct it and `logitlab generate {self._assignment}`."
                )

    def grade(self, students: Sequence[str]) -> Iterator[str]:
        """Execute, and score what is executed; retry alone, at the end, what could not be."""
        graded: list[Graded] = []
        for student, line in self._execute_all(students):
            yield line
            if student is not None and student not in self._failed:
                graded.append(self._score(student))
                yield f"scored {len(graded)}/{len(students)}  {_line(graded[-1])}"
        for student in sorted(self._failed):
            why = self._failed.pop(student)
            self._could_not(student, why)
            yield f"retried alone  {student}: could not be graded, {why}"
            yield from (line for _, line in self._execute_all([student]))
            graded.append(self._score(student))
            yield f"scored  {_line(graded[-1])}"
        yield from _summary(self._assignment, sorted(graded, key=lambda one: one.student))

    def message(self, students: Sequence[str] | None) -> str | None:
        """A message about whose work could not be graded and what happens next; None if nobody's.

        students: only these; everybody if None.
        """
        lines = []
        for student, found in sorted({**dict(self._ungraded.all()), **self._not_noted}.items()):
            wanted = students is None or student in students
            if wanted and found.submission == self._submitted_at(student):
                then = "the next run retries it"
                if found.waits_for_a_person:
                    then = (
                        f"tried {found.tries} times; needs manual attention: `logitlab autograde "
                        f"{self._assignment} --student {student} --force`"
                    )
                lines.append(f"  {student}: {found.why} ({then})")
        if not lines:
            return None
        return "\n".join(
            [
                f"{self._assignment}: {len(lines)} submission{'s' * (len(lines) != 1)} could not "
                "be graded, through no fault of the student; earlier points are kept:",
                *lines,
            ]
        )

    def _execute_all(self, students: Sequence[str]) -> Iterator[tuple[str | None, str]]:
        """Execute every notebook, and keep the results until they are scored.

        Yields lines of progress, with a student whose last notebook that was.
        """
        waiting = deque(students)
        running: dict[Future[Execution], tuple[str, str]] = {}
        count = 0
        with _workers() as pool:
            while waiting or running:
                while waiting and len(running) < self._most_running():
                    student = waiting.popleft()
                    try:
                        prepared = self._prepare(student)
                    except (IsolationError, ReferenceFails, DBAPIError):
                        raise  # not specific to this student
                    except (CannotGrade, ExecutorAway) as error:
                        self._failed[student] = str(error)
                    except Exception as error:
                        # Scoring meets the same error and reports it in the student's line.
                        yield student, f"not executed  {student}: {error}"
                    else:
                        self._executed[student] = Executed(prepared)
                        for name, job in prepared.jobs.items():
                            running[pool.submit(self._execute, job)] = student, name
                        if not prepared.jobs:
                            yield student, f"no notebook  {student}"
                for done in wait(running, SECONDS_TO_SLEEP, FIRST_COMPLETED).done:
                    student, name = running.pop(done)
                    count += 1
                    line = f"executed {count}  {student}: {self._outcome(student, name, done)}"
                    last = all(student != other for other, _ in running.values())
                    yield (student if last else None), line

    def _most_running(self) -> int:
        """How many executions may be under way, or over and not yet scored."""
        return MOST_UNSCORED + self._workers + self._gate.sleeping

    def _prepare(self, student: str) -> Prepared:
        """The executions that scoring this student needs."""
        coursedir, assignment = self._api.coursedir, self._assignment
        take_renamed(coursedir, assignment, student)
        read = self._read(student)
        _check_files(coursedir, assignment, student)
        jobs = {}
        for name in _notebooks(coursedir, assignment):
            path = course_path(coursedir, "submitted", assignment, name, student)
            if path.is_file():
                text, resources = self._exporter.sanitised(str(path))
                jobs[name] = self._step.job(nbformat.reads(text, as_version=4), resources)
        return Prepared(jobs, read)

    def _read(self, student: str) -> tuple[FileStates, str]:
        """The states of the files that a submission is prepared from, and the seed of its tests."""
        coursedir = self._api.coursedir
        folders = [
            course_path(coursedir, step, self._assignment, "x", student).parent
            for step in ("submitted", "release", "source")
        ]
        return file_states(*folders), seed_of(Path(coursedir.root), self._assignment)

    def _outcome(self, student: str, name: str, done: Future[Execution]) -> str:
        try:
            execution = done.result()
        except (CannotGrade, ExecutorAway) as error:
            self._failed[student] = str(error)
            return "could not be graded"
        except Exception as error:
            return f"failed, {error}"
        executed = self._executed[student]
        prepared = executed.prepared.jobs[name].notebook
        executed.notebooks[name] = with_all_problems(prepared, execution)
        problems = len(execution.problems)
        noted = f", {problems} problem{'s' * (problems != 1)}" if problems else ""
        return f"{execution.seconds:.1f} s{noted}"

    def _execute(self, job: Job) -> Execution:
        try:
            with self._gate.turn() as busy:
                if job.executor is not None:
                    busy(True)  # the executor does not tell
                return job.run(busy)
        except (OSError, MemoryError) as error:
            raise CannotGrade(f"this machine is out of resources ({error or 'memory'})") from error

    def _score(self, student: str) -> Graded:
        executed = self._executed.pop(student, None)
        if (why := self._failed.get(student)) is not None:
            return self._could_not(student, why)
        if executed and not (executed.complete and executed.prepared.read == self._read(student)):
            executed = None
        try:
            notebooks = executed.notebooks if executed else None
            graded = _score(self._api, self._assignment, student, notebooks)
        except (CannotGrade, ExecutorAway) as error:
            return self._could_not(student, str(error))
        except (DatabaseAway, DBAPIError, InvalidRequestError) as error:
            self._could_not(student, DATABASE_AWAY)
            raise DatabaseAway from error
        self._ungraded.forget(student)
        self._not_noted.pop(student, None)
        return graded

    def _could_not(self, student: str, why: str) -> Graded:
        at, before = self._submitted_at(student), self._ungraded.get(student)
        anew = self._force and student not in self._counted
        tries = before.tries if before and before.submission == at and not anew else 0
        self._counted.add(student)
        noted = Ungraded(at, tries + 1, why)
        try:
            self._ungraded.put(student, noted)
        except OSError:  # the disk is full, which may be why
            self._not_noted[student] = noted
        return Graded(student, ungraded=why)


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that wait for executions; where the block breaks off, none is begun any more."""
    pool = ThreadPoolExecutor(MOST_AT_ONCE, "execute")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _check_files(coursedir: CourseDirectory, assignment: str, student: str) -> None:
    check_regular(course_path(coursedir, "submitted", assignment, "x", student).parent)


def _steps(api: NbGraderAPI) -> tuple[SubmissionExporter, ExecuteSubmission]:
    """Autograde's exporter, and its step that executes."""
    converter = Autograde(coursedir=api.coursedir, parent=api)
    exporter = converter.exporter_class(parent=converter, config=converter.config)
    return exporter, ExecuteSubmission(parent=exporter)


def _notebooks(coursedir: CourseDirectory, assignment: str) -> list[str]:
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        return [notebook.name for notebook in gradebook.find_assignment(assignment).notebooks]


def _score(
    api: NbGraderAPI, assignment: str, student: str, executed: Mapping[str, NotebookNode] | None
) -> Graded:
    """Score what was executed; all steps of Autograde if nothing was, or not all.

    Raises DatabaseAway, CannotGrade or ExecutorAway.
    """
    if executed:
        with temp_attrs(api.coursedir, assignment_id=assignment, student_id=student):
            app = ScoreExecuted(executed, coursedir=api.coursedir, parent=api)
            app.force = app.create_student = True
            result = capture_log(app)
    else:
        try:
            take_renamed(api.coursedir, assignment, student)
        except Undecided as error:
            return Graded(student, problems=[f"Not graded: {error}"])
        _check_files(api.coursedir, assignment, student)
        result = api.autograde(assignment, student, force=True, create=True)
    if not result["success"]:
        if DATABASE_ERROR.search(result.get("error", "") + result.get("log", "")):
            raise DatabaseAway
        if fault := MACHINES_FAULT.search(result.get("log", "")):
            raise CannotGrade(fault[1])
        if fault := DISKS_FAULT.search(result.get("error", "") + result.get("log", "")):
            raise CannotGrade(_disk_failed(fault[1].strip()))
        return Graded(student, problems=[_why(api.coursedir, assignment, student, result)])
    graded = Graded(student)
    with Gradebook(api.coursedir.db_url, api.coursedir.course_id) as gradebook:
        submission = gradebook.find_submission(assignment, student)
        graded.score = submission.score - (submission.late_submission_penalty or 0)
        graded.max_score = submission.max_score
        graded.by_hand = submission.needs_manual_grade
        names = [notebook.name for notebook in submission.notebooks]
    for name in names:
        path = course_path(api.coursedir, "autograded", assignment, name, student)
        if executed and name in executed:
            graded.problems += problems_of(executed[name])
        elif path.is_file():
            graded.problems += problems_of(nbformat.read(path, as_version=4))
        else:
            graded.problems.append(f"{name}.ipynb was not in the submission.")
    return graded


def _why(coursedir: CourseDirectory, assignment: str, student: str, result: dict[str, str]) -> str:
    """A message about a submission that nbgrader could not grade."""
    folder = course_path(coursedir, "submitted", assignment, "x", student).parent
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        wanted = {f"{book.name}.ipynb" for book in gradebook.find_assignment(assignment).notebooks}
    there = {path.name for path in folder.glob("*.ipynb")}
    if not wanted & there:
        found = ", ".join(sorted(there)) or "no notebook"
        return f"Not graded: {', '.join(sorted(wanted))} was not submitted (found: {found})."
    log = result.get("log") or result.get("error") or ""
    marks = ("Error", "Exception", ExecutorAway.__name__)
    errors = [line for line in log.strip().splitlines() if any(mark in line for mark in marks)]
    return f"Not graded: {errors[-1].strip() if errors else 'see the log of nbgrader autograde'}"


def _line(graded: Graded) -> str:
    return f"{graded.student}: {_points(graded)}"


def _points(graded: Graded) -> str:
    if graded.ungraded is not None:
        return "could not be graded"
    if graded.score is None:
        return "not graded"
    return f"{graded.score:g}/{graded.max_score:g}"


def _summary(assignment: str, graded: list[Graded]) -> Iterator[str]:
    done = [one for one in graded if one.score is not None]
    yield ""
    yield f"{assignment}: {len(done)} of {len(graded)} submissions graded"
    width = max(len(one.student) for one in graded)
    points = max(12, *(len(_points(one)) for one in graded))
    for one in graded:
        by_hand = "  (an answer needs manual grading)" if one.by_hand else ""
        yield f"  {one.student:<{width}}  {_points(one):>{points}}{by_hand}"
        for problem in [one.ungraded] if one.ungraded else one.problems:
            yield f"  {'':<{width}}  - {problem}"
