"""Claims of pages of nearly orthogonal samples as rows, and the words that several of them need."""

from typing import Any

from reports import text
from reports.verdicts import FALSE_ALARM, Outcome

Claim = dict[str, Any]

CERTAIN = f"{1 - FALSE_ALARM:.1%}".replace("%", " %")


def claim(
    statement: str, source: str, rule: str, predicted: str, measured: str, outcome: Outcome | str
) -> Claim:
    """Return a row of the table of claims."""
    return {
        "statement": statement,
        "source": source,
        "rule": rule,
        "predicted": predicted,
        "measured": measured,
        "verdict": outcome,
    }


def interval_of(interval: tuple[float | None, float | None]) -> str:
    """Return an interval over seeds as a part of a sentence; without two seeds there is none."""
    low, high = interval
    return "; no interval without two seeds" if low is None else f" [{text.number(low)}, {text.number(high)}]"
