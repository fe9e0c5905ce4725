"""Does the machine ever cost a point? Classes graded under load, with processes killed meanwhile.

    python -m tests.load                   the small notebook: 1,000 submissions at loads 1, 10, 30
    python -m tests.load --submissions 60 equivalent, smaller
    python -m tests.load --executor        through an executor (root), which is killed too
    python -m tests.load --only sleepers   one scenario: class, sleepers, breakers, shipped

A load of N is N processes that want a processor all the time. The points of every submission are
known before. It ends with 1 if a point was lost, or a wrong answer kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook

from hub.core.course_folder import new_course, open_course
from hub.core.environment import Environment
from hub.facts import env
from tests.grading.tiny_course import ASSIGNMENT, make_course
from tests.grading.trust_course import source
from tests.load import classes
from tests.load.machine import EXECUTOR, WORKER, Killer, load

ROOT = Path(__file__).resolve().parents[2]
SHARES = {1: 0.8, 10: 0.15, 30: 0.05}  # of the submissions, graded at each load
SETTINGS = "course: {id: tiny}\ngrading: {cell_seconds: 5, notebook_seconds: 600}\n"
LOGITLAB = (sys.executable, "-c", "from hub.cli import main; main()")
SHIPPED = ("06-induction-heads", "induction-heads")


@dataclass
class Outcome:
    """What became of a class.

    lost, kept: submissions with fewer, and with more points than they are worth.
    ungraded: those that could not be graded.
    executed: when each was first said to be executed, seconds after the start.
    """

    seconds: float
    lost: int
    kept: int
    ungraded: int
    executed: Mapping[str, float]


class Course:
    """A course folder of its own, graded by the command as an instructor runs it."""

    def __init__(self, root: Path, assignment: str, environment: Mapping[str, str]) -> None:
        self.root, self.assignment, self._environment = root, assignment, environment

    def grade(self, points: Mapping[str, float]) -> Outcome:
        began = time.monotonic()
        executed: dict[str, float] = {}
        with subprocess.Popen(
            [*LOGITLAB, "autograde", self.assignment, "--course", str(self.root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, **self._environment},
        ) as process:
            assert process.stdout is not None
            line = ""
            for line in process.stdout:
                words = line.replace(":", " ").split()
                if words[:1] == ["executed"]:
                    executed.setdefault(words[2], time.monotonic() - began)
        if process.returncode:
            print(f"    status {process.returncode}: {line.strip()[:150]}")
        return self._outcome(points, time.monotonic() - began, executed)

    def _outcome(
        self, points: Mapping[str, float], seconds: float, executed: Mapping[str, float]
    ) -> Outcome:
        course = open_course(self.root, Environment())
        with Gradebook(course.gradebook_url, course.settings.course.id) as gradebook:
            found = {
                one.student_id: float(one.score)
                for one in gradebook.assignment_submissions(self.assignment)
            }
        folder = self.root / "server" / "ungraded" / self.assignment
        waiting = {path.stem for path in folder.glob("*.json")} | points.keys() - found.keys()
        graded = {name: worth for name, worth in points.items() if name not in waiting}
        lost = [n for n, worth in graded.items() if found.get(n, 0.0) < worth]
        kept = [n for n, worth in graded.items() if found.get(n, 0.0) > worth]
        for name in (*lost, *kept)[:10]:
            print(f"    WRONG {name}: {found.get(name)} where {graded[name]} is right")
        return Outcome(seconds, len(lost), len(kept), len(waiting & points.keys()), executed)


def small(folder: Path, environment: Mapping[str, str]) -> Course:
    root = Path(tempfile.mkdtemp(dir=folder))
    (root / "course.yaml").write_text(SETTINGS)
    make_course(root, source=source())
    return Course(root, ASSIGNMENT, environment)


def shipped(folder: Path, environment: Mapping[str, str]) -> Course:
    from hub.authoring.contents import add_assignments

    root = Path(tempfile.mkdtemp(dir=folder)) / "course"
    list(new_course(root))
    list(add_assignments(open_course(root, Environment()), [SHIPPED[0]]))
    return Course(root, SHIPPED[0], environment)


def run_class(
    course: Course, points: Mapping[str, float], busy: int, kill: float, kinds: tuple[str, ...]
) -> bool:
    """Grade it under load, then what could not be graded once more, quietly."""
    killer = Killer(kill, kinds, seed=busy) if kill else None
    with load(busy):
        if killer:
            killer.start()
        first = course.grade(points)
        if killer:
            killer.stop()
    second = course.grade(points) if first.ungraded else first
    counts = killer.killed if killer else {}
    killed = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    print(
        f"  load {busy:2}: {len(points)} submissions, {first.seconds:.0f} s; "
        f"killed: {killed or 0}; "
        f"lost {first.lost}, wrong kept {first.kept}, could not be graded {first.ungraded}; "
        f"after a quiet run: lost {second.lost}, wrong kept {second.kept}, "
        f"could not be graded {second.ungraded}",
        flush=True,
    )
    return not (first.lost or first.kept or second.lost or second.kept or second.ungraded)


@contextmanager
def executor(folder: Path, wanted: bool) -> Iterator[dict[str, str]]:
    """An executor that is started again whenever it ends, as a container's engine does."""
    if not wanted:
        yield {}
        return
    socket, scratch = folder / "run" / "socket", folder / "scratch"
    socket.parent.mkdir()
    folder.chmod(0o755)
    again = 'while :; do "$@"; sleep 1; done'
    command = [sys.executable, "-m", EXECUTOR, "--trial", "--socket", socket, "--scratch", scratch]
    process = subprocess.Popen(
        ["sh", "-c", again, "executor", *map(str, command)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        yield {env.EXECUTOR: str(socket)}
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--submissions", type=int, default=1000, help="of the class, in all")
    parser.add_argument("--loads", default="1,10,30", help="numbers of busy processes")
    parser.add_argument("--kill", type=float, default=20, help="seconds between kills; 0: none")
    parser.add_argument("--shipped", type=int, default=20, help="of an assignment with a model")
    parser.add_argument("--executor", action="store_true", help="grade through an executor; root")
    parser.add_argument("--only", default="class,breakers,sleepers", help="scenarios")
    chosen = parser.parse_args()
    loads = [int(load) for load in chosen.loads.split(",")]
    only = chosen.only.split(",")
    kinds = (WORKER, EXECUTOR) if chosen.executor else (WORKER,)
    good = True
    with tempfile.TemporaryDirectory(prefix="logitlab-load-") as name:
        folder = Path(name)
        with executor(folder, chosen.executor) as environment:
            if "class" in only:
                print("right submissions, every tenth with a wrong answer", flush=True)
                for busy in loads:
                    share = SHARES.get(busy, 1 / len(loads)) if len(loads) > 1 else 1.0
                    course = small(folder, environment)
                    points = classes.honest(course.root, max(10, round(chosen.submissions * share)))
                    good &= run_class(course, points, busy, chosen.kill, kinds)
            if "breakers" in only:
                print("right answers with cells that break what is given", flush=True)
                course = small(folder, environment)
                good &= run_class(course, classes.breakers(course.root, 40), 0, 0, kinds)
            if "sleepers" in only:
                good &= sleepers(folder, environment)
            if "shipped" in only:
                print(f"the reference of {SHIPPED[0]}", flush=True)
                for busy in loads:
                    course = shipped(folder, environment)
                    points = classes.references(course.root, *SHIPPED, chosen.shipped)
                    good &= run_class(course, points, busy, chosen.kill, kinds)
    print("no point was lost, none was given" if good else "POINTS WERE WRONG")
    return 0 if good else 1


def sleepers(folder: Path, environment: Mapping[str, str]) -> bool:
    """How much 20 of 40 submissions that sleep until their limit delay the other 20."""
    print("20 of 40 submissions sleep until their limit", flush=True)
    times: dict[bool, float] = {}
    good = True
    for asleep in (False, True):
        course = small(folder, environment)
        points = classes.half_asleep(course.root, 40, asleep)
        outcome = course.grade(points)
        times[asleep] = max(outcome.executed[name] for name in classes.awake(40))
        good &= not (outcome.lost or outcome.kept or outcome.ungraded)
    print(
        f"  the other 20 were executed after {times[False]:.1f} s beside 20 that do not sleep, "
        f"after {times[True]:.1f} s beside 20 that do: ratio {times[True] / times[False]:.2f}",
        flush=True,
    )
    return good


if __name__ == "__main__":
    sys.exit(main())
