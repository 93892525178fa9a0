"""Means, spreads, intervals and slopes over seeds: everything the verdicts rest on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

CONFIDENCE = 0.95  # of every interval in a report


@dataclass(frozen=True)
class Summary:
    """A quantity over independent seeds.

    Attributes
    ----------
    mean, sd : float
        Sample mean and sample standard deviation (n − 1).
    low, high : float
        Student's t interval for the mean, 95 %; infinite for n = 1, NaN if a value is NaN.
    n : int
        Number of seeds.
    """

    mean: float
    sd: float
    low: float
    high: float
    n: int


def summarise(values: Sequence[float]) -> Summary:
    """Return mean, spread and interval of one value a seed."""
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    mean = float(array.mean())
    if n < 2:
        reach = math.nan if math.isnan(mean) else math.inf
        return Summary(mean, 0.0, -reach, reach, n)
    sd = float(array.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd / math.sqrt(n)
    return Summary(mean, sd, mean - half, mean + half, n)


def rates(widths: Sequence[int], errors: Sequence[Sequence[float]]) -> Summary:
    """Return the log–log slope of the error against width, fitted for each seed by least squares.

    Parameters
    ----------
    widths : sequence of int, length W ≥ 2
    errors : sequence over seeds of sequences over widths
        Positive.

    Returns
    -------
    Summary
        Of the slopes; NaN if an error is 0 or not finite.
    """
    logs = np.log(np.asarray(widths, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log(np.asarray(errors, dtype=np.float64))
        centred = logs - logs.mean()
        slopes = values @ centred / (centred @ centred)
    return summarise(np.where(np.isfinite(slopes), slopes, np.nan).tolist())


def floors(widths: Sequence[int], errors: Sequence[Sequence[float]]) -> list[float]:
    """Return for each seed a value whose mean is the part of the error that does not fall like m^(−1/2).

    The part is c/(c + A m^(−1/2)) at the largest width, of the law c + A m^(−1/2) that fits the mean errors
    over seeds best, in squares of relative errors: 0 for an error that falls like m^(−1/2), 1 for one that
    stays, negative for one that falls faster.  The values are those of the jackknife, n φ − (n − 1) φ₋ₛ with
    φ₋ₛ the part without seed s: the fit for a single seed would be biased by its noise.

    Parameters
    ----------
    widths : sequence of int, length W ≥ 2
        Increasing.
    errors : sequence over seeds of sequences over widths
        Positive.

    Returns
    -------
    list of float
        NaN if an error is 0 or not finite, or if a law is not positive at the largest width.

    Examples
    --------
    >>> np.round(floors([100, 10_000], [[0.1, 0.01], [0.2, 0.02]]), 9) + 0
    array([0., 0.])
    """
    table = np.asarray(errors, dtype=np.float64)
    n = len(table)
    if not (np.isfinite(table) & (table > 0)).all():
        return [math.nan] * n
    falling = (np.asarray(widths, dtype=np.float64) / widths[-1]) ** -0.5

    def parts(means: NDArray[np.float64]) -> NDArray[np.float64]:
        # The normal equations of c + A x = e with weights 1/e², x = 1 at the largest width.
        x, w = falling, means**-2
        squares, crossed, total = w @ (x * x), w @ x, w.sum(axis=-1)
        target, moved = (1 / means).sum(axis=-1), (1 / means) @ x
        constant, falls = target * squares - moved * crossed, total * moved - crossed * target
        last = constant + falls
        return np.asarray(np.divide(constant, last, out=np.full(last.shape, np.nan), where=last > 0))

    whole = parts(table.mean(axis=0, keepdims=True))
    if n < 2:
        return [float(value) for value in whole]
    without = parts((table.sum(axis=0) - table) / (n - 1))
    return [float(value) for value in n * whole - (n - 1) * without]


def mean_tail(mean: float, expected: float, count: int) -> float:
    """Bound the probability that the mean of independent numbers in [0, 1] is so large.

    exp(−n KL(x ‖ δ)) for a mean x above δ, the expectation or a bound of it; 1 below (Chernoff, Hoeffding).
    """
    if mean <= expected:
        return 1.0
    divergence = special.rel_entr(mean, expected) + special.rel_entr(1 - mean, 1 - expected)
    return float(np.exp(-count * divergence))
