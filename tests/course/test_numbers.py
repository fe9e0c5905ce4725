"""Every number that a notebook's text quotes is what its model gives; `numbers/` measures them."""

from __future__ import annotations

import re

import pytest

from tests.course.numbers import Claim, Claims, Quoted, all_claims, names_in, text_of

# 1.2 may be a head, of layer 1: only what cannot be one has to be measured.
HEAD = re.compile(r"[−-]?[01]\.[0-3]")
DECIMAL = re.compile(r"(?<![\w.,])[−-]?\d+\.\d+(?:e-?\d+)?(?![\w]|\.\d)")

NOTEBOOKS = pytest.mark.parametrize("claims", all_claims(), ids=lambda one: one.assignment)


def unsaid(claims: Claims, text: str) -> list[str]:
    """Claimed sentences that the text does not have."""
    return [claim.sentence for claim in claims.listed if claim.sentence not in text]


def unmeasured(claims: Claims, text: str) -> set[str]:
    """Decimals outside the claimed sentences that are not listed as no measurement."""
    for claim in claims.listed:
        text = text.replace(claim.sentence, "")
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|Section [\d.]+", "", text)
    found = {number for number in DECIMAL.findall(text) if not HEAD.fullmatch(number)}
    return found - set(claims.not_measured)


@NOTEBOOKS
def test_every_sentence_that_is_measured_stands_in_its_notebook(claims: Claims) -> None:
    assert unsaid(claims, text_of(claims.assignment)) == []


@NOTEBOOKS
def test_every_decimal_of_a_text_is_measured(claims: Claims) -> None:
    assert unmeasured(claims, text_of(claims.assignment)) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignment", "claim"),
    [(claims.assignment, claim) for claims in all_claims() for claim in claims.listed],
    ids=lambda value: value.sentence[:40] if isinstance(value, Claim) else value,
)
def test_what_is_measured_is_what_the_text_says(assignment: str, claim: Claim) -> None:
    measured = claim.measured(names_in(assignment))
    wrong = [
        f"{quoted.words}: measured {value:.4g}"
        for quoted, value in zip(claim.quoted, measured, strict=True)
        if not quoted.fits(value)
    ]
    assert wrong == []


SENTENCE = (
    "It costs {−7.5} logits, more than {>7}, of {45,000~500} weights, {two thirds=0.667~0.05}."
)


def test_a_sentence_is_read_with_its_numbers() -> None:
    claim = Claim(SENTENCE, lambda _: 0.0)
    assert claim.sentence == "It costs −7.5 logits, more than 7, of 45,000 weights, two thirds."
    assert claim.quoted == [
        Quoted("−7.5", -7.5, pytest.approx(0.051)),  # type: ignore[arg-type]
        Quoted("7", 7, pytest.approx(0.51), ">"),  # type: ignore[arg-type]
        Quoted("45,000", 45_000, 500),
        Quoted("two thirds", 0.667, 0.05),
    ]


@pytest.mark.parametrize(
    ("measured", "right"),
    [
        ((-7.54, 7.1, 45_400, 0.65), [True] * 4),
        ((-7.4, 6.9, 46_000, 0.5), [False] * 4),
    ],
)
def test_a_number_that_the_text_does_not_say_is_noticed(measured, right) -> None:
    quoted = Claim(SENTENCE, lambda _: measured).quoted
    assert [q.fits(m) for q, m in zip(quoted, measured, strict=True)] == right


def test_a_text_that_changed_and_a_number_that_nobody_measured_are_noticed() -> None:
    claims = Claims("any", [Claim("it costs {7.5} logits", lambda _: 7.5)], {"4.3": "a version"})
    assert unsaid(claims, "and it costs 7.5 logits") == []
    assert unsaid(claims, "and it costs 7.6 logits") == ["it costs 7.5 logits"]
    assert unmeasured(claims, "it costs 7.5 logits without head 1.2, in 4.3") == set()
    assert unmeasured(claims, "it costs 7.5 logits, and 0.85 of head 1.2") == {"0.85"}
