"""Remarks to the student about a submission's notebooks, shown at once beside the receipt.

A submission is accepted in any state. What grading would find only days later, that a notebook
cannot be read or is missing under its name, is reported while there is time to submit again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from hub.facts.limits import MIB
from hub.grading.pipeline.parsing import MAX_FILE_MIB, Unreadable
from hub.grading.pipeline.reading import ReadingError, read
from hub.grading.pipeline.report import Report, quoted

REMARKS_FILE = "remarks.json"


def remarks(files: Mapping[str, Path], released: Collection[str]) -> list[str]:
    """One sentence per damaged or missing notebook of a submission.

    files: what is submitted, by relative name.
    released: the names of the released notebooks, with their suffix.
    """
    report = Report()
    others = [name for name in files if name.endswith(".ipynb") and name not in released]
    for name in sorted(released):
        if name in files:
            for sentence in _problems(files[name]):
                report.add(name, f"{quoted(name)}: {sentence}")
        else:
            report.add(name, _missing(name, others))
    return report.listed()


def _problems(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            parsed = read(file.read(MAX_FILE_MIB * MIB + 1))
    except Unreadable as error:
        yield (
            f"{error} It was submitted as it is, but nothing in it can be graded: open it, repair "
            "it and submit again."
        )
    except ReadingError:
        return  # undecided here: grading will read it elsewhere
    else:
        yield from (sentence for _, sentence in parsed.report)


def _missing(name: str, others: Collection[str]) -> str:
    sentence = f"{quoted(name)} is not in the submission."
    if others:
        sentence += (
            f" If {' or '.join(quoted(other) for other in sorted(others)[:3])} is it, it will be "
            f"found by its cells; rename it to {quoted(name)} and submit again to be sure."
        )
    return sentence


def leave_remarks(state: Path, remarks: Collection[str]) -> None:
    """Store the remarks on a submission for the page that shows them."""
    state.mkdir(parents=True, exist_ok=True)
    (state / REMARKS_FILE).write_text(json.dumps(list(remarks)))


def take_remarks(state: Path) -> list[str] | None:
    """The remarks on the last submission, and forget them; None if there are none."""
    path = state / REMARKS_FILE
    try:
        remarks = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    path.unlink(missing_ok=True)
    return [str(sentence) for sentence in remarks] if isinstance(remarks, list) else None
