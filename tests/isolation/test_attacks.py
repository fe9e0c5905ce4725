"""What wins in the student's interpreter earns nothing when the tests run isolated."""

import pytest

from hub.grading.pipeline.execute import execute
from tests.isolation.notebooks import (
    answered,
    failed,
    failures,
    notebook,
    run_in_kernel,
    run_isolated,
)

pytestmark = pytest.mark.kernel

SOURCE = notebook(
    ("solution", "def f(x):\n    return x * 3"),
    ("test", "want = 12\ngot = f(4)\nassert got == want, 'HIDDEN-4711'"),
)

ASSERTS_DROPPED = """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Drop())
def f(x):
    return 0
"""

EQUAL_TO_ALL = """
class Sly(int):
    def __eq__(self, other):
        return True
    def __getattr__(self, name):
        return lambda *a, **k: True
class Opaque:
    __eq__ = Sly.__eq__
def f(x):
    return %s
"""

NUMBERS_EQUAL_TO_ALL = """
import decimal, fractions, numbers
def sly(base):
    return type("Sly", (base,), {
        "__eq__": lambda self, other: True, "__hash__": None, "__float__": lambda self: 0.0,
        "numerator": 0, "denominator": 1, "__int__": lambda self: 0, "__rsub__": lambda s, o: s})
def f(x):
    return sly(%s)(0)
"""

FRAMES = """
import sys
def f(x):
    return sys._getframe(1).f_globals.get("want", 0)
"""

ERRORS_HIDDEN = """
get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)
def f(x):
    return 0
"""

OUTPUT_FORGED = """
def f(x):
    from IPython import get_ipython
    ip = get_ipython()
    ip.run_cell = lambda *a, **k: None
    ip._showtraceback = lambda *a, **k: None
    return 0
"""

