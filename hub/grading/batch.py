"""Grade the submissions of an assignment: executed in parallel, scored one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

from hub.database import patience
from hub.grading.autograde import OURS, ExecuteSubmission, course_path, executed_folder
from hub.grading.execute import ApartError
from hub.grading.executed import ExecutedFolder, Job
from hub.grading.reference import can_fake
from hub.grading.released import not_released
from hub.grading.remote import ExecutorAway

# A batch may take hours; a database that is started again in the middle is waited for.
DATABASE_SECONDS = 60


class BatchError(Exception):
    """An assignment cannot be graded at all; the message says what to do."""


@dataclass
class Graded:
    """What came of one student's submission."""

    student: str
    score: float | None = None
    max_score: float | None = None
    by_hand: bool = False
    problems: list[str] = field(default_factory=list)


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
    """Autograde the collected submissions of `assignment`; yields lines of progress.

    students: only these; all that submitted if None.
    workers: notebooks executed at once; one a core if None.
    force: also those that were graded since they were submitted.
    config: nbgrader's; `nbgrader_config.py` of the course folder if None.

    A submission that cannot be graded is told in its line and in the table at the end; the
    others are graded. Manual grades are kept.

    Raises:
        BatchError: the assignment is not registered in the gradebook, or its tests are to run
            apart and cannot; nobody is scored then.
    """
    api = NbGraderAPI(config=course_config(root) if config is None else config)
    with patience(DATABASE_SECONDS):
        _check_registered(api.coursedir, assignment)
        yield from not_released(api.coursedir, assignment)
        chosen = _choose(api.coursedir, assignment, students, force)
        if not chosen:
            yield f"{assignment}: nothing new to grade"
            return
        try:
            yield from _check_tests(api, assignment)
            yield from _execute_all(api, assignment, chosen, workers or os.cpu_count() or 1, force)
        except ApartError as error:
            raise BatchError(str(error)) from error
        graded = []
        for number, student in enumerate(chosen, 1):
            graded.append(_score(api, assignment, student))
            yield f"scored {number}/{len(chosen)}  {_line(graded[-1])}"
    yield from _summary(assignment, graded)


def _check_registered(coursedir: CourseDirectory, assignment: str) -> None:
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            gradebook.find_assignment(assignment)
        except MissingEntry:
            raise BatchError(
                f"The gradebook knows no assignment {assignment!r}: generate its release first "
                f"(`nbgrader generate_assignment {assignment}`)."
            ) from None


def _choose(
    coursedir: CourseDirectory, assignment: str, students: Sequence[str] | None, force: bool
) -> list[str]:
    """The students whose submissions are there and not yet graded as they are."""
    submitted = Path(coursedir.format_path(coursedir.submitted_directory, ".", ".")).resolve()
    found = sorted(path.parent.name for path in submitted.glob(f"*/{assignment}") if path.is_dir())
    wanted = found if students is None else [name for name in found if name in set(students)]
    return [name for name in wanted if force or _is_new(coursedir, assignment, name)]


def _is_new(coursedir: CourseDirectory, assignment: str, student: str) -> bool:
    graded = course_path(coursedir, "autograded", assignment, "x", student).parent
    if not graded.is_dir():
        return True
    submitted = course_path(coursedir, "submitted", assignment, "x", student).parent
    try:
        new, old = (coursedir.get_existing_timestamp(str(path)) for path in (submitted, graded))
    except ValueError:
        return True  # a damaged timestamp.txt: scoring says so in the student's line
    return new is not None and (old is None or new > old)


def _check_tests(api: NbGraderAPI, assignment: str) -> Iterator[str]:
    """Say what to know about where the tests run. Raises ApartError where they cannot."""
    step = _steps(api)[-1]
    if step.where(assignment) == "together":
        yield can_fake(assignment)
        return
    for name in _notebooks(api.coursedir, assignment):
        try:
            yield from step.reference(assignment, name).check()
        except ExecutorAway as error:
            yield f"the reference of {name} was not executed: {error}"


