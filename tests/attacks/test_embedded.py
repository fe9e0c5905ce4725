"""Student code of a course without containers against the processes and files that grade it.

There everything runs under one account. Each attack is the answer to an exercise and goes through
`autograde`; beside it stands its control, the same code where the wall it meets is not.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

import hub
from hub.grading.pipeline.batch import autograde
from tests.grading.conftest import course, pristine  # noqa: F401
from tests.grading.tiny_course import ASSIGNMENT, answered, course_config, settings, submit

pytestmark = pytest.mark.kernel

MODES = ("isolated", "in_kernel")
SECRET = "4_711"  # in a hidden test of the tiny course

DESCRIPTORS = """
import glob, os
ancestors, pid = [], os.getpid()
while pid > 1:
    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    ancestors.append(pid)
files = [f for a in ancestors for f in glob.glob(f"/proc/{a}/fd/*")]
nameless = []
for file in files:
    try:
        if "deleted" in os.readlink(file):
            nameless.append(file)
    except OSError:
        pass
"""
READ_REQUEST = f"""{DESCRIPTORS}
for file in nameless:
    if "4_" + "711" in open(file, errors="replace").read():
        print("GOT the hidden tests")
"""
WRITE_RESULTS = f"""{DESCRIPTORS}
import json
lines = [json.dumps({{"cell": cell, "outputs": [], "execution_count": 1}}) for cell in range(8)]
for file in nameless:
    with open(file, "a") as results:
        results.write("\\n".join(["", *lines, json.dumps({{"finished": True}}), ""]))
os.kill(os.getppid(), 9)
"""
NOTHING = "def double(x):\n    return 0"


def _graded(root: Path, attack: str, tests: str, students: tuple[str, ...] = ("mallory",)) -> str:
    """The lines of a batch in which each student hands in the attack and answers nothing."""
    for student in students:
        cells = {"double": f"{attack}\n{NOTHING}", "square": "", "why": ""}
        submit(root, student, answered(root, **cells))
    config = course_config(root, settings(grading={"tests": tests}))
    lines = list(autograde(root, ASSIGNMENT, config=config))
    return "\n".join(lines)


def _printed(root: Path, student: str = "mallory") -> str:
    """All that the cells of an autograded notebook printed."""
    path = next((root / "autograded" / student / ASSIGNMENT).glob("*.ipynb"))
    outputs = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def _score(root: Path, student: str = "mallory") -> float:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        return gradebook.find_submission(ASSIGNMENT, student).score


def _as_before(tmp_path: Path, attack: str, held: str) -> tuple[str, str]:
    """Run an attack below a process that holds a file without a name, in which `held` stands: what
    the attack prints, and the file afterwards."""
    script = tmp_path / "attack.py"
    # The keeper's files only: those of pytest, which are above it, show what is written into them.
    script.write_text(attack.replace("while pid > 1:", "while pid > 1 and not ancestors:"))
    keeper = "import subprocess, sys; subprocess.run([sys.executable, sys.argv[1]])"
    with tempfile.TemporaryFile("w+") as file:
        file.write(held)
        file.flush()
        printed = subprocess.run(
            [sys.executable, "-c", keeper, str(script)],
            capture_output=True,
            text=True,
            pass_fds=[file.fileno()],
            check=False,
        ).stdout
        file.seek(0)
        return printed, file.read()


@pytest.mark.parametrize("tests", MODES)
def test_no_cell_reads_the_request_that_its_worker_was_sent(
    course: Path,  # noqa: F811
    tests: str,
) -> None:
    _graded(course, READ_REQUEST, tests)
    assert "GOT" not in _printed(course)


def test_the_request_would_be_read_in_a_file_without_a_name(tmp_path: Path) -> None:
    assert "GOT" in _as_before(tmp_path, READ_REQUEST, SECRET)[0]


@pytest.mark.parametrize("tests", MODES)
def test_no_cell_writes_into_the_results_of_its_worker(
    course: Path,  # noqa: F811
    tests: str,
) -> None:
    _graded(course, WRITE_RESULTS, tests)
    assert _score(course) == 0


def test_results_would_be_written_in_a_file_without_a_name(tmp_path: Path) -> None:
    assert "finished" in _as_before(tmp_path, WRITE_RESULTS, "")[1]


# What each of a class of attackers does, given `course`, `product` and `home`: the paths are no
# secret. What it cannot open it passes over, so that one way out of many is enough.
TRIGGER = """
import glob, os, sqlite3
databases = [f"{course}/gradebook.db"]
for link in glob.glob("/proc/[0-9]*/fd/*"):
    try:
        path = os.readlink(link)
        databases += [path] if path.startswith(course) and path.endswith(".db") else []
    except OSError:
        pass
