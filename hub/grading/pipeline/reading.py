"""Parses a submitted file within limits of memory and time, whatever it contains.

JSON can take thirty times its size in memory. A file that is large enough to matter is
therefore parsed in a separate process, which the kernel stops at a limit. The time limit
counts CPU time, so that a busy machine stops nobody.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from hub.facts.limits import MIB
from hub.grading.pipeline.parsing import MAX_FILE_MIB, Cell, Parsed, Unreadable, parse
from hub.grading.sandbox.trouble import CannotGrade

LARGE_MIB = 2
MEMORY_MIB = 1024
SECONDS = 30  # of computing

_PRODUCT = Path(__file__).parents[3]
# No packages and no user settings of Python: it starts fast and imports only ours.
_COMMAND = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from hub.grading.pipeline import reading; reading.main()"
)


class ReadingError(CannotGrade):
    """This machine could not parse a file, for a reason unrelated to the file."""


def read(submitted: bytes) -> Parsed:
    """The cells of a submitted file.

    Raises:
        Unreadable: nothing can be read from it.
        ReadingError: the machine's fault, not the file's.
    """
    if len(submitted) > MAX_FILE_MIB * MIB:
        raise Unreadable(f"The submitted file is larger than {MAX_FILE_MIB} MiB.")
    if len(submitted) <= LARGE_MIB * MIB:
        return parse(submitted)
    with tempfile.TemporaryFile() as file:
        file.write(submitted)
        file.seek(0)
        return _parsed_in_subprocess(file)


def _parsed_in_subprocess(file: IO[bytes]) -> Parsed:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _COMMAND, str(_PRODUCT)],
        stdin=file,
        capture_output=True,
        check=False,
    )
    if done.returncode == -signal.SIGXCPU:
        raise Unreadable(f"The submitted file takes more than {SECONDS} s to read.")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ReadingError(f"a submitted file could not be parsed: {last or done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "unreadable" in answer:
        raise Unreadable(answer["unreadable"])
    return Parsed(
        [Cell(*values) for values in answer["cells"]],
        [(kind, sentence) for kind, sentence in answer["report"]],
    )


def main() -> None:
    """Parse standard input within the limits; the outcome is JSON on standard output."""
    _limit(resource.RLIMIT_AS, MEMORY_MIB * MIB)
    _limit(resource.RLIMIT_CPU, SECONDS)
    sys.stdout.write(json.dumps(_outcome()))


def _limit(kind: int, most: int) -> None:
    """Set the soft limit, at which the kernel's signal shows which limit it was."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _outcome() -> dict[str, Any]:
    try:
        parsed = parse(sys.stdin.buffer.read())
    except Unreadable as error:
        return {"unreadable": str(error)}
    except MemoryError:
        return {"unreadable": f"The submitted file takes more than {MEMORY_MIB} MiB to read."}
    cells = [
        (cell.kind, cell.text, cell.grade_id, cell.cell_id, cell.attachments)
        for cell in parsed.cells
    ]
    return {"cells": cells, "report": parsed.report}
