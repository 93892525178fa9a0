"""Published values among our seeds, and predicted beside measured: the statistics of a sweep's page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from reports.judging import CONFIDENCE, Judgement, judge_share, seeds_without_violation
from reports.verdicts import FALSE_ALARM
from theory.validation import Array

FALLING = 0.25  # expected share of seeds along which what rises may fall
NO_TREND = 0.5  # that share without a trend, as many rising as falling
RISING_RULE = (
    f"holds if at {CONFIDENCE} no trend, as many falling as rising seeds, is excluded, fails if at "
    f"{FALSE_ALARM:g} a share of falling seeds of {FALLING:g} or less is (ties count half, seeds without a "
    f"value somewhere against what is said); {seeds_without_violation(NO_TREND)} rising seeds are enough"
)
_CELLS = 100  # a scatter is drawn to 1/_CELLS, pairs that fall together as one


def like_one_more_seed(cells: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Compare published values with the ranges of our seeds as if each were one more seed.

    One more independent value of the same distribution lies within the range of n with probability at least
    (n − 1)/(n + 1), more with ties and with a reading error.  ``p_value`` is P(B ≤ inside) for a sum B of
    independent such events: small where published values leave our ranges more often than one more seed
    would.  Points share seeds, so they are not independent, and the p-value is a guide,
    no test of known size.

    Parameters
    ----------
    cells : iterable of mapping
        From `summary`.

    Returns
    -------
    dict
        ``count`` of values that can be compared, ``inside``, ``expected`` (at least), ``p_value`` (None
        without a value) and ``not_compared``: published points without a value of one of the two.
    """
    chances, inside, not_compared = [], 0, 0
    for cell in cells:
        if cell["inside"] is None:
            not_compared += cell["error"] is not None
            continue
        chances.append((cell["n"] - 1) / (cell["n"] + 1))
        inside += cell["inside"]
    return {
        "count": len(chances),
        "inside": inside,
        "expected": sum(chances),
        "p_value": at_most(inside, chances) if chances else None,
        "not_compared": not_compared,
    }


def at_most(successes: int, chances: Sequence[float]) -> float:
    """Return the probability of at most so many successes in independent trials with the given chances.

    The convolution of the trials: no approximation; all terms are positive, so that rounding stays relative.
    """
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.append(distribution * (1 - chance), 0.0) + np.append(0.0, distribution * chance)
    return min(1.0, float(distribution[: successes + 1].sum()))


def rank_correlation(xs: Sequence[float], values: Sequence[float]) -> float:
    """Return Spearman's rank correlation; 0 where one side is constant, which is no trend.

    Parameters
    ----------
    xs, values : sequence of float, at least 2
    """
    if len(set(xs)) < 2 or len(set(values)) < 2:
        return 0.0
    return float(stats.spearmanr(xs, values).statistic)


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


def comparison(predicted: Array, measured: Array) -> dict[str, Any]:
    """Return Pearson's correlation, the mean absolute difference, and the pairs to 1/100 with their numbers.

    Parameters
    ----------
    predicted, measured : array, shape (n,)
        Finite.

    Returns
    -------
    dict
        ``n``; ``correlation``, None for fewer than three pairs or a constant column; ``mean_error``, None
        without a pair; ``scatter``: rows of predicted, measured, number.
    """
    n = len(predicted)
    varies = n > 2 and np.ptp(predicted) > 0 and np.ptp(measured) > 0
    # Clipped, as rounding can leave [−1, 1] by an ulp.
    correlation = float(np.clip(np.corrcoef(predicted, measured)[0, 1], -1, 1)) if varies else None
    cells = Counter(
        (round(p * _CELLS) / _CELLS, round(q * _CELLS) / _CELLS)
        for p, q in zip(predicted, measured, strict=True)
    )
    return {
        "n": n,
        "correlation": correlation,
        "mean_error": float(np.abs(predicted - measured).mean()) if n else None,
        "scatter": [[p, q, count] for (p, q), count in sorted(cells.items())],
    }
