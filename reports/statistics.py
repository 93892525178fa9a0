"""Means, spreads, intervals and slopes over seeds: everything the verdicts rest on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
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


def mean_tail(mean: float, expected: float, count: int) -> float:
    """Bound the probability that the mean of independent numbers in [0, 1] is so large.

    exp(−n KL(x ‖ δ)) for a mean x above δ, the expectation or a bound of it; 1 below (Chernoff, Hoeffding).
    """
    if mean <= expected:
        return 1.0
    divergence = special.rel_entr(mean, expected) + special.rel_entr(1 - mean, 1 - expected)
    return float(np.exp(-count * divergence))
