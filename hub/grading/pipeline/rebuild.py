"""Rebuilds a submitted notebook, whatever state it is in, into one that can be graded.

The notebook is rebuilt from the released cells, in their order and with their metadata; only text
comes from the student's file: the answers, wherever `hub.grading.pipeline.matching` finds them,
and the cells that the student added, which stay where they were. Every repair is reported in a
sentence.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from hub.facts.cell_names import bound_names
from hub.grading.pipeline.matching import Match, match
from hub.grading.pipeline.parsing import Cell, Unreadable
from hub.grading.pipeline.reading import read
from hub.grading.pipeline.released_cells import ReleasedCell, released_cells
from hub.grading.pipeline.report import Report, quoted

MAX_OWN_CELLS = 2_000
MAX_NAMED = 10  # cells named in one sentence


def rebuild(submitted: bytes, released: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The notebook to grade and what had to be repaired, one sentence each.

    submitted: the bytes of the student's file.
    released: the released notebook, with its nbgrader metadata.

    If nothing can be read, this returns the released notebook, with its stubs, and the
    sentence says so. Nothing in `submitted` makes it raise, or take more memory, time or
    sentences than `hub.grading.pipeline.reading`, `parsing` and `report` allow.

    Raises ReadingError if the machine, not the file, is the reason.
    """
    try:
        parsed = read(submitted)
    except Unreadable as error:
        return copy.deepcopy(released), [
            f"{error} Nothing in it could be graded: please submit it again."
        ]
    report = Report()
    for kind, sentence in parsed.report:
        report.add(kind, sentence)
    found = match(parsed.cells, released)
    _report_matching(parsed.cells, found, report)
    notebook = _assembled(parsed.cells, found, released, report)
    return notebook, report.listed()


def _report_matching(cells: Sequence[Cell], found: Match, report: Report) -> None:
    targets = {target.name: target for target in found.released}
    for name, count in found.found.items():
        if count > 1:
            target = targets[name]
            which = "the last one before its test that was worked on counts as the answer."
            report.add(
                "copies",
                f"There were {count} cells named `{name}`; "
                + (which if target.is_open else f"the copies of the {target.what} were left out."),
            )
    _tell_replaced(found, report)
    strange = (cell.grade_id for cell in cells if cell.grade_id and cell.grade_id not in targets)
    for name in dict.fromkeys(strange):
        report.add(
            "strange",
            f"The cell named {quoted(name)} is not part of this assignment; it counts as your own.",
        )
    _report_how(found, report)
    for names in found.exchanged:
        report.add(
            "exchanged",
            f"The cells {_listed(f'`{name}`' for name in names)} had each other's names; each "
            "counts for the exercise that it answers.",
        )
    positions = [
        found.chosen[target.name] for target in found.released if target.name in found.chosen
    ]
    if positions != sorted(positions):
        report.add("order", "Cells had changed places; the given order was put back.")


def _tell_replaced(found: Match, report: Report) -> None:
    """Report what counts of cells that have a given cell's or a test's name, but not its text."""
    targets = {target.name: target for target in found.released}
    target_of = found.by_index()
    for index, name in found.replaced.items():
        answer = target_of.get(index)
        what = f"the answer `{answer.name}`" if answer else "a cell of your own"
        report.add(
            "replaced",
            f"A cell with the name of the {targets[name].what} `{name}` does not have its released "
            f"text; it counts as {what}. The released one was put back.",
        )


def _report_how(found: Match, report: Report) -> None:
    """Report how cells that had lost their names were identified."""
    for how, sentence in (
        ("id", "by their ids"),
        ("text", "by their text"),
        ("position", "by the place where they stood"),
    ):
        names = [
            name
            for name, rule in found.how.items()
            if rule == how and found.chosen[name] not in found.replaced
        ]
        if names:
            report.add(
                "how",
                f"These cells had lost their names and were known {sentence}: "
                + (f"{_listed(f'`{name}`' for name in names)}."),
            )


