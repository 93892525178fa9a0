"""Intervals that the comparison of published with measured shares rests on."""

import math
from collections.abc import Sequence

from scipy import stats

from reports.judging import spread_of


def wilson(share: float, count: int, z: float) -> tuple[float, float]:
    """Return Wilson's interval of a probability from a share of `count` draws, z deviations each way.

    Parameters
    ----------
    share : float
        Cut to [0, 1].
    count : int, at least 1
    z : float, positive

    Returns
    -------
    pair of float
    """
    share = min(max(share, 0.0), 1.0)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return middle - half, middle + half


def difference(ours: Sequence[float], counts: tuple[int, int], published: float, tail: float) -> float:
    """Return how far the mean of our seeds less the published value may be from that of the expectations.

    The published value is one more seed: its deviation from its expectation is taken as large as that of
    ours, by Student's t for the mean and one more value, or as Wilson's intervals of both where those are
    wider, as of seeds that all agree.

    Parameters
    ----------
    ours : sequence of float, at least 2
        Accuracies, one a seed.
    counts : (int, int)
        Samples of all our seeds, and of the published one.
    published : float
    tail : float in (0, 1)
        Probability of more, each way.

    Returns
    -------
    float
    """
    n, mean = len(ours), math.fsum(ours) / len(ours)
    student = float(stats.t.isf(tail, n - 1)) * spread_of(ours) * math.sqrt(1 + 1 / n)
    z = float(stats.norm.isf(tail / 2))
    binomial = 0.0
    for share, count in zip((mean, published), counts, strict=True):
        low, high = wilson(share, count, z)
        binomial += max(share - low, high - share)
    return max(student, binomial)
