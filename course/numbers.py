"""Numbers of other kinds as Python's own: what `Decimal`, `Fraction` or sympy say, by value.

A right answer is right in whatever kind of number it comes. Nothing is evaluated beyond what such
a number is, and what would become too large is refused before it is made.
"""

from __future__ import annotations

import numbers
from decimal import Decimal
from typing import Any

DIGITS_LIMIT = 4000
"""Decimal digits before the point that a `Decimal` may have."""


def plain_number(value: Any) -> int | float | complex | None:
    """`value` as an int if it is a whole number, else as the nearest float or complex.

    It may be of any kind that calls itself a number: `Decimal`, `Fraction`, numpy's scalars,
    sympy's and mpmath's numbers. For anything else, a bool among it, None.

    Raises:
        ValueError: it has too many digits, or no value.
    """
    kind = type(value)
    if kind is bool or not issubclass(kind, numbers.Number):
        return None
    try:
        return _converted(value, kind)
    except ArithmeticError as error:
        raise ValueError(
            f"a number of class {kind.__name__!r} beyond what a float holds"
        ) from error
    except (TypeError, NotImplementedError) as error:
        raise ValueError(
            f"an object of class {kind.__name__!r} that calls itself a number and has no value"
        ) from error


def _converted(value: Any, kind: type) -> int | float | complex:
    if issubclass(kind, Decimal):
        return _decimal(Decimal(value))
    if issubclass(kind, numbers.Integral):
        return int(value)
    if issubclass(kind, numbers.Rational):
        above, below = int(value.numerator), int(value.denominator)
        return above if below == 1 else above / below
    if issubclass(kind, numbers.Complex) and not issubclass(kind, numbers.Real):
        return complex(value)
    return float(value)


def _decimal(value: Decimal) -> int | float:
    if value.is_zero():
        return 0
    if not value.is_finite():
        return float("nan") if value.is_nan() else float(value)
    if value.adjusted() >= DIGITS_LIMIT:
        raise ValueError(f"a Decimal of more than {DIGITS_LIMIT:,} digits")
    return int(value) if value == value.to_integral_value() else float(value)