def _listed(items: Iterable[str]) -> str:
    shown = list(items)
    more = f" and {len(shown) - MAX_NAMED:,} more" * (len(shown) > MAX_NAMED)
    return ", ".join(shown[:MAX_NAMED]) + more


def _assembled(
    cells: Sequence[Cell], found: Match, released: NotebookNode, report: Report
) -> NotebookNode:
    notebook = copy.deepcopy(released)
    targets = {target.name: target for target in released_cells(released)}
    own = _own_cells(cells, found, report)
    target_of = found.by_index()
    defined = frozenset[str]().union(
        *(bound_names(_code(cell, target_of.get(i))) for i, cell in enumerate(cells))
    )
    assembled = own.get(None, [])
    for cell in notebook.cells:
        target = targets.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if target is None:
            continue
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        index = found.chosen.get(target.name)
        if index is None:
            _put_back(cell, target, defined, found, report)
            cell.source = _merged_below(target, found, cells) or cell.source
        else:
            _fill(cell, target, cells[index], report)
        if target.name in found.overtaken:
            _give_way(cell, target, cells[found.overtaken[target.name]], report)
        if target.name in found.late:
            late = found.late[target.name]
            _bring_forward(cell, target, cells[late], target_of.get(late), report)
        if target.name in found.maybe:
            state = _state(cell, is_there=index is not None)
            maybe = [cells[i] for i in found.maybe[target.name]]
            _wait_for_a_person(cell, target, state, maybe, report)
        before, after = _around(target, None if index is None else cells[index])
        assembled += [*before, cell, *after, *own.get(target.name, [])]
    notebook.cells = assembled
    for number, cell in enumerate(assembled, 1):
        cell.setdefault("id", f"cell-{number}")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _put_back(
    cell: NotebookNode, target: ReleasedCell, defined: frozenset[str], found: Match, report: Report
) -> None:
    """A cell that the submission lacks: empty if it is the student's to write.

    Its stub would overwrite what the student may have defined in another cell.
    """
    sentence = f"The {target.what} `{target.name}` was missing; "
    if not target.is_open:
        if target.name not in found.replaced.values():
            report.add("missing", sentence + "it was put back.")
        return
    cell.source = ""
    sentence += "an empty one was put in its place."
    names = target.names
    if names and names <= defined:
        sentence += f" What you define of {_listed(f'`{n}`' for n in sorted(names))} in another "
        sentence += "cell counts, where it stands before the test."
    report.add("missing", sentence)


def _merged_below(target: ReleasedCell, found: Match, cells: Sequence[Cell]) -> str:
    """A later exercise's answer that defines what `target` asks for; empty if none does.

    Its cell may have been above this test; in its released position alone it would come too late.
    """
    names = target.names if target.is_open else frozenset()
    later = sorted(
        (i, other)
        for i, other in found.by_index().items()
        if other.is_open and other.position > target.position
    )
    texts = (_code(cells[i], other) for i, other in later)
    return next((text for text in texts if names and names <= bound_names(text)), "")


def _code(cell: Cell, target: ReleasedCell | None) -> str:
    """The code of a cell that stands for `target`, or for none; empty where it is text."""
    if (cell if target is None else target).kind != "code":
        return ""
    return cell.text if target is None else target.text_of(cell.kind, cell.text)


def _fill(cell: NotebookNode, target: ReleasedCell, taken: Cell, report: Report) -> None:
    text = target.text_of(taken.kind, taken.text)
    if taken.kind != cell.cell_type:
        without = ", without the fences around its code" if text != taken.text else ""
        report.add(
            "kind",
            f"The {target.what} `{target.name}` had become a {taken.kind} cell; it was made a "
            f"{cell.cell_type} cell again{without}.",
        )
    if target.is_open:
        cell.source = text
        if cell.cell_type == "markdown" and taken.attachments:
            cell.attachments = taken.attachments
    elif not target.is_given(taken.text):
        report.add(
            "changed",  # by its owner, or by a later release
            f"The {target.what} `{target.name}` differed from its release; it was replaced.",
        )


