"""What several claims about nearly orthogonal samples need: their rows, and judgements of runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports import text
from reports.judging import CONFIDENCE, Judgement, judge_share, seeds_without_violation
from reports.statistics import spread_of
from reports.text import many
from reports.verdicts import Claim, Source, verdict

Json = Mapping[str, Any]

LEVEL = 0.99  # share of test points from which on signs are called equal
ENOUGH = 100  # test points from which on a share below that is called one
PERCENT = f"{LEVEL:.0%}".replace("%", " %")
# Expected share of a seed's networks or runs that violate a claim, excluded where it holds: nine seeds can.
VIOLATION = 0.3
ENOUGH_SEEDS = seeds_without_violation(VIOLATION)


def claim(
    statement: str,
    source: Source,
    rule: str,
    predicted: str,
    measured: str,
    met: bool | None,
    found: Judgement,
) -> Claim:
    """Return a row of the table of claims."""
    return Claim(
        statement=statement,
        source=source,
        rule=rule,
        predicted=predicted,
        measured=measured,
        met=met,
        verdict=verdict(met, found.holds),
        decision="nothing to decide: the hypothesis is not met" if met is False else found.decision,
    )


def proved(outcome: str) -> Judgement:
    """Return what a computation with rounding errors has decided: nothing is drawn, so nothing is missed."""
    known = {"holds": (True, "proved"), "fails": (False, "its opposite is proved")}
    return Judgement(*known.get(outcome, (None, "not decided: neither it nor its opposite is proved")))


def judge_runs(seeds: Mapping[str, Sequence[int]], what: str) -> Judgement:
    """Judge that no run violates a claim, by the share of each seed.

    Parameters
    ----------
    seeds : mapping
        From `reports.orthogonal.build`: for each seed its runs, those that violate the claim, and those that
        are not known to meet it.
    what : str
        The share in words.
    """
    counts = [tally for tally in seeds.values() if tally[0]]
    return judge_share(
        [bad / n for n, bad, _ in counts],
        allowed=0.0,
        violation=VIOLATION,
        what=what,
        doubtful=[doubtful / n for n, _, doubtful in counts],
    )


def over(values: Sequence[float | None]) -> str:
    """Return mean, deviation and number of one value a seed as words."""
    known = [value for value in values if value is not None]
    mean = sum(known) / len(known) if known else None
    shown = text.number(mean) if len(known) < 2 else text.spread(mean, spread_of(known))
    return f"{shown} over {many(len(known), 'seed')}"


def runs_rule(what: str) -> str:
    """Return how `judge_runs` comes to *holds*."""
    return (
        f"holds if at {CONFIDENCE} an expected share of {VIOLATION:g} of {what} is excluded, runs without a "
        "result, an unknown value or a converged f counted as such; "
        f"{ENOUGH_SEEDS} seeds without one are enough"
    )
