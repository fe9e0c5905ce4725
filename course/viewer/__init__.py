"""A text whose tokens show where they look: hover over one, or go to it with the arrow keys.

    from course import viewer

    viewer.attention(cache["pattern", 1][0], words)

It is HTML with 4 kB of script and needs no network. Without its script, as on a feedback page,
which shows nothing that runs, each token can be opened, by mouse or keyboard, to a table of where
every head looks from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from course.plots.style import array, axis_labels

SCRIPT = Path(__file__).with_name("viewer.js").read_text(encoding="utf-8")
STYLE = Path(__file__).with_name("viewer.css").read_text(encoding="utf-8")
_NAMED = 3  # positions that a table names for each head
_LEAST = 0.05  # attention from which they are named
_MOST = 20_000  # of all heads: about 80 kB in a saved notebook


@dataclass(frozen=True)
class TokenViewer:
    """What a cell shows.

    patterns: `[head query key]`, probabilities.
    words: the text of each position, with spaces and line ends shown.
    heads: the name of each head.
    """

    patterns: np.ndarray
    words: list[str]
    heads: list[str]
    title: str

    def html(self) -> str:
        """Tables, which the script replaces by what can be pointed at."""
        view = {
            "words": self.words,
            "heads": self.heads,
            "patterns": np.rint(1000 * self.patterns).astype(int).tolist(),
        }
        data = escape(json.dumps(view, separators=(",", ":")))
        return (
            f'<figure class="ll-viewer" data-view="{data}">'
            f"<figcaption>{escape(self.title)}</figcaption>"
            f"<div>{''.join(self._tables())}</div></figure>"
            f"<style>{STYLE}</style><script>{SCRIPT}</script>"
        )

    def _tables(self) -> Iterator[str]:
        for query, word in enumerate(self.words):
            rows = "".join(
                f"<tr><th>{escape(head)}</th><td>{escape(_named(row, self.words))}</td></tr>"
                for head, row in zip(self.heads, self.patterns[:, query], strict=True)
            )
            yield (
                f"<details><summary>{query}: <code>{escape(word)}</code> looks at …</summary>"
                f"<table>{rows}</table></details>"
            )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {
            "text/html": self.html(),
            "text/plain": f"{self.title}: {len(self.heads)} heads, {len(self.words)} tokens",
        }


def attention(
    patterns: Any,
    tokens: Sequence[str],
    labels: Sequence[str] | None = None,
    *,
    title: str = "Point at a token: where does it look?",
) -> TokenViewer:
    """Heads side by side, each with the text; a bar above a token is the attention to it.

    Args:
        patterns: `[head query key]` or `[query key]`, probabilities.
        tokens: one text a position.
        labels: the names of the heads, by default "head 0", "head 1", …
    """
    given = array(patterns, "attention", ("query", "key"), ("head", "query", "key"), most=_MOST)
    z = given[None] if given.ndim == 2 else given
    if z.shape[1] != z.shape[2]:
        raise ValueError(f"attention: {z.shape[1]} queries for {z.shape[2]} keys")
    names = [str(label) for label in labels or (f"head {head}" for head in range(len(z)))]
    if len(names) != len(z):
        raise ValueError(f"attention: {len(names)} labels for {len(z)} heads")
    return TokenViewer(z, axis_labels(tokens, z.shape[1]), names, title)


def _named(row: np.ndarray, words: Sequence[str]) -> str:
    """The positions with the most attention, such as "3 ␣John 0.81, 0 ⊢ 0.12"."""
    best = np.argsort(-row, kind="stable")[:_NAMED]
    named = [f"{i} {words[i]} {row[i]:.2f}" for i in best if row[i] >= _LEAST]
    return ", ".join(named) or "everywhere a little"
