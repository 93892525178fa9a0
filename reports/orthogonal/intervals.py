"""Intervals that the claims of nearly orthogonal samples rest on: over seeds, and of a published share."""

import math
from collections.abc import Sequence

from scipy import stats

from reports.verdicts import FALSE_ALARM


def over_seeds(
    values: Sequence[float], *, least_sd: float = 0.0, error_probability: float = FALSE_ALARM
) -> tuple[float | None, float | None]:
    """Return the t interval of a mean over seeds, which are independent (the points of one seed are not).

    Parameters
    ----------
    values : sequence of float
        One a seed.
    least_sd : float
        Of the deviation, which takes its place where it is smaller: seeds that happen to agree, as a few
        shares of few samples do, would else have an interval without a length.
    error_probability : float in (0, 1)
        Of both sides together, for normal values.

    Returns
    -------
    pair of float or None
        None without two seeds.
    """
    n = len(values)
    if n < 2:
        return None, None
    mean = math.fsum(values) / n
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    room = float(stats.t.isf(error_probability / 2, n - 1)) * max(sd, least_sd) / math.sqrt(n)
    return mean - room, mean + room


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


def apart(ours: tuple[float, float], published: tuple[float, float], error: float) -> bool:
    """Return whether two intervals of a share are apart by more than a reading error."""
    return ours[0] > published[1] + error or ours[1] < published[0] - error


def room(ours: tuple[float, float], published: tuple[float, float], error: float) -> float:
    """Return the largest difference of two shares that lie in their intervals, cut to [0, 1]."""
    low, high = max(ours[0], 0.0), min(ours[1], 1.0)
    start, end = max(published[0] - error, 0.0), min(published[1] + error, 1.0)
    return max(end - low, high - start)