def _execute_all(
    api: NbGraderAPI, assignment: str, students: Sequence[str], workers: int, force: bool
) -> Iterator[str]:
    """Execute every notebook into the folder from which the scoring pass takes it."""
    folder = executed_folder(Path(api.coursedir.root))
    with ThreadPoolExecutor(workers, "execute") as pool:
        running: dict[Future[tuple[float, int]], str] = {}
        for student in students:
            try:
                for job in _jobs(api, assignment, student):
                    running[pool.submit(_execute, job, folder, force)] = student
            except ApartError:
                raise  # not this student's matter
            except Exception as error:
                # The scoring pass meets the same error and tells it in the student's line.
                yield f"not executed  {student}: {error}"
        for number, done in enumerate(as_completed(running), 1):
            student = running[done]
            try:
                seconds, problems = done.result()
            except Exception as error:
                yield f"executed {number}/{len(running)}  {student}: failed, {error}"
            else:
                noted = f", {problems} problem{'s' * (problems != 1)}" if problems else ""
                yield f"executed {number}/{len(running)}  {student}: {seconds:.1f} s{noted}"


def _execute(job: Job, folder: ExecutedFolder, force: bool) -> tuple[float, int]:
    key = job.key()
    if force or key not in folder:
        execution = job.run()
        folder.put(key, execution)
        return execution.seconds, len(execution.problems)
    return 0.0, 0


def _jobs(api: NbGraderAPI, assignment: str, student: str) -> Iterator[Job]:
    """The executions that scoring this student will ask for, one a notebook.

    The notebook goes through the very steps that Autograde takes before it executes.
    """
    converter, exporter, step = _steps(api)
    for name in _notebooks(api.coursedir, assignment):
        path = course_path(api.coursedir, "submitted", assignment, name, student)
        if path.is_file():
            resources = converter.init_single_notebook_resources(str(path))
            text, resources = exporter.from_filename(str(path), resources=resources)
            yield step.job(nbformat.reads(text, as_version=4), resources)


def _steps(api: NbGraderAPI) -> tuple[Autograde, NotebookExporter, ExecuteSubmission]:
    """Autograde, its exporter with all that comes before executing, and what executes."""
    converter = Autograde(coursedir=api.coursedir, parent=api)
    exporter = converter.exporter_class(parent=converter, config=converter.config)
    for step in converter.sanitize_preprocessors:
        exporter.register_preprocessor(step)
    return converter, exporter, ExecuteSubmission(parent=exporter)


def _notebooks(coursedir: CourseDirectory, assignment: str) -> list[str]:
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        return [notebook.name for notebook in gradebook.find_assignment(assignment).notebooks]


def _score(api: NbGraderAPI, assignment: str, student: str) -> Graded:
    result = api.autograde(assignment, student, force=True, create=True)
    if not result["success"]:
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
        if path.is_file():
            told = nbformat.read(path, as_version=4).metadata.get(OURS, {}).get("problems", [])
            graded.problems += told
        else:
            graded.problems.append(f"{name}.ipynb was not in the submission.")
    return graded


def _why(coursedir: CourseDirectory, assignment: str, student: str, result: dict[str, str]) -> str:
    """One sentence about a submission that nbgrader could not grade."""
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
    if graded.score is None:
        return "not graded"
    return f"{graded.score:g}/{graded.max_score:g}"


def _summary(assignment: str, graded: list[Graded]) -> Iterator[str]:
    done = [one for one in graded if one.score is not None]
    yield ""
    yield f"{assignment}: {len(done)} of {len(graded)} submissions graded"
    width = max(len(one.student) for one in graded)
    for one in graded:
        by_hand = "  (an answer waits for a person)" if one.by_hand else ""
        yield f"  {one.student:<{width}}  {_points(one):>12}{by_hand}"
        for problem in one.problems:
            yield f"  {'':<{width}}  - {problem}"
