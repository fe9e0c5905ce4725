"""No file, whatever is in it, takes more than a bounded amount of anything to rebuild."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from hub.grading.pipeline import parsing, reading
from hub.grading.pipeline.rebuild import rebuild
from tests.grading.test_rebuild import ANSWER, answered, as_bytes, make_released

MIB = 1024 * 1024
HEAD = b'{"nbformat": 4, "metadata": {}, "cells": ['


def of_size(mib: float, unit: bytes, head: bytes = HEAD, tail: bytes = b"]}") -> bytes:
    return head + b",".join([unit] * int(mib * MIB / (len(unit) + 1))) + tail


HOSTILE = {
    "cells that are empty": lambda mib: of_size(mib, b"{}"),
    "cells that are none": lambda mib: of_size(mib, b"0"),
    "cells in lists": lambda mib: of_size(mib, b"[[]]"),
    "small dictionaries": lambda mib: of_size(mib, b'{"":0}'),
    "deep nesting": lambda mib: b'{"cells": ' + b"[" * int(mib * MIB),
    "a huge key": lambda mib: of_size(1, b"k" * int(mib * MIB), b'{"', b'": 0, "cells": []}'),
    "a key again and again": lambda mib: of_size(mib, b'"cells":[]', b"{", b"}"),
    "one long string": lambda mib: HEAD + b'{"source": "%s"}]}' % (b"a" * int(mib * MIB)),
    "one long wide string": lambda mib: (
        HEAD + b'{"source": "%s"}]}' % ("\N{GRINNING FACE}".encode() + b"a" * int(mib * MIB))
    ),
    "a source of many lines": lambda mib: of_size(mib, b'""', HEAD + b'{"source": [', b"]}]}"),
    "many attachments": lambda mib: (
        b'{"cells": [{"cell_type": "markdown", "source": "", "attachments": {'
        + b",".join(b'"%x":{"image/png":""}' % n for n in range(int(mib * MIB / 28)))
        + b"}}]}"
    ),
    "an attachment in each cell": lambda mib: of_size(
        mib,
        b'{"cell_type": "markdown", "source": "", "attachments": {"a": {"image/png": "%s"}}}'
        % (b"A" * 1_000_000),
    ),
    "a name for each cell": lambda mib: (
        HEAD
        + b",".join(
            b'{"metadata": {"nbgrader": {"grade_id": "n%d", "schema_version": %d}}}' % (n, n)
            for n in range(int(mib * MIB / 80))
        )
        + b"]}"
    ),
    "markers of conflicts": lambda mib: b"<<<<<<< a\n=======\n>>>>>>> b\n" * int(mib * MIB / 28),
    "a copy of the answer in each cell": lambda mib: of_size(
        mib, json.dumps(answered(make_released()).cells[2]).encode()
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize("mib", [1, 12])
def test_any_file_rebuilds_to_a_bounded_notebook(kind: str, mib: int) -> None:
    submitted = HOSTILE[kind](mib)
    started = time.process_time()
    rebuilt, report = rebuild(submitted, make_released())
    assert time.process_time() - started < 10
    assert len(report) <= 61
    assert sum(map(len, report)) < 31_000
    assert len(nbformat.writes(rebuilt)) < 25 * MIB
    assert len(rebuilt.cells) <= 2_010
    nbformat.validate(rebuilt)


PEAK = """
import sys
sys.path.insert(0, sys.argv[1])
from hub.grading.pipeline import reading
reading.main()
# (ru_maxrss would be that of the process which started this one, where it was larger.)
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak.split()[1], file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cells in lists", "small dictionaries", "one long wide string"])
def test_reading_takes_no_more_memory_than_its_limit(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PEAK, str(reading._PRODUCT)],
        input=HOSTILE[kind](60),
        capture_output=True,
        check=True,
    )
    assert 50 * MIB < int(done.stderr) * 1024 <= reading.MEMORY_MIB * MIB
    assert "unreadable" in json.loads(done.stdout) or json.loads(done.stdout)["cells"]


@pytest.mark.slow
def test_a_file_that_takes_too_much_memory_is_reported_and_takes_none_of_this_process() -> None:
    submitted = HOSTILE["small dictionaries"](60)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, (report,) = rebuild(submitted, make_released())
    assert report.startswith("The submitted file takes more than 1024 MiB to read.")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20 * 1024  # KiB; the file was parsed elsewhere


def test_a_file_that_takes_too_long_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 5))\nwhile True: pass"
    monkeypatch.setattr(reading, "_COMMAND", endless)
    _, (report,) = rebuild(of_size(3, b"{}"), make_released())
    assert "takes more than 30 s to read" in report


def test_a_machine_that_cannot_parse_is_not_the_files_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "_COMMAND", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(reading.ReadingError):
        rebuild(of_size(3, b"{}"), make_released())


def test_a_file_larger_than_the_limit_is_not_parsed() -> None:
    _, (report,) = rebuild(b" " * (parsing.MAX_FILE_MIB * MIB + 1), make_released())
    assert "larger than 256 MiB" in report


def test_a_large_notebook_is_read_as_a_small_one_is() -> None:
    released = make_released()
    submitted = answered(released)
    small = rebuild(as_bytes(submitted), released)
    submitted.cells[2].outputs = [
        {"output_type": "stream", "name": "stdout", "text": "ü" * 3 * MIB}
    ]
    submitted.cells[4].attachments = {"a.png": {"image/png": "aGk="}}
    large, report = rebuild(as_bytes(submitted), released)
    assert large.cells[4].pop("attachments") == {"a.png": {"image/png": "aGk="}}
    assert (large, report) == small
    assert large.cells[2].source == ANSWER


def _told(document: dict[str, Any], released: NotebookNode) -> list[str]:
    return rebuild(json.dumps(document).encode(), released)[1]


def test_the_first_of_many_sentences_of_one_kind_are_reported_and_the_rest_counted() -> None:
    report = _told({"nbformat": 4, "cells": [{"source": ""}] * 1_000}, make_released())
    kinds = [sentence for sentence in report if "had an unknown type" in sentence]
    assert len(kinds) == 20
    assert "And 980 more like this." in report


@pytest.mark.parametrize(
    "name", ["a" * 150, "``` a ` b", "\x1b[2J\x9b31m\r\n- x", "\u202e\u2066abc"]
)
def test_a_name_in_a_sentence_is_short_plain_and_stays_between_its_backticks(name: str) -> None:
    cell = {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": name}}}
    document = {"nbformat": 4, "cells": [cell]}
    (report,) = [one for one in _told(document, make_released()) if "not part of" in one]
    assert report.count("`") == 2
    assert len(report) < 120
    assert report.isprintable()
