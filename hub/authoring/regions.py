"""The marked regions of a cell: solutions, hidden tests, mark schemes."""

from dataclasses import dataclass

from hub.facts.regions import Region, lines_of


@dataclass(frozen=True)
class Marked:
    """A region of a cell: its kind and the lines between the markers."""

    region: Region
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """A parsed cell: its regions, everything else, and problems with its markers."""

    marked: tuple[Marked, ...]
    public: tuple[str, ...]
    problems: tuple[str, ...]


def split(source: str) -> Split:
    """Split a cell's source at its BEGIN/END lines."""
    marked: list[Marked] = []
    public: list[str] = []
    problems: list[str] = []
    for line in lines_of(source):
        problems += line.problems
        if line.kind == "begin" and line.region is not None:
            marked.append(Marked(line.region, ()))
        elif line.kind == "text" and line.region is not None:
            marked[-1] = Marked(line.region, (*marked[-1].lines, line.text))
        elif line.kind == "text":
            public.append(line.text)
    return Split(tuple(marked), tuple(public), tuple(problems))


def student_text(source: str) -> str:
    """What a student starts from: the solution cell with its regions replaced by stubs."""
    lines = []
    for line in lines_of(source):
        if line.region is not Region.SOLUTION:
            lines.append(line.text)
        elif line.kind == "begin":
            lines.append(line.indent + "raise NotImplementedError()")
    return "\n".join(lines)
