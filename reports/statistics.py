"""Means, spreads, intervals and slopes over seeds: everything the verdicts rest on."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Generic

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from empirics.record import Count, Record, T_co
from reports.verdicts import MISSED

if TYPE_CHECKING:
    from empirics.campaigns import Reading

CONFIDENCE = 1 - MISSED  # of every interval in a report
_ROUNDING = 1e-11  # of shares, cosines, slopes: seeds that agree to this differ by rounding alone
_CELLS = 100  # a scatter is drawn to 1/_CELLS, pairs that fall together as one


class Summary(Record, Generic[T_co], frozen=True):
    """A quantity over independent seeds; numbers are floats, or what is left of them in the results.

    Attributes
    ----------
    mean, sd : float
        Sample mean and sample standard deviation (n − 1).
    low, high : float
        Student's t interval for the mean, 95 %; infinite for n = 1, NaN if a value is NaN.
    n : int
        Number of seeds.
    """

    mean: T_co
    sd: T_co
    low: T_co
    high: T_co
    n: Count


def summarise(values: Sequence[float | None]) -> Summary[float]:
    """Return mean, spread and interval of one value a seed; what is None is not known, as NaN."""
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    mean = float(array.mean())
    if n < 2:
        reach = math.nan if math.isnan(mean) else math.inf
        return Summary(mean, 0.0, -reach, reach, n)
    sd = float(array.std(ddof=1))
    half = float(special.stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * sd / math.sqrt(n)
    return Summary(mean, sd, mean - half, mean + half, n)


def rates(widths: Sequence[int], errors: Sequence[Sequence[float]]) -> Summary[float]:
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


def jackknife_square(differences: NDArray[np.float64]) -> list[float]:
    """Return a value a seed whose mean is the mean over rows of the squared expectation, without its noise.

    The mean over rows and pairs of seeds s ≠ t of d_s d_t is unbiased also where rows share what seeds draw;
    the values are those of its jackknife, n U − (n − 1) U₋ₛ.

    Parameters
    ----------
    differences : array, shape (rows, n)
        Of n ≥ 3 seeds; with fewer there are no values.

    Examples
    --------
    >>> np.round(jackknife_square(np.array([[0.1, 0.1, 0.1], [0.3, 0.3, 0.3]])), 12)
    array([0.05, 0.05, 0.05])
    """
    n = differences.shape[1]
    if n < 3:
        return []
    total, squares = differences.sum(axis=1, keepdims=True), (differences**2).sum(axis=1, keepdims=True)
    whole = np.mean(total**2 - squares) / (n * (n - 1))
    left, rest = total - differences, squares - differences**2
    without = np.mean(left**2 - rest, axis=0) / ((n - 1) * (n - 2))
    return [float(value) for value in n * whole - (n - 1) * without]


def jackknife(values: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], float]) -> list[float]:
    """Return the values n φ − (n − 1) φ₋ₛ of the jackknife, φ a function of means over seeds.

    Parameters
    ----------
    values : array, shape (k, n, ...)
        Of n ≥ 2 seeds.
    statistic : callable
        Takes means over seeds, shape (k, ...).

    Examples
    --------
    >>> jackknife(np.array([[1.0, 2.0, 6.0]]), lambda means: float(means[0]))
    [1.0, 2.0, 6.0]
    """
    n, total = values.shape[1], values.sum(axis=1)
    whole = statistic(total / n)
    return [n * whole - (n - 1) * statistic((total - values[:, s]) / (n - 1)) for s in range(n)]


def mean_tail(mean: float, expected: float, count: int) -> float:
    """Bound the probability that the mean of independent numbers in [0, 1] is so large.

    exp(−n KL(x ‖ δ)) for a mean x above δ, the expectation or a bound of it; 1 below (Chernoff, Hoeffding).
    """
    if mean <= expected:
        return 1.0
    divergence = special.rel_entr(mean, expected) + special.rel_entr(1 - mean, 1 - expected)
    return float(np.exp(-count * divergence))


def spread_of(values: Sequence[float]) -> float:
    """Return the sample deviation; exactly 0 where values differ by rounding alone."""
    n = len(values)
    mean = math.fsum(values) / n
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return 0.0 if sd <= _ROUNDING * max(1.0, *map(abs, values)) else sd


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, None of nothing."""
    return sum(values) / len(values) if values else None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One value a seed with its spread, beside a published value.

    Attributes
    ----------
    values : dict from seed to float
    sd : float or None
        Of a sample, None for one value.
    published, error : float or None
        A value that was read off, and its reading error, which is known also where the value is not.
    inside : bool or None
        Whether [published − error, published + error] meets [min, max]; None where one of them is not known,
        or the published value is about other data.
    """

    values: dict[int, float]
    n: int
    mean: float | None = None
    sd: float | None = None
    min: float | None = None
    max: float | None = None
    published: float | None = None
    error: float | None = None
    inside: bool | None = None

    @classmethod
    def of(
        cls, values: dict[int, float], reading: "Reading | None" = None, *, foreign: bool = False
    ) -> "Spread":
        """Return the spread of values by seed; a reading is not compared where it is of `foreign` data."""
        array, inside = np.array(list(values.values())), None
        low, high = (float(array.min()), float(array.max())) if array.size else (None, None)
        if reading is not None and reading.value is not None and low is not None and high is not None:
            inside = reading.value - reading.error <= high and reading.value + reading.error >= low
        return cls(
            values=values,
            n=len(array),
            mean=float(array.mean()) if array.size else None,
            sd=float(array.std(ddof=1)) if array.size > 1 else None,
            min=low,
            max=high,
            published=None if reading is None else reading.value,
            error=None if reading is None else reading.error,
            inside=None if foreign else inside,
        )


class Within(msgspec.Struct, frozen=True, kw_only=True):
    """How many published values lie within the ranges of our seeds, see `like_one_more_seed`."""

    count: int  # of values that can be compared
    inside: int
    expected: float  # at least
    p_value: float | None  # None without a value
    not_compared: int  # published points without a value of one of the two


def like_one_more_seed(cells: Iterable[Spread]) -> Within:
    """Compare published values with the ranges of our seeds as if each were one more seed.

    One more independent value of the same distribution lies within the range of n with probability at least
    (n − 1)/(n + 1), more with ties and with a reading error.  ``p_value`` is P(B ≤ inside) for a sum B of
    independent such events: small where published values leave our ranges more often than one more seed
    would.  Points share seeds, so they are not independent, and the p-value is a guide,
    no test of known size.
    """
    read = [cell for cell in cells if cell.error is not None]
    chances = [(cell.n - 1) / (cell.n + 1) for cell in read if cell.inside is not None]
    inside = sum(cell.inside is True for cell in read)
    return Within(
        count=len(chances),
        inside=inside,
        expected=sum(chances),
        p_value=float(stats.poisson_binom.cdf(inside, chances)) if chances else None,
        not_compared=len(read) - len(chances),
    )


def rank_correlation(xs: Sequence[float], values: Sequence[float]) -> float:
    """Return Spearman's rank correlation; 0 where one side is constant, which is no trend.

    Parameters
    ----------
    xs, values : sequence of float, at least 2
    """
    if len(set(xs)) < 2 or len(set(values)) < 2:
        return 0.0
    return float(stats.spearmanr(xs, values).statistic)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How well numbers are predicted, see `comparison`."""

    n: int = 0
    correlation: float | None = None  # Pearson's; None for fewer than three pairs or a constant column
    mean_error: float | None = None  # absolute; None without a pair
    scatter: tuple[tuple[float, float, int], ...] = ()  # pairs to 1/100 and their numbers


def comparison(pairs: Sequence[tuple[float, float]]) -> Comparison:
    """Compare predicted with measured numbers, all finite."""
    predicted, measured = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    n = len(predicted)
    varies = n > 2 and np.ptp(predicted) > 0 and np.ptp(measured) > 0
    cells = Counter((round(p * _CELLS) / _CELLS, round(q * _CELLS) / _CELLS) for p, q in pairs)
    return Comparison(
        n=n,
        # Clipped, as rounding can leave [−1, 1] by an ulp.
        correlation=float(np.clip(np.corrcoef(predicted, measured)[0, 1], -1, 1)) if varies else None,
        mean_error=float(np.abs(predicted - measured).mean()) if n else None,
        scatter=tuple((p, q, count) for (p, q), count in sorted(cells.items())),
    )


def wilson(share: float, count: int, z: float) -> tuple[float, float]:
    """Return Wilson's interval of a probability from a share of `count` draws, z deviations each way.

    That of `scipy.stats` takes whole numbers of draws; shares that are read off a figure are none.

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
