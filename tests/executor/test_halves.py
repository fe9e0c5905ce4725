from __future__ import annotations

from fractions import Fraction

from hub.authoring.catalogue import available, shipped_sources
from hub.verification.sampling import ALL, Sample
from tests.executor.halves import halves

NAMES = available(shipped_sources())


def test_each_assignments_answers_are_checked_somewhere_and_in_turn_in_both_places():
    found = [halves(NAMES, Sample(Fraction(1, 8), f"{commit:040x}")) for commit in range(60)]
    assert all(sorted([*first, *second]) == sorted(NAMES) for first, second in found)
    assert all(set.union(*(set(pair[place]) for pair in found)) == set(NAMES) for place in (0, 1))
    assert all(abs(len(first) - len(second)) <= 1 for first, second in found)


def test_what_is_checked_whole_is_checked_in_both_places():
    assert halves(NAMES, ALL) == (list(NAMES), list(NAMES))
    changed = Sample(Fraction(1, 8), "a1b2", frozenset({NAMES[0]}))
    assert all(NAMES[0] in place for place in halves(NAMES, changed))
