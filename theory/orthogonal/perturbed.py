"""Orthogonality of perturbed samples, from the clean ones or from the law of noise that is not yet drawn."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from theory.orthogonal.condition import Orthogonality, Sizes, conclude, measured_sizes
from theory.orthogonal.gram import EPS, TINY, check_open_slope, row_norms
from theory.orthogonal.perturbations import Norm, unit_step
from theory.validation import (
    Array,
    as_points,
    check_choice,
    check_integer,
    check_probability,
    data_by_keyword,
)

Distribution = Literal["uniform", "gaussian"]
DISTRIBUTIONS = ("uniform", "gaussian")


@data_by_keyword
def perturbed_orthogonality(
    base: ArrayLike,
    *,
    negative_slope: float,
    epsilon: float,
    norm: Norm = "L2",
    direction: ArrayLike | None = None,
    amplitude: float = 1.0,
) -> Orthogonality:
    """Evaluate the conditions on perturbed samples before the target labels are drawn.

    Without a direction, for every r_n with ‖r_n‖ ≤ ρ::

        R'_max ≤ R_max + ρ,  R'_min ≥ R_min − ρ,  p' ≤ p + 2ρR_max + ρ²,  q' ≤ q + (N−1)(2ρR_max + ρ²),
        q = max_n Σ_{k≠n} |⟨x_n, x_k⟩|.

    With a direction, for x_n + t_n ρ e, all t_n = ±1, h = max_n |⟨x_n, e⟩|, H = Σ_n |⟨x_n, e⟩|::

        R'² within R² ± 2ρh + ρ²,  |p' − p| ≤ 2ρh + ρ²,  p' ≥ ρ² − 2ρh − p,
        q' ≤ q + max_n Σ_{k≠n} ρ(|⟨x_n, e⟩| + |⟨x_k, e⟩|) + (N−1)ρ².

    Then κ' ≤ q'/R'_min² and κ' ≥ p'/R'_max².
    The condition *holds* if it does in the worst case, *fails* if it does in the best, else it is unknown:
    then `orthogonality` of the perturbed samples in hand decides.

    Parameters
    ----------
    base : array, shape (N, d)
    negative_slope : float in (0, 1)
    epsilon, norm, amplitude
        As in `limit_perturbations`; without a direction ρ is ε (L2), ε√d (Linf), A√⌈εd⌉ (L0).
    direction : array, shape (d,), optional
        s.

    Returns
    -------
    Orthogonality
        Its sizes and both sides are those of the worst case.

    Raises
    ------
    ValueError
        If an entry is not finite, shapes disagree or an argument is out of range.

    Notes
    -----
    Source: Derivation 15, step 5.

    Examples
    --------
    >>> from theory.orthogonal import perturbed_orthogonality
    >>> found = perturbed_orthogonality([[2.0, 0.0], [0.0, 1.0]], negative_slope=0.5, epsilon=0.01)
    >>> found.verdict.value, found.row_verdict.value
    ('unknown', 'holds')
    """
    base = as_points("base", base)
    slope = check_open_slope(negative_slope)
    N, dim = base.shape
    axis = np.ones(dim) if direction is None else direction
    unit, rho = unit_step(axis, dim, norm=norm, epsilon=epsilon, amplitude=amplitude)
    clean = measured_sizes(base)
    blur = 1 + (dim + N + 32) * EPS
    rho_low, rho = rho / blur, rho * blur
    with np.errstate(over="ignore", invalid="ignore"):
        if direction is None:
            along = np.full(N, clean.R_max[1])
        else:
            along = np.abs(base @ unit) + (dim + 32) * EPS * row_norms(base) + TINY
        pair = _largest_pair(along)
        others = along.sum() - along + (N - 1) * along
        change, row_change = rho * pair + rho * rho, float((rho * others).max()) + (N - 1) * rho * rho
        fixed = direction is not None
        p_low = clean.p_max[0] - change
        if fixed and N > 1:
            p_low = max(p_low, rho_low * rho_low - rho * pair - clean.p_max[1])
        R_min = _norms(clean.R_min, clean.R_max, base, along, rho, rho_low, fixed=fixed, largest=False)
        R_max = _norms(clean.R_min, clean.R_max, base, along, rho, rho_low, fixed=fixed, largest=True)
        p = (float(max(0.0, p_low)) / blur, float(clean.p_max[1] + change) * blur)
        q = float(clean.inner_sum + row_change) * blur
        sizes = Sizes(R_min=R_min, R_max=R_max, p_max=p, row_sum=_row_sum(p[0], q, R_min, R_max), inner_sum=q)
    return conclude(sizes, N, slope)


@data_by_keyword
def noise_orthogonality(
    *,
    distribution: Distribution,
    dim: int,
    N: int,
    negative_slope: float,
    epsilon: float = 0.0,
    norm: Norm = "L2",
    delta: float,
    amplitude: float = 1.0,
) -> Orthogonality:
    """Evaluate the conditions on N perturbed noise samples that are yet to be drawn, with probability 1 − δ.

    With σ² = 1/3 (uniform on [−1, 1]) or 1 (standard normal) and t = log((N² + 3N)/δ), together::

        | ‖x‖² − d/3 | ≤ √(dt/2)                              (uniform),
        d − 2√(dt) ≤ ‖x‖² ≤ d + 2√(dt) + 2t                   (normal),
        |⟨x_n, x_k⟩| ≤ R_max σ√(2t),  |⟨x_n, e⟩| ≤ σ√(2t)     (both).

    Then as `perturbed_orthogonality` with a direction.

    **Assumptions.**  Independent entries; the direction and the targets do not depend on this noise (a
    direction learned from clean data, and random targets, do not).

    Parameters
    ----------
    distribution : {"uniform", "gaussian"}
        Of each entry: uniform on [−1, 1], or N(0, 1).
    dim, N : int
    negative_slope : float in (0, 1)
    epsilon, norm, amplitude
        As in `limit_perturbations`, for a direction without zero entries.
    delta : float in (0, 1)
        Probability that the sizes are beyond the limits stated.

    Returns
    -------
    Orthogonality
        *holds* and *fails* are wrong with probability at most δ each set of samples.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Source: Hoeffding 1963; Laurent and Massart, Ann. Statist. 28 (2000), Lemma 1; Derivation 15, step 5.

    Examples
    --------
    >>> from theory.orthogonal import noise_orthogonality
    >>> sizes = {"distribution": "uniform", "dim": 10**6, "N": 3}
    >>> noise_orthogonality(**sizes, negative_slope=0.5, delta=0.01).verdict.value
    'holds'
    """
    check_choice("distribution", distribution, DISTRIBUTIONS)
    check_integer("dim", dim, minimum=1)
    check_integer("N", N, minimum=1)
    slope = check_open_slope(negative_slope)
    _, rho = unit_step(np.ones(dim), dim, norm=norm, epsilon=epsilon, amplitude=amplitude)
    t = math.log(N**2 + 3 * N) - math.log(check_probability("delta", delta))
    if distribution == "uniform":
        sigma, low, high = (
            math.sqrt(1 / 3),
            dim / 3 - math.sqrt(dim * t / 2),
            dim / 3 + math.sqrt(dim * t / 2),
        )
        high = min(high, float(dim))
    else:
        sigma, low, high = 1.0, dim - 2 * math.sqrt(dim * t), dim + 2 * math.sqrt(dim * t) + 2 * t
    low, along = max(low, 0.0), sigma * math.sqrt(2 * t)
    p = math.sqrt(high) * along
    change = 2 * rho * along + rho * rho
    squares = (max(0.0, low - 2 * rho * along + rho * rho), high + change)
    norms = (math.sqrt(squares[0]) * (1 - 8 * EPS), math.sqrt(squares[1]) * (1 + 8 * EPS))
    p_low = max(0.0, rho * rho - 2 * rho * along - p) * (1 - 8 * EPS)
    p_high = (p + change) * (1 + 8 * EPS)
    q = (N - 1) * p_high
    sizes = Sizes(
        R_min=norms, R_max=norms, p_max=(p_low, p_high), row_sum=_row_sum(p_low, q, norms, norms), inner_sum=q
    )
    return conclude(sizes, N, slope, delta=delta)


def _row_sum(
    p_low: float, q: float, R_min: tuple[float, float], R_max: tuple[float, float]
) -> tuple[float, float]:
    """Return limits of κ."""
    smallest, largest = R_min[0] * R_min[0], R_max[1] * R_max[1]
    low = p_low / largest if largest > 0 else 0.0
    # Far above what underflow can have taken from q.
    high = (q + TINY) / smallest if smallest > 1e40 * TINY else math.inf
    return low * (1 - 8 * EPS), high * (1 + 8 * EPS)


def _largest_pair(along: Array) -> float:
    """Return the largest h_n + h_k with n ≠ k; 0 for one sample."""
    return float(np.sort(along)[-2:].sum()) if len(along) > 1 else 0.0


def _norms(
    R_min: tuple[float, float],
    R_max: tuple[float, float],
    base: Array,
    along: Array,
    rho: float,
    rho_low: float,
    *,
    fixed: bool,
    largest: bool,
) -> tuple[float, float]:
    """Return limits of the largest or smallest perturbed norm."""
    if not fixed:
        low, high = R_max if largest else R_min
        return max(0.0, low - rho), high + rho
    blur = 1 + (base.shape[1] + 32) * EPS
    squares = np.square(row_norms(base))
    # ‖x + tρe‖² = ‖x‖² + 2tρ⟨x, e⟩ + ρ²
    low = np.maximum(0.0, squares / blur + rho_low * rho_low - 2 * rho * along)
    high = squares * blur + rho * rho + 2 * rho * along + TINY  # the squares may have underflowed
    pick = np.max if largest else np.min
    return float(np.sqrt(pick(low))) / blur, float(np.sqrt(pick(high))) * blur
