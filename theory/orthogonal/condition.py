"""Are the samples nearly orthogonal?  The published condition, a weaker one, and both after perturbation.

Sizes of a set: R_min, R_max the extreme norms, p = max_{n≠k} |⟨x_n, x_k⟩|, and
κ = max_n Σ_{k≠n} |⟨x_n, x_k⟩|/‖x_k‖², infinite with a zero row.  With one sample p = κ = 0.  Each condition
implies that every stationary point of the max-margin problem is the limit network of
`theory.orthogonal.multipliers`.  Derivation 15, steps 3 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from theory.orthogonal.gram import EPS, TINY, check_open_slope, scaled_rows
from theory.validation import Array, as_points, data_by_keyword
from theory.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Lower and upper limits of the quantities of one set of samples.

    Attributes
    ----------
    R_min, R_max, p_max, row_sum : tuple of float
        Limits of R_min, R_max, p and κ.
    inner_sum : float
        Upper limit of q = max_n Σ_{k≠n} |⟨x_n, x_k⟩|.
    computed : tuple of float, optional
        The four as computed, where they are those of samples in hand.
    """

    R_min: tuple[float, float]
    R_max: tuple[float, float]
    p_max: tuple[float, float]
    row_sum: tuple[float, float]
    inner_sum: float
    computed: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Orthogonality:
    """Both conditions with their quantities.

    Attributes
    ----------
    lhs, rhs : float
        Published: γ³R_min⁴/(3N R_max²) > p.
    verdict : Verdict
        Of the published condition.  Rounding is taken into account; what is not finite is unknown.
    row_lhs, row_rhs : float
        Derived: γ(1 + γ²)/(1 + 2γ + 3γ²) > κ.
    row_verdict : Verdict
        Of the derived condition, which the published one implies.
    R_min, R_max, p_max, row_sum : float
        For a perturbed set the limits that are worst for the condition.
    N : int
    delta : float
        Probability that the sizes are beyond these limits; 0 unless the samples are yet to be drawn.
    """

    lhs: float
    rhs: float
    verdict: Verdict
    row_lhs: float
    row_rhs: float
    row_verdict: Verdict
    R_min: float
    R_max: float
    p_max: float
    row_sum: float
    N: int
    delta: float = 0.0


def published_lhs(R_min: float, R_max: float, N: int, slope: float) -> float:
    """Return γ³R_min⁴/(3N R_max²) for R_max ≥ 0; infinite on overflow and for R_max = 0."""
    if min(R_min, R_max) <= 0:
        return 0.0 if R_min <= 0 else float("inf")
    ratio = R_min / R_max
    return slope * slope * slope * (ratio * ratio) * (R_min * R_min) / (3 * N)


def row_lhs(slope: float) -> float:
    """Return γ(1 + γ²)/(1 + 2γ + 3γ²)."""
    return slope * (1 + slope * slope) / (1 + 2 * slope + 3 * slope * slope)


@data_by_keyword
def orthogonality(X: ArrayLike, *, negative_slope: float) -> Orthogonality:
    """Evaluate the orthogonality conditions on the samples in hand.

    γ³R_min⁴/(3N R_max²) > p (published) and γ(1 + γ²)/(1 + 2γ + 3γ²) > κ (derived; the published one implies
    it; weaker by a factor near 3/γ² at small γ, and free of R_max).

    Parameters
    ----------
    X : array, shape (N, d)
        Zero rows and duplicates are allowed: with either both conditions fail (for one zero row, as 0 > 0).
    negative_slope : float in (0, 1)

    Returns
    -------
    Orthogonality
        With N = 1 both right sides are 0: one sample is orthogonal to the others.

    Raises
    ------
    ValueError
        If an entry is not finite or the slope is out of range.

    Notes
    -----
    Source: published (prior work, after Frei et al., ICLR 2023); `expressions.ORTHOGONALITY_LHS`,
    `expressions.ROW_SUM_LHS`; Derivation 15, steps 3 and 4.

    Examples
    --------
    >>> from theory.orthogonal import orthogonality
    >>> found = orthogonality([[2.0, 0.0], [0.0, 1.0]], negative_slope=0.5)
    >>> round(found.lhs, 4), found.rhs, found.verdict.value
    (0.0052, 0.0, 'holds')
    """
    X = as_points("X", X)
    slope = check_open_slope(negative_slope)
    return conclude(measured_sizes(X), len(X), slope)


