"""How a verdict follows from one number a seed: rules that can come out either way, and say what they saw.

A rule tests two things.  A claim *fails* if it was excluded itself, with a probability of a false alarm of
at most `FALSE_ALARM`.  It *holds* if a violation of a stated size was excluded: of worlds that violate the
claim by so much, at most a share `MISSED` is said to hold.  All else is unknown, with the number of seeds
that would be enough.  Only seeds are independent: points, widths and networks of a seed share its data.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reports import text
from reports.statistics import jackknife_square, mean_tail, spread_of
from reports.text import many
from reports.verdicts import FALSE_ALARM, MISSED, all_finite, verdict, within

CONFIDENCE = f"{1 - MISSED:.0%}".replace("%", " %")
# Share of seeds far from all others that a t interval, which takes values for normal, must be able to see.
OUTLIERS = 0.3
FALLING = 0.25  # expected share of seeds along which what rises may fall
NO_TREND = 0.5  # that share without a trend, as many rising as falling
_MOST_SEEDS = 100_000  # more are not named as a number that would be enough


@dataclass(frozen=True)
class Judgement:
    """Whether a claim holds, and in words what was excluded or what would be enough."""

    holds: bool | None
    decision: str

    def given(self, met: bool | None) -> dict[str, Any]:
        """Return the fields of a claim that follow where its hypothesis is met, is not, or is not known."""
        return {"met": met, "verdict": verdict(met, self.holds), "decision": self.decision}


def unmeasured(what: str = "a value is missing or not finite") -> Judgement:
    """Return that nothing can be said."""
    return Judgement(None, f"not decided: {what}")


def excluded(violation: str) -> Judgement:
    """Return that a claim holds, since a violation was excluded."""
    return Judgement(True, f"excluded at {CONFIDENCE}: {violation}")


def refuted(claim: str) -> Judgement:
    """Return that a claim fails, since it was excluded itself."""
    return Judgement(False, f"excluded, false alarm {FALSE_ALARM:g}: {claim}")


def seeds_without_violation(violation: float) -> int:
    """Return how many seeds without a violation exclude a mean share of this size: (1 − v)^n ≤ MISSED.

    Parameters
    ----------
    violation : float in (0, 1)

    Examples
    --------
    >>> seeds_without_violation(0.2)
    14
    """
    return math.ceil(math.log(MISSED) / math.log1p(-violation))


RISING_RULE = (
    f"holds if at {CONFIDENCE} no trend, as many falling as rising seeds, is excluded, fails if at "
    f"{FALSE_ALARM:g} a share of falling seeds of {FALLING:g} or less is (ties count half, seeds without a "
    f"value somewhere against what is said); {seeds_without_violation(NO_TREND)} rising seeds are enough"
)
FEWEST_SEEDS = seeds_without_violation(OUTLIERS)  # of a t interval
SEEDS = (
    f"{FEWEST_SEEDS} seeds or more, which takes them for normal: outliers in a share of {OUTLIERS:g} or more "
    f"would be seen at {CONFIDENCE}, rare ones need not be"
)


def judge_share(
    shares: Sequence[float | None],
    *,
    allowed: float,
    violation: float,
    what: str,
    doubtful: Sequence[float | None] | None = None,
    tests: int = 1,
    unit: str = "seed",
    units: str | None = None,
) -> Judgement:
    """Judge that the expected share of violations is at most `allowed`, by one share for each seed.

    Parameters
    ----------
    shares : sequence of float in [0, 1]
        One a seed, of any distribution: whole seeds may be wrong together.
    allowed : float
        0: a single violation excludes the claim.
    violation : float in (allowed, 1)
        The expected share whose exclusion means that the claim holds.
    what : str
        The share in words, as "wrong share of the certified points".
    doubtful : sequence of float in [0, 1], optional
        The same shares with all that is not decided counted as a violation, which *holds* has to bear; fewer,
        where some seeds say nothing of it.
    tests : int
        How many judgements share the false alarm.
    unit : str
        What n counts.
    units : str, optional
        Its plural, where that is not `unit` with an s.

    Returns
    -------
    Judgement

    Notes
    -----
    Both tests are Chernoff's: P(mean ≥ x) ≤ exp(−n KL(x ‖ p)) for independent numbers in [0, 1] of mean at
    most p < x, and the same below for means of at least p > x.  A share that is above `allowed` with a
    probability of at most `MISSED` by chance does not hold either, however far it is from `violation`.
    """
    worst = shares if doubtful is None else doubtful
    if not all_finite(shares) or not all_finite(worst):
        none = f"no {unit}; {seeds_without_violation(violation)} without a violation are enough"
        return unmeasured() if shares and worst else unmeasured(none)
    n = len(worst)
    mean, highest = (
        math.fsum(v for v in values if v is not None) / len(values) for values in (shares, worst)
    )
    if mean_tail(mean, allowed, len(shares)) < FALSE_ALARM / tests:
        return refuted(f"a {what} of {text.number(allowed)}{' or less' if allowed else ''}")
    seen = f"a {what} of {text.number(highest)} in {many(n, unit, units)}"
    if mean_tail(mean, allowed, len(shares)) < MISSED:
        return unmeasured(f"{seen} is much for {text.number(allowed)}, but may be chance")
    # The probability of a mean so small if violations have mean `violation` is that of one so large of 1 − x.
    if highest < violation and mean_tail(1 - highest, 1 - violation, n) <= MISSED:
        return excluded(f"a {what} of {text.number(violation)} or more; measured {text.number(highest)}")
    one = mean_tail(1 - highest, 1 - violation, 1)
    if highest >= violation or one == 1:  # of a share that is `violation` but for rounding
        return unmeasured(f"{seen} may be chance")
    return unmeasured(f"{seen}; {math.ceil(math.log(MISSED) / math.log(one))} would be enough")


def judge_mean(
    values: Sequence[float | None],
    *,
    what: str,
    low: float | None = None,
    high: float | None = None,
    least_sd: float = 0.0,
    tests: int = 1,
) -> Judgement:
    """Judge that an expectation lies in [low, high], by one value for each seed.

    Holds if the t interval at `MISSED` lies inside, fails if that at `FALSE_ALARM` lies outside.  Both
    probabilities are those of normal values; of others it is known that outliers in a share `OUTLIERS` of the
    seeds, however far off, are missed with probability `MISSED` at most, as one in the sample widens the
    interval.

    Parameters
    ----------
    values : sequence of float
        One a seed, about normal.
    what : str
        The expectation in words.
    low, high : float, optional
        No limit there if absent.
    least_sd : float
        Takes the place of the sample deviation where it is larger: that of independent points or samples.
    tests : int
        How many judgements share the false alarm.

    Returns
    -------
    Judgement
        Unknown for fewer than `FEWEST_SEEDS` values, and for values that are all equal where `least_sd` is 0:
        seeds that agree exactly say nothing of their spread.
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not all_finite(known):
        return unmeasured("no seed" if not values else "a value is missing or not finite")
    n = len(known)
    if n < FEWEST_SEEDS:
        return unmeasured(f"{many(n, 'seed')}; {FEWEST_SEEDS} are asked for")
    mean, sd = math.fsum(known) / n, spread_of(known)
    sd = max(sd, least_sd)
    if sd == 0:
        return unmeasured("all seeds agree exactly, so their spread is not known")

    def reach(tail: float, count: int = n) -> float:
        return -float(special.stdtrit(count - 1, tail / 2)) * sd / math.sqrt(count)  # Student's quantile

    allowed = " to ".join(text.number(limit) for limit in (low, high) if limit is not None)
    inside, outside = (
        ("below", "above") if low is None else ("above", "below") if high is None else ("in", "outside")
    )
    usual, sure = reach(MISSED), reach(FALSE_ALARM / tests)
    if within(low, high, (mean - usual, mean + usual)):
        return excluded(f"{what} {outside} {allowed}")
    if within(low, high, (mean - sure, mean + sure)) is False:
        return refuted(f"{what} {inside} {allowed}")
    distance = min(abs(mean - limit) for limit in (low, high) if limit is not None)
    good = (low is None or mean > low) and (high is None or mean < high)
    enough = next(
        (count for count in _counts(n) if reach(MISSED if good else FALSE_ALARM / tests, count) < distance),
        None,
    )
    more = "" if enough is None else f"; about {enough:,} would be enough if this mean stays"
    return unmeasured(f"the interval of {many(n, 'seed')} touches {allowed}{more}")