def _give_way(cell: NotebookNode, target: ReleasedCell, other: Cell, report: Report) -> None:
    """Keep an untouched stub from overwriting what the student has defined above it."""
    cell.source = ""
    report.add(
        "overtaken",
        f"The answer cell `{target.name}` was left as it was given, but an earlier cell of yours "
        f"({_first_line(other)}) defines the same: that one counts.",
    )


def _bring_forward(
    cell: NotebookNode, target: ReleasedCell, other: Cell, of: ReleasedCell | None, report: Report
) -> None:
    """Make what the student has defined only after the test count for it too."""
    cell.source = _code(other, of)
    report.add(
        "late",
        f"The answer cell `{target.name}` was not worked on, but a cell of yours after its test "
        f"({_first_line(other)}) defines the same: that one was copied into it.",
    )


def _wait_for_a_person(
    cell: NotebookNode, target: ReleasedCell, state: str, maybe: Sequence[Cell], report: Report
) -> None:
    """Make the text of a manually graded question differ from the released one, by a note why.

    nbgrader gives 0 without asking a person if the text is the released one.
    """
    where = _listed(_first_line(other) for other in maybe)
    sentence = f"The answer cell `{target.name}` {state}" + (
        f", but these other cells may be the answer: {where}." if maybe else "."
    )
    report.add("by hand", f"{sentence} An instructor will decide.")
    note = f"[{sentence}]"
    cell.source = "\n\n".join(
        part for part in (cell.source, f"# {note}" if target.kind == "code" else note) if part
    )


def _state(cell: NotebookNode, is_there: bool) -> str:
    if not is_there:
        return "was not found"
    return "was left as it was given" if cell.source.strip() else "is empty"


def _first_line(cell: Cell) -> str:
    lines = (line for line in cell.text.splitlines() if line.strip())
    return quoted(next(lines, "an empty cell"))


def _around(
    target: ReleasedCell, taken: Cell | None
) -> tuple[list[NotebookNode], list[NotebookNode]]:
    """What was added above and below the text of a given cell or test, as cells of their own.

    So an answer counts even if its cell was merged with its test.
    """
    if taken is None or target.is_open or not target.text:
        return [], []
    above, text, below = taken.text.partition(target.text)
    if not text:
        return [], []
    made = [
        [_new_cell(Cell(target.kind, part.strip()), f"{where}-{target.position}")]
        if part.strip()
        else []
        for where, part in (("above", above), ("below", below))
    ]
    return made[0], made[1]


def _own_cells(
    cells: Sequence[Cell], found: Match, report: Report
) -> dict[str | None, list[NotebookNode]]:
    """The student's own cells by the released cell that they follow."""
    target_of = found.by_index()
    own: dict[str | None, list[NotebookNode]] = {}
    anchor: str | None = None
    number = 0
    for index, cell in enumerate(cells):
        if index in target_of:
            anchor = target_of[index].name
        elif index not in found.dropped:
            number += 1
            if number <= MAX_OWN_CELLS:
                own.setdefault(anchor, []).append(_new_cell(cell, f"own-{number}"))
    if number > MAX_OWN_CELLS:
        report.add(
            "own",
            f"The notebook had {number:,} cells of your own; those after the first "
            f"{MAX_OWN_CELLS:,} were left out.",
        )
    return own


def _new_cell(cell: Cell, name: str) -> NotebookNode:
    if cell.kind == "code":
        return new_code_cell(cell.text, id=name)
    if cell.kind == "raw":
        return new_raw_cell(cell.text, id=name)
    made = new_markdown_cell(cell.text, id=name)
    if cell.attachments:
        made.attachments = cell.attachments
    return made