ATTACKS = {
    "asserts dropped by a transformer": ASSERTS_DROPPED,
    "a number equal to all": EQUAL_TO_ALL % "Sly(0)",
    "a Decimal equal to all": NUMBERS_EQUAL_TO_ALL % "decimal.Decimal",
    "a Fraction equal to all": NUMBERS_EQUAL_TO_ALL % "fractions.Fraction",
    "an object equal to all": EQUAL_TO_ALL % "Opaque()",
    "the expected value read from the caller": FRAMES,
}
HIDDEN = {
    "errors swallowed by the shell": ERRORS_HIDDEN,
    "tracebacks swallowed by the shell": OUTPUT_FORGED,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_wins_in_one_process_and_earns_nothing_isolated(attack, folder):
    cheat = answered(SOURCE, attack)
    assert failed(run_in_kernel(cheat, folder)) == []
    assert failed(run_isolated(SOURCE, cheat)) == ["test-2"]


@pytest.mark.parametrize("attack", HIDDEN.values(), ids=HIDDEN)
def test_an_error_that_student_code_hides_is_one_in_one_process_too(attack, folder):
    cheat = answered(SOURCE, attack)
    assert failed(run_in_kernel(cheat, folder)) == ["test-2"]
    assert failed(run_isolated(SOURCE, cheat)) == ["test-2"]


def test_an_opaque_result_with_methods_of_its_own_earns_nothing():
    source = notebook(
        ("solution", "class Box:\n    pass\ndef f(x):\n    return x"),
        ("test", "assert f(4).equal(4)"),
    )
    sly = "class Box:\n    def equal(self, other): return True\ndef f(x):\n    return Box()"
    assert failed(run_isolated(source, answered(source, sly))) == ["test-2"]


def test_a_malformed_answer_about_hooks_ends_the_student_process():
    source = notebook(
        ("released", "from course.calls import remove_hooks"),
        ("solution", "def f(x):\n    return x"),
        ("test", "assert f(1) == 1 and not remove_hooks('net')"),
    )
    liar = "from course import calls\ncalls.InProcess.remove_hooks = lambda self, model: [0]\n"
    report = failures(run_isolated(source, answered(source, liar + source.cells[1].source)))
    assert [words.partition(":")[0] for words in report] == ["StudentProcessDied"]


def test_stop_iteration_does_not_end_a_tests_loop():
    source = notebook(
        ("solution", "def f(x):\n    return x"),
        ("test", "for got in map(f, [1, 2]):\n    assert got in (1, 2)"),
    )
    cheat = "def f(x):\n    raise StopIteration"
    assert failed(run_isolated(source, answered(source, cheat))) == ["test-2"]


# Looks for the hidden test's text everywhere in the process. The pattern does not match itself.
SEARCH = """
import gc, re, sys
PATTERN = re.compile(rb"HIDDEN[-]47\\d\\d")

def everywhere():
    yield from map(repr, gc.get_objects())
    yield from map(repr, sys.modules.values())
    yield repr(get_ipython().user_ns)
    frame = sys._getframe()
    while frame:
        yield repr((frame.f_locals, frame.f_code.co_consts))
        frame = frame.f_back

def memory():
    with open("/proc/self/mem", "rb", 0) as mem:
        for line in open("/proc/self/maps"):
            span, rights, *rest = line.split()
            if "rw" not in rights or rest[-1:] == ["[vvar]"]:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            while start < end:
                mem.seek(start)
                piece = mem.read(min(end - start, 2**20))
                yield piece
                start += len(piece) or 2**20

def search():
    found = any(PATTERN.search(text.encode("utf-8", "replace")) for text in everywhere())
    return found or any(PATTERN.search(piece) for piece in memory())
"""


def test_the_hidden_test_is_nowhere_in_the_students_process(folder):
    source = notebook(
        ("solution", "def search(): return False"),
        ("test", "assert search() is False, 'HIDDEN-4711'"),
    )
    nosy = answered(source, SEARCH)
    assert failed(run_in_kernel(nosy, folder)) == ["test-2"]
    assert failed(run_isolated(source, nosy, seconds=60)) == []


def test_the_hidden_test_is_not_in_a_student_process_that_was_forked():
    source = notebook(
        ("released", "import json"),
        ("solution", "def search(): return False"),
        ("test", "assert search() is False, 'HIDDEN-4711'"),
    )
    for _ in range(3):  # the template has seen the notebook's released cells before
        execution = execute(answered(source, SEARCH), source=source, tests="isolated")
        assert failed(execution.notebook) == []


def test_the_students_process_holds_no_descriptor_of_the_judge_process():
    source = notebook(
        ("solution", "def sockets(): return 1"),
        ("test", "assert sockets() == 1"),
    )
    count = (
        "import asyncio, os\nloop = asyncio.get_event_loop()\ndef sockets():\n"
        "    own = {loop._ssock.fileno(), loop._csock.fileno()}\n"
        "    others = {*map(int, os.listdir('/proc/self/fd'))} - own\n"
        "    links = [f'/proc/self/fd/{fd}' for fd in others]\n"
        "    return sum(os.readlink(p).startswith(('socket', 'pipe')) for p in links\n"
        "               if os.path.exists(p) or os.path.islink(p))"
    )
    assert failed(run_isolated(source, answered(source, count))) == []


def test_a_frame_written_by_the_student_ends_the_student():
    forge = (
        "def f(x):\n"
        "    import os, struct\n"
        "    for fd in {*map(int, os.listdir('/proc/self/fd'))} - {0, 1, 2}:\n"
        "        try:\n"
        "            os.write(fd, b'LLA1' + struct.pack('<II', 2**31, 0))\n"
        "        except OSError:\n"
        "            pass\n"
        "    return 12"
    )
    assert failed(run_isolated(SOURCE, answered(SOURCE, forge))) == ["test-2"]


def test_modules_that_the_student_writes_are_not_imported_by_the_judge_process():
    source = notebook(
        ("solution", "def f(x):\n    return x"),
        ("test", "import colorsys\nassert hasattr(colorsys, 'rgb_to_hsv') and f(1) == 1"),
    )
    plant = "open('colorsys.py', 'w').write('raise SystemExit')\ndef f(x):\n    return x"
    assert failed(run_isolated(source, answered(source, plant))) == []


def test_the_judge_process_is_closed_to_the_students_user():
    asked = (
        "import ctypes\nassert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == f(0)"  # PR_GET_DUMPABLE
    )
    assert (
        failed(run_isolated(notebook(("solution", "def f(x):\n    return x"), ("test", asked))))
        == []
    )


def test_a_seed_that_a_given_cell_sets_does_not_tell_the_random_numbers_of_a_test():
    source = notebook(
        ("released", "import random\nrandom.seed(0)"),
        ("solution", "def f(x):\n    return random.random()"),
        ("test", "want = random.random()\nassert f(1) == want"),
    )
    assert failed(run_isolated(source)) == ["test-3"]