def judge_root_mean_square(
    rows: Sequence[Sequence[float | None]], *, limit: float, what: str
) -> tuple[Judgement, float | None]:
    """Judge that expectations have a root mean square of at most a limit, beyond sampling noise.

    Parameters
    ----------
    rows : sequence of sequences of float
        One row an expectation, one value a seed; rows may share what a seed draws, as only seeds are taken
        for independent.
    limit : float
    what : str
        The mean square in words.

    Returns
    -------
    judgement : Judgement
        Of the values of `reports.statistics.jackknife_square`, by `judge_mean`.
    size : float or None
        The root mean square, 0 where sampling noise explains more than all of it.
    """
    whole = bool(rows) and all(len(row) == len(rows[0]) and None not in row for row in rows)
    if not whole:
        return unmeasured(), None
    table = np.array(rows, dtype=float)
    squares = jackknife_square(table)
    size = math.sqrt(max(math.fsum(squares) / len(squares), 0.0)) if squares else None
    least = spread_at_limit(table, limit) if all_finite(squares) and len(squares) > 1 else 0.0
    return judge_mean(squares, high=limit**2, what=what, least_sd=least), size


def spread_at_limit(rows: NDArray[np.float64], limit: float) -> float:
    """Return the deviation that values of `jackknife_square` have where the root mean square is the limit.

    That of the sample falls with the means of rows: where noise happens to cancel them it is far too small.
    With means μ turned to that size it is the deviation of 2 μ·d_s/k over seeds, and of products of noise.
    """
    k, n = rows.shape
    means = rows.mean(axis=1)
    length, noise = math.sqrt(np.mean(means**2)), rows - means[:, None]
    along = 2 * limit * (means / length) @ noise / k if length else np.zeros(n)
    products = np.sum((noise.T @ noise / k) ** 2) / (n - 1) ** 2
    return math.sqrt(np.sum(along**2) / (n - 1) + 2 * products / (n - 1))


