"""Executes submissions ahead of nbgrader's Autograde, which grades one after the other.

While Autograde scores a submission, the next ones are prepared and executed, as many at once as
there are workers. Those that turn out to be needed in another form are executed again.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from nbgrader.converters import Autograde

from hub.grading.pipeline.execute import CannotGrade, Execution, IsolationError
from hub.grading.pipeline.job import Job
from hub.grading.pipeline.reference import ReferenceFails
from hub.grading.sandbox.gate import MOST_LENT, ExecutionLimiter, memory_to_spare

log = logging.getLogger(__name__)

PREPARED = 4  # notebooks for each worker that wait, or run while nobody has asked for them


class Ahead:
    """The executions of one run of Autograde that nobody has asked for yet, by their keys.

    prepare: the execution of a submitted notebook.
    """

    def __init__(self, converter: Autograde, prepare: Callable[[str], Job], workers: int) -> None:
        self._prepare, self._workers = prepare, workers or os.cpu_count() or 1
        self._waiting = deque(due(converter))
        self._limiter = ExecutionLimiter(self._workers, memory_to_spare)
        self._pool = ThreadPoolExecutor(self._workers * MOST_LENT, "execute")
        self._running: dict[str, Future[Execution]] = {}
        self._refused: Exception | None = None

    def go_on(self, submitted: str) -> None:
        """Autograde comes to a submitted notebook: begin it, and what is due next.

        Raises IsolationError or ReferenceFails, again for each: nobody can be graded then.
        """
        if submitted in self._waiting:
            while self._waiting[0] != submitted:
                self._waiting.popleft()  # which Autograde has passed over
        while self._waiting and len(self._running) < PREPARED * self._workers:
            self._begin(self._waiting.popleft())
        if self._refused is not None:
            raise self._refused.with_traceback(None)

    def _begin(self, submitted: str) -> None:
        try:
            job = self._prepare(submitted)
            self._running[job.key()] = self._pool.submit(self._execute, job)
        except (IsolationError, ReferenceFails) as error:
            self._refused = error
            self._waiting.clear()
        except Exception:
            log.debug("%s is not executed ahead", submitted, exc_info=True)  # Autograde reports it

    def _execute(self, job: Job) -> Execution:
        with self._limiter.turn() as busy:
            if job.executor is not None:
                busy(True)  # the executor does not tell
            return job.run(busy)

    def take(self, key: str) -> Execution | None:
        """The outcome of an execution, once it is there; None if there is none: it was not begun,
        or is to be tried again alone."""
        if (running := self._running.pop(key, None)) is None:
            return None
        try:
            return running.result()
        except (CannotGrade, OSError, MemoryError) as error:
            log.warning("executed again, alone: %s", error)
            return None


def due(converter: Autograde) -> list[str]:
    """The submitted notebooks that Autograde will grade, in its order, if there are several.

    It decides about each when it comes to it; this is what it would decide now.
    """
    found = [
        (folder, sorted(notebooks))
        for folder, notebooks in sorted(converter.assignments.items())
        if _is_due(converter, folder)
    ]
    return [name for _, names in found for name in names] if len(converter.assignments) > 1 else []


def _is_due(converter: Autograde, folder: str) -> bool:
    if converter.force:
        return True
    coursedir, student = converter.coursedir, _student(converter, folder)
    graded = coursedir.format_path(coursedir.autograded_directory, student, coursedir.assignment_id)
    if not Path(graded).is_dir() or coursedir.notebook_id != "*":
        return True
    try:
        new, old = (coursedir.get_existing_timestamp(path) for path in (folder, graded))
    except (ValueError, AttributeError):
        return False  # a damaged timestamp.txt, at which nbgrader trips; it reports the student
    return new is not None and old is not None and new > old


def _student(converter: Autograde, folder: str) -> str:
    first = sorted(converter.assignments[folder])[0]
    return str(converter.init_single_notebook_resources(first)["nbgrader"]["student"])
