"""What an inequality about trained networks is, and when measurements violate it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from empirics.falsify.instance import Instance
from theory.validation import Array, check_integer, check_probability, check_slope

# Parameters of the networks that are trained at once: 32 MiB in float64.
_BLOCK = 1 << 22

# (instance, generator, n) → n measured values, one an initialisation, and the bound (one, or one for each).
Measure = Callable[[Instance, np.random.Generator, int], tuple[ArrayLike, ArrayLike]]


def as_is(instance: Instance) -> Instance:
    """Return the instance: the repair of an inequality without hypotheses."""
    return instance


@dataclass(frozen=True, kw_only=True)
class Inequality:
    """A statement about networks trained from random initialisations, in a form that can be refuted.

    Two kinds.  Without `delta` it is about the mean over initialisations, |E measured| ≤ E bound, and is
    violated where the lower confidence limit of |mean| − bound is above 0: valid at every n with a `support`,
    otherwise Student's t, which supposes that the mean of n values is nearly normal.  With `delta` it is
    P(|measured| > bound) ≤ δ, and is violated where the lower Clopper–Pearson limit of that probability is
    above δ; δ = 0 means always.

    Attributes
    ----------
    name, statement : str
        A short name, and the inequality with its hypotheses.
    measure : callable
        (instance, rng, n) to n independent measured values and the bound.
    delta : float in [0, 1), optional
    support : (float, float), optional
        An interval in which what is measured always lies, for a mean with a bound that is not random.
    num_initialisations : int
        n of a claim, at least 16; the search and the shrinking take a quarter of it a candidate.
    repair : callable
        Moves an instance to where the hypotheses hold (norms, width, steps).
    recipe : str, optional
        Python expression that makes this inequality, after ``from empirics.falsify import …`` of the name
        before its first bracket.  Without it no counter-example file can be written.

    Raises
    ------
    ValueError
        On construction, if a number is out of range.
    """

    name: str
    statement: str
    measure: Measure
    delta: float | None = None
    support: tuple[float, float] | None = None
    num_initialisations: int = 400
    repair: Callable[[Instance], Instance] = as_is
    recipe: str | None = None

    def __post_init__(self) -> None:
        if self.delta is not None:
            check_slope("delta", self.delta)
        if self.support is not None and not self.support[0] < self.support[1]:
            msg = f"support must be an interval (low, high) with low < high, got {self.support}"
            raise ValueError(msg)
        check_integer("num_initialisations", self.num_initialisations, minimum=16)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """An inequality measured at an instance over n initialisations.

    Attributes
    ----------
    measured, bound, excess : float
        Mean over initialisations of what was measured and of the bound, and |measured| − bound; with δ the
        initialisation at the (1 − δ)-quantile of |measured| − bound.
    lower : float
        Lower confidence limit of the excess of the mean; with δ of P(|measured| > bound) − δ.
    crossed, n : int
        Initialisations with |measured| > bound, and all.
    seed : int
        Of the generator.
    error_probability : float
        That `lower` is above the true value.
    """

    measured: float
    bound: float
    excess: float
    lower: float
    crossed: int
    n: int
    seed: int
    error_probability: float

    @property
    def violated(self) -> bool:
        """Whether the lower limit is above 0; never where a value was not finite (it is NaN then)."""
        return self.lower > 0


def measure(
    inequality: Inequality,
    instance: Instance,
    *,
    num_initialisations: int,
    seed: int,
    error_probability: float,
) -> Measurement:
    """Measure an inequality at an instance over independent initialisations.

    Parameters
    ----------
    inequality : Inequality
    instance : Instance
    num_initialisations : int
        n ≥ 2.
    seed : int
        Of the generator, ≥ 0.
    error_probability : float in (0, 1)
        Of a lower limit above the true value.

    Returns
    -------
    Measurement
        With NaN for `excess` and `lower` if a value was not finite, or outside the support.

    Raises
    ------
    ValueError
        If an argument is out of range.
    FloatingPointError
        If training diverged.

    Notes
    -----
    The limit for a probability is that of Clopper and Pearson, the one for a mean with a support
    {p: n KL(mean ‖ p) = log(2/error_probability)} below the mean, from Hoeffding (1963), Theorem 1: both are
    valid at every n.  Student's t is not: where nearly all values are equal and rare ones far away, it claims
    too much; where all are equal it claims nothing here.
    """
    n = check_integer("num_initialisations", num_initialisations, minimum=2)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    alpha = check_probability("error_probability", error_probability)
    # Depends on the instance alone, so that a seed gives the same networks everywhere.
    part = max(1, _BLOCK // (instance.width * (instance.dim + instance.N + 1)))
    pieces = []
    for start in range(0, n, part):
        count = min(part, n - start)
        values, bound = inequality.measure(instance, rng, count)
        pieces.append(np.broadcast_arrays(np.broadcast_to(values, count), bound))
    measured, limits = (np.concatenate(rows).astype(np.float64) for rows in zip(*pieces, strict=True))
    excesses = np.abs(measured) - limits
    crossed = int(np.sum(excesses > 0))
    if inequality.delta is None:
        mean, bound = float(measured.mean()), float(limits.mean())
        signed = math.copysign(1.0, mean) * measured - limits
        excess = float(signed.mean())
        # Two-sided, as the sign is chosen by the data.
        if inequality.support is not None:
            lower = _smallest_mean(measured, inequality.support, alpha / 2) - bound
        elif np.ptp(signed) > 0:
            quantile = float(special.stdtrit(n - 1, 1 - alpha / 2))
            lower = excess - quantile * float(signed.std(ddof=1)) / math.sqrt(n)
        else:
            lower = -math.inf
    else:
        rank = min(n - 1, math.ceil((1 - inequality.delta) * n) - 1)
        # NaN sorts last: the check below sees it.
        typical = np.argsort(excesses)[rank]
        mean, bound, excess = (float(array[typical]) for array in (measured, limits, excesses))
        share = float(special.betaincinv(crossed, n - crossed + 1, alpha)) if crossed else 0.0
        lower = share - inequality.delta
    if math.isnan(lower) or not (np.isfinite(measured).all() and np.isfinite(limits).all()):
        excess = lower = math.nan
    return Measurement(
        measured=mean,
        bound=float(bound),
        excess=excess,
        lower=lower,
        crossed=crossed,
        n=n,
        seed=seed,
        error_probability=alpha,
    )


def _smallest_mean(values: Array, support: tuple[float, float], error_probability: float) -> float:
    """Return the lower confidence limit of |E value|, on the side of the sample mean."""
    low, high = support
    if values.mean() < 0:
        values, low, high = -values, -high, -low
    if not low <= values.min() <= values.max() <= high:
        return math.nan
    share = float((values.mean() - low) / (high - low))
    reach = -math.log(error_probability) / len(values)
    below, above = 0.0, share
    # KL(share ‖ p) falls in p up to the share; 60 halvings leave nothing of a unit interval in float64.
    for _ in range(60):
        p = (below + above) / 2
        far = special.rel_entr(share, p) + special.rel_entr(1 - share, 1 - p) > reach
        below, above = (p, above) if far else (below, p)
    return low + (high - low) * below


def describe(inequality: Inequality, result: Measurement) -> list[str]:
    """Return the lines in which a measurement is printed.

    Parameters
    ----------
    inequality : Inequality
    result : Measurement

    Returns
    -------
    list of str
    """
    what = "the mean excess" if inequality.delta is None else f"P(crossed) − {inequality.delta:g}"
    return [
        f"measured {result.measured:+.6g}",
        f"bound    {result.bound:.6g}",
        f"excess   {result.excess:+.6g}",
        f"lower limit of {what}: {result.lower:+.6g} (error probability {result.error_probability:g})",
        f"{result.crossed} of {result.n} initialisations beyond the bound; seed {result.seed}",
    ]