for path in databases:
    try:
        with sqlite3.connect(f"file:{path}?mode=rw", uri=True) as gradebook:
            gradebook.execute(
                "create trigger full_marks after insert on grade begin "
                "update grade set manual_score = 9 where id = new.id; end"
            )
    except sqlite3.Error:
        pass
"""
SOLUTIONS = """
import glob, os
for path in [*glob.glob(f"{course}/**", recursive=True), f"{course}/source/ps1/tiny.ipynb"]:
    try:
        if "4_" + "711" in open(path).read():
            print("GOT the hidden tests")
    except (OSError, UnicodeDecodeError):
        pass
if glob.glob(f"/proc/{os.getppid()}/cwd/*"):
    print("GOT the folder of who grades")
"""
RESULTS = """
import glob, time
for _ in range(30):
    theirs = f"{course}/submitted/alice/ps1/tiny.ipynb"
    for path in [*glob.glob(f"{course}/server/references/*"), theirs]:
        try:
            open(path, "w").write("{}")
        except OSError:
            pass
    time.sleep(0.1)
"""
PRODUCT = """
for path in (f"{product}/hub/grading/pipeline/verdict.py", f"{product}/course/__init__.py"):
    try:
        open(path, "a").close()
        print("GOT the product")
    except OSError:
        pass
"""
START_UP = """
import os, sys
python = "python%d.%d" % sys.version_info[:2]
for folder in (".ipython/profile_default/startup", f".local/lib/{python}/site-packages"):
    try:
        os.makedirs(f"{home}/{folder}", exist_ok=True)
        open(f"{home}/{folder}/usercustomize.py", "w").write("double = square = lambda x: 0")
    except OSError:
        pass
"""
KILL = """
import os
above, pid = [], os.getpid()
while pid > 1:
    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    command = open(f"/proc/{pid}/cmdline", "rb").read()
    if b"hub.grading." in command or b"to-be-ended" in command:
        above.append(pid)
for pid in reversed(above):
    try:
        os.kill(pid, 9)
    except OSError:
        pass
"""
TERMINAL = """
import glob, os
for path in glob.glob("/dev/pts/[0-9]*"):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NOCTTY))
        print("GOT a terminal")
    except OSError:
        pass
"""
ATTACKS = {
    "trigger": TRIGGER,
    "solutions": SOLUTIONS,
    "results": RESULTS,
    "product": PRODUCT,
    "startup": START_UP,
    "kill": KILL,
    "terminal": TERMINAL,
}
PRODUCT_FOLDER = Path(hub.__file__).parents[1]
GRADE = """
import os, sys
from pathlib import Path
from hub.grading.pipeline.batch import autograde
from tests.grading.tiny_course import ASSIGNMENT, course_config, settings
root, tests = Path(sys.argv[2]), sys.argv[3]
config = course_config(root, settings(grading={"tests": tests, "cell_seconds": 30}))
for line in autograde(root, ASSIGNMENT, force=True, config=config):
    print(line, flush=True)
