"""The numbers of `start`."""

from __future__ import annotations

from tests.course.numbers import Claims, Names

CLAIMS = Claims("start")


@CLAIMS("The one below has {45 thousand=45000~500}, those that people talk to have billions.")
def parameters(names: Names) -> float:
    return sum(p.numel() for p in names["net"].parameters())


@CLAIMS(
    "The first time it can only {guess=<0.1}: one symbol of {64}. The second time it {knows=>0.75}."
)
def first_and_second_time(names: Names) -> list[float]:
    symbols = len(names["ALPHABET"])
    return [max(names["first_time"]), symbols, min(names["second_time"])]
