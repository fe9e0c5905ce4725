"""`python -m tests.course.numbers [ASSIGNMENT…]`: what the texts say, and what is measured now."""

from __future__ import annotations

import sys

from tests.course.numbers import all_claims, names_in


def main(wanted: list[str]) -> int:
    """Print every claim of the wanted notebooks (default: all); 1 if a number is wrong."""
    wrong = 0
    for claims in all_claims():
        if wanted and not claims.assignment.startswith(tuple(wanted)):
            continue
        names = names_in(claims.assignment)
        for claim in claims.listed:
            print(f"{claims.assignment}: {claim.sentence}")
            for quoted, measured in zip(claim.quoted, claim.measured(names), strict=True):
                verdict = "ok" if quoted.fits(measured) else "WRONG"
                wrong += verdict != "ok"
                print(f"    {quoted.bound}{quoted.words:12} measured {measured:.6g}  {verdict}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