SQUARE_RULE = (
    "mean over {} of the product of the differences of two seeds, which has no sampling noise: holds if the "
    f"t interval at {CONFIDENCE} of its jackknife over seeds, at least as wide as at the limit, is below "
    f"{{:g}}², fails if that at {FALSE_ALARM:g} is above"
)


def judge_rising(correlations: Sequence[float], *, incomplete: int = 0, tests: int = 1) -> Judgement:
    """Judge that what is measured rises, by the signs of one rank correlation a seed (`RISING_RULE`).

    Parameters
    ----------
    correlations : sequence of float
        Of complete seeds; 0 counts as half falling.
    incomplete : int
        Seeds that lack a value somewhere.
    tests : int
        How many judgements share the false alarm.
    """
    falling = [(1 - float(np.sign(value))) / 2 for value in correlations]
    return judge_share(
        falling + [0.0] * incomplete,
        allowed=FALLING,
        violation=NO_TREND,
        what="share of falling seeds",
        doubtful=falling + [1.0] * incomplete,
        tests=tests,
    )


def together(*judgements: Judgement) -> Judgement:
    """Return that all claims hold: fails if one fails, holds if all hold; its words are the decisive ones."""
    for holds in (False, None):
        chosen = [one for one in judgements if one.holds is holds]
        if chosen:
            return Judgement(holds, _joined(chosen))
    return Judgement(True, _joined(judgements)) if judgements else unmeasured("nothing was judged")


def at_all_points(judged: Sequence[Judgement]) -> Judgement:
    """Return that a claim holds at all points, with what decided it at the first of those that did."""
    merged = together(*judged)
    decisive = [one for one in judged if one.holds is merged.holds]
    if len(decisive) < 2:
        return merged
    return Judgement(
        merged.holds, f"at {len(decisive)} of {len(judged)} points; first {decisive[0].decision}"
    )


def _joined(judgements: Sequence[Judgement]) -> str:
    return "; ".join(dict.fromkeys(one.decision for one in judgements))


def _counts(n: int) -> list[int]:
    """Return numbers of seeds above n, a few percent apart."""
    counts = []
    while n < _MOST_SEEDS:
        n = max(n + 1, int(n * 1.05))
        counts.append(n)
    return counts
