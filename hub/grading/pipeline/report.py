"""The report about a submission: a bounded number of sentences, without active student content.

Pure, standard library only, as `hub.grading.pipeline.parsing` runs where nothing else is
imported.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

MAX_OF_A_KIND = 20
MAX_SENTENCES = 60
MAX_CHARACTERS = 500  # of one sentence
MAX_QUOTED = 40


class Report:
    """Messages in order, and how many were left out."""

    def __init__(self) -> None:
        self._sentences: list[tuple[str, str]] = []
        self._seen: Counter[str] = Counter()

    def add(self, kind: str, sentence: str) -> None:
        """Add a sentence; sentences of one `kind` are counted together."""
        self._seen[kind] += 1
        if self._seen[kind] <= MAX_OF_A_KIND:
            self._sentences.append((kind, shortened(sentence, MAX_CHARACTERS)))

    def listed(self) -> list[str]:
        """At most MAX_SENTENCES, plus one that says how many are left out."""
        last = {kind: position for position, (kind, _) in enumerate(self._sentences)}
        lines: list[str] = []
        for position, (kind, sentence) in enumerate(self._sentences):
            lines.append(sentence)
            more = self._seen[kind] - MAX_OF_A_KIND
            if more > 0 and last[kind] == position:
                lines.append(f"And {more:,} more like this.")
        if len(lines) > MAX_SENTENCES:
            left_out = len(lines) - MAX_SENTENCES
            lines[MAX_SENTENCES:] = [f"And {left_out:,} more remarks, which are left out."]
        return lines


def quoted(value: Any) -> str:
    """A student's text, such as a name or a first line, made fit for a sentence.

    In backticks, on one line and short; without control characters, terminal escapes, direction
    marks, and backticks, so that it stays between its own.
    """
    text = str(value)[: 4 * MAX_QUOTED]
    kept = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text)
    return f"`{shortened(' '.join(kept.replace('`', chr(39)).split()), MAX_QUOTED)}`"


def shortened(text: str, characters: int) -> str:
    """`text`, truncated to `characters` with an ellipsis."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