"""


def _located(attack: str, root: Path) -> str:
    return (
        f"course, product, home = {str(root)!r}, {str(PRODUCT_FOLDER)!r}, {str(root / 'me')!r}\n"
        + (attack)
    )


@dataclass(frozen=True)
class Class:
    """A course whose attackers, and alice with right answers, were graded twice."""

    root: Path
    printed: list[str]


@pytest.fixture(name="attacked", scope="module", params=MODES)
def _attacked(
    pristine: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Class:
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("embedded") / "course"))
    (root / "me").mkdir()
    submit(root, "alice", answered(root))
    for name, attack in ATTACKS.items():
        answers = {"double": f"{_located(attack, root)}\n{NOTHING}", "square": "", "why": ""}
        submit(root, name, answered(root, **answers))
    printed = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", GRADE, "to-be-ended", str(root), request.param],
            env=os.environ | {"HOME": str(root / "me")},
            cwd=PRODUCT_FOLDER,
            capture_output=True,
            text=True,
            check=False,
        )
        printed.append(f"{done.stdout}\nexit status {done.returncode}\n{done.stderr[-2000:]}")
    return Class(root, printed)


@pytest.mark.needs("landlock")
@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_earns_a_point(attacked: Class, name: str) -> None:
    assert _score(attacked.root, name) == 0
    assert "GOT" not in _printed(attacked.root, name)


@pytest.mark.needs("landlock")
def test_an_honest_student_between_attackers_keeps_every_point(attacked: Class) -> None:
    assert _score(attacked.root, "alice") == 5


@pytest.mark.needs("landlock")
def test_the_grading_process_outlives_its_attackers_also_at_a_repeat(attacked: Class) -> None:
    assert len(attacked.printed) == 2
    for printed in attacked.printed:
        assert "exit status 0" in printed and f"{len(ATTACKS) + 1} of {len(ATTACKS) + 1}" in printed


@pytest.mark.needs("landlock")
def test_the_gradebook_has_no_trigger(attacked: Class) -> None:
    with sqlite3.connect(attacked.root / "gradebook.db") as gradebook:
        assert (
            gradebook.execute("select * from sqlite_master where type='trigger'").fetchall() == []
        )


@pytest.mark.needs("landlock")
def test_nothing_is_left_where_python_and_ipython_start(attacked: Class) -> None:
    assert not list((attacked.root / "me").rglob("usercustomize.py"))


@pytest.fixture(name="alone")
def _alone(course: Path) -> Iterator[Callable[[str], str]]:  # noqa: F811
    """Runs an attack in an ordinary process on a course with one result; gives what it printed."""
    (course / "server" / "references").mkdir(parents=True)
    (course / "server" / "references" / "x.json").write_text("whole")
    submit(course, "alice", answered(course))

    def run(attack: str) -> str:
        located = _located(attack, course).replace(str(PRODUCT_FOLDER), str(course / "product"))
        command = [sys.executable, "-c", located]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    yield run


def test_each_attack_works_where_nothing_confines_it(
    course: Path,  # noqa: F811
    alone: Callable[[str], str],
) -> None:
    for folder in ("product/hub/grading", "product/course"):
        (course / folder).mkdir(parents=True)
    alone(TRIGGER)
    with sqlite3.connect(course / "gradebook.db") as gradebook:
        assert gradebook.execute("select name from sqlite_master where type='trigger'").fetchall()
    assert "GOT the hidden tests" in alone(SOLUTIONS)
    alone(RESULTS)
    assert (course / "server" / "references" / "x.json").read_text() == "{}"
    assert "GOT" in alone(PRODUCT)
    alone(START_UP)
    assert len(list((course / "me").rglob("usercustomize.py"))) == 2


def test_a_process_that_nothing_confines_ends_those_above_it(tmp_path: Path) -> None:
    script = tmp_path / "attack.py"
    script.write_text(KILL)
    above = "import subprocess, sys; subprocess.run([sys.executable, sys.argv[1]]); print('alive')"
    top = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {above!r}, *sys.argv[1:]])"
    )
    command = [sys.executable, "-c", top, str(script), "to-be-ended"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -9 and "alive" not in done.stdout
