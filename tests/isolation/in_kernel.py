"""All cells of a notebook in one process: `python -m tests.isolation.in_kernel < notebook.json`.

The comparison for what runs apart: the student's code and the tests share one interpreter.
"""

import json
import os
import sys

from hub.grading.isolation.shell import NotebookShell


def main() -> None:
    """Print, as JSON, the outputs of each cell in order."""
    out = os.dup(1)
    cells = json.load(sys.stdin)["cells"]
    shell = NotebookShell()
    results = [shell.run("".join(cell["source"]), n) for n, cell in enumerate(cells, 1)]
    os.write(out, json.dumps(results, default=str).encode())


if __name__ == "__main__":
    main()