def measured_sizes(X: Array) -> Sizes:
    """Return the sizes of `X` with limits for rounding."""
    rows = scaled_rows(X)
    scale = int(rows.exponents.max())
    blur = 1 + (X.shape[1] + len(X) + 16) * EPS
    with np.errstate(all="ignore"):  # what is not finite is unknown
        norms = np.linalg.norm(rows.points, axis=1)
        true_norms = np.ldexp(norms, rows.exponents)
        inner, error = np.abs(rows.gram), np.full_like(rows.gram, rows.error)
        np.fill_diagonal(inner, 0.0)
        np.fill_diagonal(error, 0.0)
        low, high = np.maximum(inner - error, 0.0), inner + error
        relative = np.ldexp(1.0, rows.exponents - scale)
        products, square = np.outer(relative, relative), np.ldexp(1.0, 2 * scale)
        ratios = np.ldexp(1.0, rows.exponents[:, None] - rows.exponents) / np.square(norms)

        def largest(values: Array) -> float:
            return float((values * products).max() * square)

        def relative_sum(values: Array) -> float:
            return float((values * ratios).sum(axis=1).max()) if norms.all() else float("inf")

        return Sizes(
            R_min=(float(true_norms.min()) / blur, float(true_norms.min()) * blur),
            R_max=(float(true_norms.max()) / blur, float(true_norms.max()) * blur),
            p_max=(largest(low) / blur, largest(high) * blur),
            row_sum=(relative_sum(low) / blur**3, relative_sum(high) * blur**3),
            inner_sum=float((high * products).sum(axis=1).max() * square) * blur,
            computed=(
                float(true_norms.min()),
                float(true_norms.max()),
                largest(inner),
                relative_sum(inner),
            ),
        )


def conclude(sizes: Sizes, N: int, slope: float, *, delta: float = 0.0) -> Orthogonality:
    """Return both conditions from limits of the sizes; it reports computed sizes, else the worst ones."""
    worst = (sizes.R_min[0], sizes.R_max[1], sizes.p_max[1], sizes.row_sum[1])
    R_min, R_max, p_max, row_sum = sizes.computed or worst
    if N == 1:
        p_max = row_sum = 0.0
    with np.errstate(all="ignore"):
        blur, zero = 1 + 32 * EPS, sizes.R_min[1] == 0  # a zero row: 0 > p fails, exactly
        published = [
            published_lhs(sizes.R_min[0], sizes.R_max[1], N, slope) / blur,
            published_lhs(sizes.R_min[1], sizes.R_max[0], N, slope) * blur,
        ]
        rows = [row_lhs(slope) / blur, row_lhs(slope) * blur]
        others = (sizes.p_max, sizes.row_sum) if N > 1 else ((0.0, 0.0), (0.0, 0.0))
        # A row that may be 0 may break the derived condition, whose left side does not know of norms.
        row_limits = others[1] if sizes.R_min[0] > 0 else (others[1][0], np.inf)
        return Orthogonality(
            lhs=published_lhs(R_min, R_max, N, slope),
            rhs=p_max,
            verdict=Verdict.FAILS if zero else _compare(published, others[0]),
            row_lhs=row_lhs(slope),
            row_rhs=row_sum,
            row_verdict=Verdict.FAILS if zero else _compare(rows, row_limits),
            R_min=R_min,
            R_max=R_max,
            p_max=p_max,
            row_sum=row_sum,
            N=N,
            delta=delta,
        )


def _compare(lhs: list[float], rhs: tuple[float, float]) -> Verdict:
    """Return whether lhs > rhs from limits of both sides; sizes below TINY may have underflowed."""
    if np.isfinite([lhs[0], rhs[1]]).all() and lhs[0] > rhs[1] + TINY:
        return Verdict.HOLDS
    if np.isfinite([lhs[1], rhs[0]]).all() and lhs[1] + TINY <= rhs[0]:
        return Verdict.FAILS
    return Verdict.UNKNOWN
