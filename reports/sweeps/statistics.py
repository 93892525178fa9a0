"""Published values among our seeds, and predicted beside measured: the statistics of a sweep's page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from theory._validation import Array

_STEPS = 1000  # a rank correlation is rounded to 1/_STEPS before signs are flipped
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


def sign_flip(correlations: Sequence[float]) -> float:
    """Return the two-sided p-value of numbers in [−1, 1] whose distributions are symmetric about 0.

    P(|Σ ±r_s| ≥ |Σ r_s|) for independent fair signs, exactly, for the numbers rounded to 1/1000.  A test of
    any size for independent numbers each of which is symmetric about 0, whatever their distributions.  As
    likely negative as positive is not enough (`sign_test` needs no more).

    Parameters
    ----------
    correlations : sequence of float

    Returns
    -------
    float
        At least 2^(1−n), n the numbers that are not 0; 1 if all are.
    """
    rounded = [round(abs(value) * _STEPS) for value in correlations]
    reach = sum(rounded)
    distribution = np.zeros(2 * reach + 1)  # of Σ ±r, from −reach to reach
    distribution[reach] = 1.0
    for size in rounded:
        distribution = (np.roll(distribution, size) + np.roll(distribution, -size)) / 2
    observed = abs(sum(round(value * _STEPS) for value in correlations))
    sums = np.abs(np.arange(-reach, reach + 1))
    return min(1.0, float(distribution[sums >= observed].sum()))


def sign_test(values: Sequence[float]) -> float:
    """Return the two-sided p-value of numbers that are as likely negative as positive.

    P(|2B − n| ≥ |2k − n|) for k positive of the n numbers that are not 0 and B of a fair binomial law: exact
    for independent numbers, each with P(> 0) = P(< 0), whatever their sizes.

    Parameters
    ----------
    values : sequence of float
        Finite.

    Returns
    -------
    float
        At least 2^(1−n); 1 if all are 0.
    """
    positive, negative = sum(value > 0 for value in values), sum(value < 0 for value in values)
    if not positive + negative:
        return 1.0
    return float(stats.binomtest(positive, positive + negative).pvalue)


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
