"""The glossary as a page of docs/, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from course.terms.shown import call
from course.terms.terms import Term

_ABOUT = """\
# Glossary

The words of the field as this course uses them, each in a sentence or two of our own, with the
exercises in which you use it. In a notebook, the same with a search box, links and drawings:

```python
from course import glossary

glossary()                # all of them
glossary("OV circuit")    # one
glossary("patching")      # all that mention it
```

Lines of code are about these: `net` is a small model, `tokens` `[batch position]` a text,
`logits, cache = net.run_with_cache(tokens)`; `W_E`, `W_Q` and the like are the matrices of the
model and of one head; `W` is a square matrix, `u`, `v` and `x` are vectors, `p` and `q` are
distributions.

<!-- Made of course/terms/ by `make glossary`: change it there. -->
"""


def page(terms: Iterable[Term]) -> str:
    """The whole page; it lies in docs/, beside release/."""
    return "\n".join([_ABOUT, *("\n".join(_section(term)) for term in terms)])


def anchor(heading: str) -> str:
    """What GitHub calls a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.casefold()).replace(" ", "-")


def _section(term: Term) -> Iterator[str]:
    yield f"## {term.name}\n"
    also = f" (Also: {', '.join(term.also)}.)" if term.also else ""
    yield f"{term.says}{also}\n"
    code = [line for line in (term.code, call(term.drawing) if term.drawing else "") if line]
    if code:
        yield "```python\n" + "\n".join(code) + "\n```\n"
    lines = []
    if term.exercises:
        links = (
            f"[{one.heading} (`{one.name}`, {one.assignment})](../release/{one.notebook})"
            for one in term.exercises
        )
        lines.append(f"- Exercises: {'; '.join(links)}")
    if term.see:
        links = (f"[{name}](#{anchor(name)})" for name in term.see)
        lines.append(f"- See also: {', '.join(links)}")
    if term.paper:
        lines.append(f"- Paper: {term.paper}")
    yield "\n".join(lines) + "\n"
