"""A course of three small exercises with given cells between them, and what students do to it."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.grading.tiny_course import marks, released

SOLVED = "### BEGIN SOLUTION\n    {}\n    ### END SOLUTION"
GIVEN_2 = "LENGTH = len(json.dumps([SIZE]))"


def source(given_1: str = "import json\nSIZE = 3", given_2: str = GIVEN_2) -> NotebookNode:
    """Three exercises of one point each, a given cell before each; 2 points by hand."""
    test = {"grade": True, "locked": True, "points": 1}
    cells: list[NotebookNode] = []
    for number, given in enumerate((given_1, given_2, "LAST = [LENGTH, SIZE]"), 1):
        name = f"f{number}"
        answer = f"def {name}(x):\n    {SOLVED.format(f'return x + {number}')}"
        asserts = f"assert {name}(SIZE) == {3 + number}"
        cells += [
            new_code_cell(given, metadata=marks(f"given-{number}", locked=True)),
            new_code_cell(answer, metadata=marks(name, solution=True)),
            new_code_cell(asserts, metadata=marks(f"{name}_test", **test)),
        ]
    essay = marks("why", grade=True, solution=True, points=2)
    cells.append(new_markdown_cell("An essay", metadata=essay))
    for cell in cells:
        cell.id = cell.metadata.nbgrader.grade_id
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": spec})
    notebook.nbformat_minor = 5
    return notebook


RIGHT = {f"f{n}": f"def f{n}(x):\n    return x + {n}" for n in (1, 2, 3)}


def answered(root: Path, own: dict[str, str] | None = None, **answers: str) -> NotebookNode:
    """Right answers or those given; `own` are cells of the student's after the cells named."""
    notebook = released(root)
    cells = []
    for cell in notebook.cells:
        name = cell.metadata.nbgrader.grade_id
        cell.source = {**RIGHT, "why": "Because.", **answers}.get(name, cell.source)
        cells.append(cell)
        if own and name in own:
            cells.append(new_code_cell(own[name], id=f"own-{name}"))
    notebook.cells = cells
    return notebook


# What a cell does, and what its owner is told.
SLIPS = {
    "a loop that swallows the interrupt": (
        "while True:\n    try: int(input('n: '))\n    except: pass",
        "did not stop when it was interrupted at its time limit of 2 s",
    ),
    "the interpreter left": ("import os; os._exit(3)", "exit status 3"),
    "a crash in native code": ("import ctypes; ctypes.string_at(0)", "crashed"),
    "the interpreter left as if all were well": (
        "import os; os._exit(0)",
        "it ended the process that runs your cells, as `os._exit` does",
    ),
    "all descriptors closed": ("import os; os.closerange(0, 1000)", "as `os.closerange` does"),
    "the process asked to end": (
        "import os\nos.kill(os.getpid(), 15)",
        "asked to end, as `os.kill` does",
    ),
    "the process killed": ("import os; os.kill(os.getpid(), 9)", "ended from outside"),
    "its own limit of computing time": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
        "the limit of computing time that was set in it (RLIMIT_CPU, 1 s)",
    ),
    "a soft limit of computing time": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 99))\nwhile True: pass",
        "the limit of computing time that was set in it (RLIMIT_CPU, 1 s)",
    ),
    "an alarm": (
        "import time\nimport signal\nsignal.alarm(1)\ntime.sleep(5)",
        "a timer that was set in the process that runs your cells ended it",
    ),
    "too many processes": (
        "import subprocess, time\n"
        "for _ in range(200): subprocess.Popen(['sleep', '60'])\ntime.sleep(60)",
        "more than 128 processes",
    ),
}


BOMB = (
    "import threading, os, time\n"
    "threading.Thread(target=lambda: (time.sleep(0.05), os._exit(1))).start()"
)
"""Ends the process a moment later, in whichever cell that is."""

TAKES_AWAY = {
    "all modules": "import sys\nsys.modules.clear()",
    "some modules": "import sys\nfor name in ('json', 're', 'traceback'): sys.modules[name] = None",
    "what classes and imports need": (
        "import builtins\ndel builtins.__build_class__, builtins.__import__"
    ),
    "functions, and then fails": (
        "exec('import builtins\\ndel builtins.print, builtins.hasattr, builtins.SystemExit; 1 / 0')"
    ),
    "functions replaced": (
        "import builtins\nbuiltins.len = None\nbuiltins.isinstance = lambda *a: False"
    ),
    "functions that printing, files and imports need": (
        "import builtins\nbuiltins.print = builtins.sum = None\n"
        "builtins.open = builtins.__import__ = lambda *a, **k: 1 / 0"
    ),
}

# What cells do to what is given after them.
BREAKS = {
    "a name of the given cells rebound": "json = None",
    "a built-in function replaced": "import builtins\nbuiltins.len = None",
    "a given name deleted": "del SIZE",
    "a library spoiled": "import json\njson.dumps = lambda *a: 1 / 0",
    "no descriptors left": (
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n"
        "import json\ndel json.dumps"
    ),
}
