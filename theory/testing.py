"""For tests of the theory and of work built on it: hypothesis strategies, and an honest check of a bound.

The strategies draw data sets in the geometries that break things (duplicates, opposite points, norms of
1e±100), and settings.  `check_bound` compares how often a probabilistic bound is crossed with the δ that it
promises, and says *unknown* when the sample is too small to tell.

Needs hypothesis, which `theory` itself never imports: pip install '.[testing]' in the source folder.

A bound of one's own in a test of one's own
-------------------------------------------
pytest runs functions whose names begin with ``test_``, in files whose names do; here they are called.  What
is claimed of every data set hypothesis tries to refute, and shows the smallest set that does:

>>> import numpy as np
>>> import theory
>>> from hypothesis import given, settings
>>> from theory.testing import activations, check_bound, data_sets
>>> @settings(deadline=None)
... @given(data_sets(), activations())
... def test_phi_is_at_most_its_diagonal(data, slope):
...     X, y = data
...     assert (theory.phi(X, negative_slope=slope) <= (1 + slope**2) / 2 + 1e-15).all()
>>> test_phi_is_at_most_its_diagonal()

What may fail with probability δ is compared with independent realisations, here |f(z; 0)| ≤ σ(z)/√δ, which
is Chebyshev's inequality, and then |f(z; 0)| ≤ σ(z), which is false for δ = 0.1:

>>> def initial_output(rng, width=20):
...     W, b, a = rng.normal(size=(width, 2)), rng.normal(size=width), rng.normal(size=width)
...     return a @ np.maximum(W @ [3.0, 4.0] / 2**0.5 + b, 0) / width**0.5
>>> def test_initial_outputs_are_within_chebyshev():
...     bound = theory.initial_deviation([3.0, 4.0]) / 0.1**0.5
...     assert check_bound(bound, initial_output, delta=0.1, num_samples=500, seed=0).verdict == "holds"
>>> test_initial_outputs_are_within_chebyshev()
>>> too_small = theory.initial_deviation([3.0, 4.0])
>>> check_bound(too_small, initial_output, delta=0.1, num_samples=500, seed=0).verdict
'violated'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

if find_spec("hypothesis") is None:
    _msg = "theory.testing needs hypothesis: pip install '.[testing]' in the source folder"
    raise ImportError(_msg)

from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory.setting import LOSSES, SCENARIOS, Setting
from theory.validation import Array, as_real, check_choice, check_integer, check_probability, check_real

__all__ = [
    "GEOMETRIES",
    "NEAR",
    "BoundCheck",
    "activations",
    "check_bound",
    "data_sets",
    "orthogonal_sets",
    "settings",
]


def __dir__() -> list[str]:
    return __all__


Geometry = Literal[
    "generic",
    "duplicated",
    "collinear",
    "antipodal",
    "near-orthogonal",
    "clustered",
    "high-dimensional",
    "huge",
    "tiny",
    "mixed",
]
GEOMETRIES: tuple[Geometry, ...] = get_args(Geometry)
DataSet = tuple[Array, Array]
CheckVerdict = Literal["violated", "holds", "unknown"]

# Entries of ordinary points.
_ENTRIES = st.floats(-4, 4)
# Largest |cosine| between two rows of a near-orthogonal set, and largest relative radius of a cluster.
NEAR = 0.05
# Levels at which a check reports quantiles, besides 1 − δ.
_LEVELS = (0.5, 0.9, 0.99, 1.0)


# Strategies -------------------------------------------------------------------------------------------


def data_sets(
    geometries: Sequence[Geometry] = GEOMETRIES,
    *,
    min_samples: int = 1,
    max_samples: int = 8,
    min_dim: int = 1,
    max_dim: int = 6,
    max_exponent: int = 100,
) -> st.SearchStrategy[DataSet]:
    """Return a strategy for training sets (X, y), by geometry, each as often as any other.

    generic
        Any entries in [−4, 4], zero rows included.
    duplicated
        At least two equal rows (if `max_samples` ≥ 2), whose labels may differ.
    collinear
        All rows on one line through 0, on both sides of it.
    antipodal
        Rows ±x (both signs if `max_samples` ≥ 2) of norms from 1 to 10^e, e at most `max_exponent`.
    near-orthogonal
        |cos(x_n, x_k)| ≤ `NEAR` for n ≠ k; N is cut to d.
    clustered
        Rows within `NEAR` times its norm of one of at most three centres.
    high-dimensional
        Standard normal rows in d = 10 `max_dim`.
    huge, tiny, mixed
        Norms from 1 to 10^e, from 10^−e to 1, or either, row by row; e is `max_exponent`.

    Parameters
    ----------
    geometries : sequence of str
        Which of them; all by default.
    min_samples, max_samples : int
        Range of N, at least 1.
    min_dim, max_dim : int
        Range of d, at least 1.
    max_exponent : int
        e, from 1 to 150: beyond it an inner product overflows.

    Returns
    -------
    SearchStrategy of (array, shape (N, d), array, shape (N,))
        Points and labels −1 or +1, float64, finite.

    Raises
    ------
    ValueError
        If a geometry is unknown or none is given, or a range is empty.

    Examples
    --------
    >>> from hypothesis import find
    >>> from theory.testing import data_sets
    >>> X, y = find(data_sets(["duplicated"]), lambda data: len(data[0]) == 3)  # the simplest of three rows
    >>> X.shape, bool((X == X[0]).all())
    ((3, 1), True)
    """
    if not geometries:
        msg = "geometries must name at least one geometry, got none"
        raise ValueError(msg)
    for geometry in geometries:
        check_choice("geometry", geometry, GEOMETRIES)
    check_integer("min_samples", min_samples, minimum=1)
    check_integer("max_samples", max_samples, minimum=min_samples)
    check_integer("min_dim", min_dim, minimum=1)
    check_integer("max_dim", max_dim, minimum=min_dim)
    if check_integer("max_exponent", max_exponent, minimum=1) > 150:
        msg = f"max_exponent must be <= 150, got {max_exponent}"
        raise ValueError(msg)
    if min_samples > max_dim and set(geometries) == {"near-orthogonal"}:
        msg = f"near-orthogonal sets need N <= d, got min_samples = {min_samples} > max_dim = {max_dim}"
        raise ValueError(msg)

    @st.composite
    def draw_set(draw: st.DrawFn) -> DataSet:
        fitting = [g for g in geometries if g != "near-orthogonal" or min_samples <= max_dim]
        geometry = draw(st.sampled_from(fitting))
        pairs = geometry in {"antipodal", "duplicated"} and max_samples > 1
        N = draw(st.integers(max(min_samples, 2) if pairs else min_samples, max_samples))
        lowest = max(min_dim, min_samples) if geometry == "near-orthogonal" else min_dim
        dim = 10 * max_dim if geometry == "high-dimensional" else draw(st.integers(lowest, max_dim))
        X = _points(draw, geometry, N, dim, max_exponent)
        return X, draw(_arrays(len(X), elements=st.sampled_from([-1.0, 1.0])))

    return draw_set()


def orthogonal_sets(
    *,
    min_samples: int = 1,
    max_samples: int = 6,
    max_dim: int = 8,
    max_share: float = 1.0,
) -> st.SearchStrategy[tuple[Array, Array, float]]:
    """Return a strategy for nearly orthogonal training sets (X, y) and a slope γ.

    Rows n_k (q_k + η e_k) with orthonormal q_k, unit e_k, norms n_k within a factor of 2 of each other and
    η = a γ³ n_min⁴/(12 N n_max⁴), a up to `max_share`.  For a ≤ 1 the published condition of
    `theory.orthogonal.orthogonality` holds: |⟨x_n, x_k⟩| ≤ (2η + η²) n_max² ≤ 2.1 η n_max², and η ≤ 1/12.

    Parameters
    ----------
    min_samples, max_samples : int
        Range of N, at least 1.
    max_dim : int
        Largest d, at least `max_samples`.
    max_share : float
        Largest a, > 0; sets with a far above 1 are on both sides of the condition.

    Returns
    -------
    SearchStrategy of (array, shape (N, d), array, shape (N,), float)
        Points, labels −1 or +1 (one class alone included) and γ in [0.05, 0.99].

    Raises
    ------
    ValueError
        If a range is empty or `max_share` is not positive.

    Examples
    --------
    >>> from hypothesis import find
    >>> from theory.orthogonal import orthogonality
    >>> from theory.testing import orthogonal_sets
    >>> X, y, slope = find(orthogonal_sets(min_samples=2, max_samples=2), lambda data: True)
    >>> str(orthogonality(X, negative_slope=slope).verdict)
    'holds'
    """
    check_integer("min_samples", min_samples, minimum=1)
    check_integer("max_samples", max_samples, minimum=min_samples)
    check_integer("max_dim", max_dim, minimum=max_samples)
    largest = check_real("max_share", max_share, minimum=0, exclusive=True)

    @st.composite
    def draw_set(draw: st.DrawFn) -> tuple[Array, Array, float]:
        N = draw(st.integers(min_samples, max_samples))
        dim = draw(st.integers(N, max_dim))
        slope = draw(st.floats(0.05, 0.99))
        norms = draw(_arrays((N, 1), elements=st.floats(1, 2))) * 10 ** draw(st.floats(-3, 3))
        rows = _rotation(draw(st.integers(0, 2**32 - 1)), dim)[:N]
        share = draw(st.floats(0, largest))
        eta = share * slope**3 * float(norms.min() / norms.max()) ** 4 / (12 * N)
        X = norms * (rows + eta * draw(_directions(N, dim)))
        return np.asarray(X), draw(_arrays(N, elements=st.sampled_from([-1.0, 1.0]))), slope

    return draw_set()


def activations() -> st.SearchStrategy[float]:
    """Return a strategy for negative slopes γ in [0, 1): ReLU, common ones, the last float below 1, any.

    Examples
    --------
    >>> from hypothesis import find
    >>> from theory.testing import activations
    >>> 0.5 < find(activations(), lambda slope: slope > 0.5) < 1
    True
    """
    last = float(np.nextafter(1.0, 0.0))
    return st.sampled_from([0.0, 0.01, 0.1, 0.5, last]) | st.floats(0, 1, exclude_max=True)


def settings(**chosen: Any) -> st.SearchStrategy[Setting]:  # noqa: ANN401
    """Return a strategy for `theory.Setting`.

    Parameters
    ----------
    **chosen
        Fields of `Setting`, each a value or a strategy, in place of the default: d and N up to 50, widths
        up to 10⁶, ε from 1e-3 to 1e3, times from 0 to 1e3, any slope, scenario and loss.

    Returns
    -------
    SearchStrategy of Setting

    Raises
    ------
    TypeError
        If `Setting` has no such field.

    Examples
    --------
    >>> from hypothesis import find, strategies as st
    >>> from theory.testing import settings
    >>> found = find(settings(dim=3, N=st.integers(5, 7)), lambda setting: setting.N > 5)
    >>> found.dim, found.N
    (3, 6)
    """
    names = [field.name for field in fields(Setting)]
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        msg = f"settings takes the fields of Setting ({', '.join(names)}), got {unknown[0]!r}"
        raise TypeError(msg)
    times = st.just(0.0) | st.floats(1e-3, 1e3)
    parts: dict[str, st.SearchStrategy[Any]] = {
        "dim": st.integers(1, 50),
        "N": st.integers(1, 50),
        "width": st.integers(1, 10**6),
        "negative_slope": activations(),
        "epsilon": st.floats(1e-3, 1e3),
        "T_f": times,
        "T_g": times,
        "scenario": st.sampled_from(SCENARIOS),
        "loss": st.sampled_from(LOSSES),
    }
    for name, value in chosen.items():
        parts[name] = value if isinstance(value, st.SearchStrategy) else st.just(value)
    return st.builds(Setting, **parts)


def _points(draw: st.DrawFn, geometry: Geometry, N: int, dim: int, max_exponent: int) -> Array:  # noqa: PLR0911
    match geometry:
        case "generic":
            return draw(_arrays((N, dim)))
        case "duplicated":
            distinct = draw(_arrays((max(1, draw(st.integers(1, max(1, N - 1)))), dim)))
            return distinct[draw(_indices(N, len(distinct)))]
        case "collinear":
            return np.asarray(draw(_arrays((N, 1))) * draw(_directions(1, dim)))
        case "antipodal":
            signs = np.resize([1.0, -1.0], (N, 1)) * draw(st.sampled_from([1.0, -1.0]))
            exponents = draw(_arrays((N, 1), elements=st.just(max_exponent) | st.floats(0, max_exponent)))
            return np.asarray(signs * 10**exponents * draw(_directions(1, dim)))
        case "high-dimensional":
            return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).standard_normal((N, dim))
        case "near-orthogonal":
            N = min(N, dim)
            norms = draw(_arrays((N, 1), elements=st.floats(0.25, 4)))
            # Orthonormal rows, each moved by at most η: |cos| ≤ (2η + η²)/(1 − η)², below 3η for small η.
            noise = draw(_directions(N, dim)) * draw(st.floats(0, NEAR / 3))
            rows = _rotation(draw(st.integers(0, 2**32 - 1)), dim)[:N]
            return np.asarray(norms * (rows + noise))
        case "clustered":
            centres = draw(_arrays((draw(st.integers(1, min(3, N))), dim)))
            rows = centres[draw(_indices(N, len(centres)))]
            radii = np.linalg.norm(rows, axis=1, keepdims=True) * draw(st.floats(0, NEAR))
            return np.asarray(rows + radii * draw(_directions(N, dim)))
        case _:
            low = 0 if geometry == "huge" else -max_exponent
            high = 0 if geometry == "tiny" else max_exponent
            exponents = draw(_arrays((N, 1), elements=st.floats(low, high)))
            return np.asarray(10**exponents * draw(_directions(N, dim)))


def _arrays(
    shape: int | tuple[int, ...], *, elements: st.SearchStrategy[float] = _ENTRIES
) -> st.SearchStrategy[Array]:
    return hnp.arrays(np.float64, shape, elements=elements)


def _indices(count: int, high: int) -> st.SearchStrategy[NDArray[np.int64]]:
    return hnp.arrays(np.int64, count, elements=st.integers(0, high - 1))


def _directions(count: int, dim: int) -> st.SearchStrategy[Array]:
    """Draw unit rows; one that is nearly 0 becomes about the first axis."""

    def normalise(rows: Array) -> Array:
        rows = rows.copy()
        rows[np.abs(rows).max(axis=1) < 1e-3, 0] = 1.0
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    return _arrays((count, dim)).map(normalise)


def _rotation(seed: int, dim: int) -> Array:
    return np.asarray(np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0])


# Probabilistic bounds ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BoundCheck:
    """What a sample says of a bound that should be crossed with probability at most δ.

    Attributes
    ----------
    verdict : {"violated", "holds", "unknown"}
        "violated": `lower` > δ; "holds": `upper` ≤ δ; otherwise the sample does not decide.
    reason : str
        The comparison, or what was wrong with the sample.
    violations : int
        Realisations with |quantity| > bound, at the point where there are most.
    num_samples : int
        Realisations drawn, n.
    num_points : int
        Points tested, each for itself; 1 if the sampler gives numbers or the check is simultaneous.
    lower, upper : float
        Clopper–Pearson interval for the probability to cross at that point; NaN if a number was.
    delta, error_probability : float
        δ, and the probability that an interval misses its value, over all points together.
    seed : int
    ratios : mapping of float to float
        Level p to the p-quantile of |quantity|/bound, the largest over the points.  At 1 − δ a bound
        that is sharp has 1, one that is ten times too large 0.1.
    """

    verdict: CheckVerdict
    reason: str
    violations: int
    num_samples: int
    num_points: int
    lower: float
    upper: float
    delta: float
    error_probability: float
    seed: int
    ratios: Mapping[float, float]


def check_bound(
    bound: ArrayLike,
    sampler: Callable[[np.random.Generator], ArrayLike],
    *,
    delta: float,
    num_samples: int,
    error_probability: float = 1e-6,
    seed: int,
    simultaneous: bool = False,
) -> BoundCheck:
    """Test whether |quantity| ≤ bound with probability at least 1 − δ, from independent realisations.

    Violations are counted at each point; the exact (Clopper–Pearson) interval of their probability,
    [I⁻¹(k, n − k + 1; β), 1 − I⁻¹(n − k, k + 1; β)] with β = error_probability/(2 · points) and I the
    regularised incomplete beta function, is compared with δ.  Points of one realisation may depend on each
    other in any way: each is tested for itself and the error probability is shared between them.

    Parameters
    ----------
    bound : array
        ≥ 0, broadcast against a realisation; infinity is a bound, a vacuous one.  For a bound that is
        random itself, sample quantity/bound and pass 1.
    sampler : callable
        Draws one realisation from a generator: a number, or an array with a value for each of many points,
        of one shape throughout.
    delta : float in (0, 1)
        δ, the probability of a violation that the bound allows at a point.
    num_samples : int
        n ≥ 1 realisations.  "holds" needs n ≥ log β/log(1 − δ), even without a violation.
    error_probability : float in (0, 1)
        Of a verdict "violated" or "holds" that is wrong: at most half of it for each.
    seed : int
        Of the generator, ≥ 0.
    simultaneous : bool
        Count a realisation once if any of its points is beyond its bound: for bounds that claim to
        hold at all points together with probability 1 − δ.

    Returns
    -------
    BoundCheck
        "unknown" with the reason if the bound is NaN or a realisation is not finite: it never holds then.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, the bound is negative, or realisations differ in shape.

    Notes
    -----
    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).  The interval is exact at every n.

    Examples
    --------
    >>> from theory.testing import check_bound
    >>> check = check_bound(2.0, lambda rng: rng.normal(), delta=0.1, num_samples=1000, seed=0)
    >>> check.verdict, check.lower < 0.0455 < check.upper  # the probability beyond two deviations
    ('holds', True)
    """
    delta = check_probability("delta", delta)
    error_probability = check_probability("error_probability", error_probability)
    check_integer("num_samples", num_samples, minimum=1)
    check_integer("seed", seed, minimum=0)
    limit = as_real("bound", bound, finite=False)
    if (limit < 0).any():
        msg = f"bound must be >= 0, got {limit[limit < 0].flat[0]:g}"
        raise ValueError(msg)
    sample = np.abs(_realisations(sampler, np.random.default_rng(seed), num_samples))
    try:
        limit = np.broadcast_to(limit, sample.shape[1:])
    except ValueError as error:
        msg = f"bound must broadcast to the shape of a realisation, {sample.shape[1:]}, got {limit.shape}"
        raise ValueError(msg) from error
    sample, limit = sample.reshape(num_samples, -1), limit.reshape(-1)
    if not limit.size:
        msg = "sampler must give at least one value, got an empty array"
        raise ValueError(msg)

    crossed = np.asarray(sample > limit)
    if simultaneous:
        crossed = np.asarray(crossed.any(axis=1, keepdims=True))
    counts = crossed.sum(axis=0)
    k, points = int(counts.max()), len(counts)
    tail = error_probability / (2 * points)
    lower = float(special.betaincinv(k, num_samples - k + 1, tail)) if k else 0.0
    upper = float(special.betainccinv(k + 1, num_samples - k, tail)) if k < num_samples else 1.0
    ratios = _quantile_ratios(sample, limit, delta)

    verdict: CheckVerdict = "unknown"
    if np.isnan(limit).any():
        reason, lower, upper = "the bound is NaN", np.nan, np.nan
    elif not np.isfinite(sample).all():
        bad = int((~np.isfinite(sample)).any(axis=1).sum())
        reason, lower, upper = f"{bad} of {num_samples} realisations are not finite", np.nan, np.nan
    elif lower > delta:
        verdict, reason = "violated", f"the lower limit {lower:.3g} is above δ = {delta:g}"
    elif upper <= delta:
        verdict, reason = "holds", f"the upper limit {upper:.3g} is at most δ = {delta:g}"
    else:
        reason = f"δ = {delta:g} lies in the interval [{lower:.3g}, {upper:.3g}]"
        needed = int(np.ceil(np.log(tail) / np.log1p(-delta)))
        if num_samples < needed:
            reason += f"; {num_samples} realisations cannot show that it holds, {needed} could"
    return BoundCheck(
        verdict=verdict,
        reason=reason,
        violations=k,
        num_samples=num_samples,
        num_points=points,
        lower=lower,
        upper=upper,
        delta=delta,
        error_probability=error_probability,
        seed=seed,
        ratios=ratios,
    )


def _realisations(
    sampler: Callable[[np.random.Generator], ArrayLike], rng: np.random.Generator, count: int
) -> Array:
    """Return `count` realisations along the first axis."""
    first = as_real("sampler", sampler(rng), finite=False)
    sample = np.empty((count, *first.shape))
    sample[0] = first
    for i in range(1, count):
        value = as_real("sampler", sampler(rng), finite=False)
        if value.shape != first.shape:
            msg = f"sampler must give one shape throughout, got {first.shape} and {value.shape}"
            raise ValueError(msg)
        sample[i] = value
    return sample


def _quantile_ratios(sample: Array, limit: Array, delta: float) -> Mapping[float, float]:
    """Return quantiles of sample/limit, the largest over points; 0/0, a bound attained, counts as 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where((sample == 0) & (limit == 0), 1.0, sample / limit)
    levels = sorted({*_LEVELS, 1 - delta})
    # "higher" is a value of the sample: no interpolation, which makes NaN of two infinities.
    quantiles = np.quantile(ratios, levels, axis=0, method="higher").max(axis=1)
    return MappingProxyType(dict(zip(levels, quantiles.tolist(), strict=True)))
