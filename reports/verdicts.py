"""What a claim is, and how its verdict follows: three-valued tests, never true by default.

What is missing, empty or not finite makes a claim unknown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeGuard

# Probability that a true claim is reported as failing.
FALSE_ALARM = 1e-3
# Probability that a claim is reported as holding although it is violated by the size that its rule states.
MISSED = 0.05

Outcome = Literal["holds", "fails", "hypothesis not met", "unknown"]
Source = Literal["published", "derived here", "variant", "our training", "measured"]
PUBLISHED = frozenset({"published", "variant"})  # counted apart from what this project derives


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of the table of verdicts, of any page; what a page does not ask for has a default."""

    key: str = ""  # stable identifier
    section: str | None = None  # name of the data set; None for claims about Φ alone
    statement: str  # in words
    formula: str = ""  # in TeX
    source: Source
    hypothesis: str = ""  # in words, with its numbers
    met: bool | None = True
    predicted: str = ""
    measured: str
    samples: str = ""  # what n counts
    rule: str  # how the verdict was reached; without a verdict, what the numbers rest on
    verdict: Outcome | None  # None where numbers are stated and nothing is judged
    decision: str = ""  # the violation or the claim that was excluded, else how many seeds would be enough
    numbers: Mapping[str, int | float | None] = field(default_factory=dict)  # what the texts above round
    evidence: str = ""  # anchor on the page of the figure or table that shows it, after that of the section
    command: str = ""  # that reproduces the numbers


def verdict(met: bool | None, holds: bool | None) -> Outcome:
    """Combine the hypothesis and the test; None anywhere is unknown, but an unmet hypothesis is that."""
    if met is False:
        return "hypothesis not met"
    if met is None or holds is None:
        return "unknown"
    return "holds" if holds else "fails"


def within(low: float | None, high: float | None, interval: tuple[float | None, float | None]) -> bool | None:
    """Compare a confidence interval with the range [low, high] that a claim allows; None: no limit there.

    True if the interval lies strictly inside, False if it lies strictly outside, None if it touches a limit
    or is not finite.
    """
    start, end = interval
    if start is None or end is None or not (math.isfinite(start) and math.isfinite(end)):
        return None
    bottom = -math.inf if low is None else low
    top = math.inf if high is None else high
    if bottom < start and end < top:
        return True
    return False if end < bottom or start > top else None


def all_finite(values: Sequence[float | None]) -> TypeGuard[Sequence[float]]:
    """Return whether there are values and all are finite."""
    return bool(values) and all(value is not None and math.isfinite(value) for value in values)


def all_rows_finite(rows: Sequence[Sequence[float | None]]) -> TypeGuard[Sequence[Sequence[float]]]:
    """Return whether there are values in all rows and all are finite."""
    return all(map(all_finite, rows))
