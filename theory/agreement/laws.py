"""Laws of the agreement of f̂ and ĝ, to leading order in 1/d, from sizes and the architecture alone.

Inputs are independent and isotropic, of norm about √d.  In ĝ(z) = (1/N) Σ_k y_k ⟨x_k, z⟩ Ψ_k(z) the weights
Ψ_k know nothing of z, while those of f̂ follow Φ(x_k, z) ∝ 1 + κ_Φ ⟨x_k, z⟩/d, κ_Φ the *kernel slope*.
Derivation 19.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from theory.deep.architecture import Architecture, check_architecture
from theory.deep.kernels import nngp, ntk, ntk_gradient, phi
from theory.validation import as_points, check_integer, check_real, check_slope, data_by_keyword

# Orthogonal points of norm √d, d = 2: Φ^(L) depends on ⟨x, z⟩/d and ‖x‖²/d alone.
_X, _Z = np.sqrt(2) * np.eye(2)
_LAYERS = 400  # after which the rest of the limit is summed in closed form, up to (c₀/g₀)²


def kernel_slope(architecture: Architecture) -> float:
    """Return the kernel slope κ_Φ = ∂ log Φ^(L)/∂(⟨x, z⟩/d) at orthogonal points of norm √d.

    Plain layers: κ_Φ = Σ_l c₀/(sin θ_l Φ_l v_l) Π_{j<l} σ_w² Φ_j, v_1 = 2, θ_1 = π/3.

    Parameters
    ----------
    architecture : theory.deep.Architecture
        Any depth, plain or residual; its rates do not matter.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If it is no architecture.

    Notes
    -----
    Source: `expressions.KERNEL_SLOPE`; Derivation 19, (19.3).  By the derivative of Θ = Φ^(L)(⟨x, z⟩ + 1).

    Examples
    --------
    >>> from theory.agreement import kernel_slope
    >>> from theory.deep import Architecture
    >>> round(kernel_slope(Architecture()), 4), round(kernel_slope(Architecture(depth=3)), 4)
    (0.2757, 0.6038)
    """
    first = replace(check_architecture(architecture), rates="first")
    along, _ = ntk_gradient(_Z, X=_X[None], architecture=first)
    return float(_X.size * (along[0] / ntk(_X, _Z, architecture=first) - 1))


def limiting_kernel_slope(negative_slope: float) -> float:
    """Return the limit of `kernel_slope` as L → ∞ at σ_w² = 1/g₀, σ_b = 0: it is finite for every γ.

    Parameters
    ----------
    negative_slope : float in [0, 1)
        The paper's γ.

    Returns
    -------
    float
        Between 1.529, as γ → 1, and 1.668, of ReLU.

    Raises
    ------
    ValueError
        If the slope is out of range.

    Notes
    -----
    Source: `expressions.KERNEL_SLOPE_REST`; Derivation 19, (19.5).  Relative error below 1e-5.

    Examples
    --------
    >>> from theory.agreement import limiting_kernel_slope
    >>> round(limiting_kernel_slope(0.0), 4), round(limiting_kernel_slope(0.9), 4)
    (1.6674, 1.5296)
    """
    deep = Architecture(depth=_LAYERS, negative_slope=check_slope("negative_slope", negative_slope))
    g0 = deep.half_square
    theta = math.acos(nngp(_X, _Z, architecture=deep) / (2 * g0))  # of layer L + 1
    rest = theta / (math.sin(theta) - theta * math.cos(theta)) + deep.kink_factor / (2 * g0 * math.sin(theta))
    return float(kernel_slope(deep) + phi(_X, _Z, architecture=deep) / (2 * g0) * rest)


def condition_agreement(
    *, architecture: Architecture, dim: float, N: int, separation: float = 0.0, balanced_classes: bool = False
) -> float:
    """Return the share of points with sgn f̂(z) = sgn ĝ(z), condition (c), of data x = yμ + ξ, ξ ~ N(0, I).

    1 − (1/π) arctan(κ_Φ √(S/(d + N‖μ‖²))) exp(−q²/2), q = ‖μ‖²/√(‖μ‖² + d/N), S → 3 as N → ∞, and S → 2 for
    exactly balanced classes: √S = √(π/(2N)) E|Σ y_k w_k²|, w Gaussian of covariance δ_jk − 1/N.  Without μ
    labels are random, and q = 0.

    Parameters
    ----------
    architecture : theory.deep.Architecture
        Its rates do not matter.
    dim : float
        d ≥ 1; of centred inputs that are not isotropic their `effective_dimension`.
    N : int
        Training samples, ≥ 1.
    separation : float
        ‖μ‖ ≥ 0, small against √d; of an accuracy see `mixture_separation`.
    balanced_classes : bool
        Whether there are exactly as many labels +1 as −1.

    Returns
    -------
    float in (1/2, 1]

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    Notes
    -----
    Source: `expressions.CONDITION_ANGLE`; Derivation 19, (19.7).  Leading order in 1/d, every N ≥ 3;
    scenario (a), whatever ε.  Within 10 % of measured disagreement for d ≥ 30:
    tests/test_theory/test_agreement/test_laws.py.  With ‖μ‖² of order d all ⟨x_n, z⟩ have
    one sign, and (c) holds outright.

    Examples
    --------
    >>> from theory.agreement import condition_agreement
    >>> from theory.deep import Architecture
    >>> round(condition_agreement(architecture=Architecture(), dim=1000, N=10_000), 4)
    0.9952
    """
    d, n = check_real("dim", dim, minimum=1), check_integer("N", N, minimum=1)
    mu = check_real("separation", separation, minimum=0)
    spread = _label_spread(n, balanced=balanced_classes)
    size, score = math.hypot(math.sqrt(d), math.sqrt(n) * mu), _score(mu, d / n)
    angle = math.atan(kernel_slope(architecture) * math.sqrt(spread) / size)
    return 1 - angle / math.pi * math.exp(-score * score / 2)


def _label_spread(N: int, *, balanced: bool) -> float:
    """Return S, by `expressions.LABEL_SPREAD` or `BALANCED_SPREAD`; 0 where f̂ and ĝ always agree."""
    if 2 + balanced > N:
        return 0.0
    square, shape = 2 * (N - 2) / N, (N - 2) / 4
    if not balanced:
        own, other = 1 - 1 / N, 1 / N
        square = 3 * own**2
        fourth = 105 * own**4 + 3 * (N - 1) * (9 * own**4 + 72 * own**2 * other**2 + 24 * other**4)
        shape = 3 / (fourth / (N * square**2) - 3)
    return float(square * special.poch(shape, 0.5) ** 2 / shape)


@data_by_keyword
def effective_dimension(X: ArrayLike) -> float:
    """Return d_eff = (tr Σ)²/tr Σ² of the covariance Σ of centred inputs, which takes the place of d in laws.

    Parameters
    ----------
    X : array, shape (N, d)
        Inputs of mean 0, N ≥ 2.

    Returns
    -------
    float
        d for isotropic inputs, 1 on a line; without the bias of N: (mean ‖x‖²)² over the mean of ⟨x_n, x_k⟩²,
        n ≠ k.  Infinite where all inner products are 0, NaN where all inputs are.

    Raises
    ------
    ValueError
        If there are fewer than two inputs, or an entry is not finite.

    Notes
    -----
    Source: Derivation 19.  Leading order in 1/d_eff: the law is 2 to 5 % too high at d_eff = 40 and more,
    20 % at 15, and 10 to 40 % for pairs of digits, whose d_eff is 4 to 10.

    Examples
    --------
    >>> from theory.agreement import effective_dimension
    >>> effective_dimension([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    3.0
    """
    X = as_points("X", X)
    if len(X) < 2:
        msg = f"X must have at least two rows, got {len(X)}"
        raise ValueError(msg)
    with np.errstate(all="ignore"):
        scaled = X / np.abs(X).max()  # whose squares do not overflow
        gram = scaled @ scaled.T
        squares = np.sum(gram**2) - np.sum(np.diag(gram) ** 2)
        found = float(np.mean(np.diag(gram)) ** 2 * len(X) * (len(X) - 1) / squares)
    return found if found <= math.inf else math.nan


def mixture_accuracy(separation: float, *, dim: int, N: int) -> float:
    """Return the share of points where f̂ has the sign of the class, of x = yμ + ξ: F(‖μ‖²/√(‖μ‖² + d/N)).

    Parameters
    ----------
    separation : float
        ‖μ‖ ≥ 0, small against √d.
    dim, N : int
        d, N ≥ 1.

    Returns
    -------
    float in [1/2, 1]

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    Notes
    -----
    Source: Derivation 19, (19.8); F is the normal distribution function.

    Examples
    --------
    >>> from theory.agreement import mixture_accuracy
    >>> round(mixture_accuracy(1.0, dim=30, N=50), 3)
    0.785
    """
    d, n = check_integer("dim", dim, minimum=1), check_integer("N", N, minimum=1)
    return float(special.ndtr(_score(check_real("separation", separation, minimum=0), d / n)))


def mixture_separation(accuracy: float, *, dim: int, N: int) -> float:
    """Return the ‖μ‖ at which `mixture_accuracy` has a value: by it (c) follows from the accuracy alone.

    Parameters
    ----------
    accuracy : float in [1/2, 1)
        Share of points where f̂ has the sign of the class.
    dim, N : int
        d, N ≥ 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    Notes
    -----
    Source: Derivation 19.

    Examples
    --------
    >>> from theory.agreement import condition_agreement, mixture_separation
    >>> from theory.deep import Architecture
    >>> mu = mixture_separation(0.785, dim=30, N=50)
    >>> round(1 - condition_agreement(architecture=Architecture(), dim=30, N=50, separation=mu), 4)
    0.0121
    """
    d, n = check_integer("dim", dim, minimum=1), check_integer("N", N, minimum=1)
    share = check_real("accuracy", accuracy)
    if not 0.5 <= share < 1:
        msg = f"accuracy must lie in [1/2, 1), got {accuracy}"
        raise ValueError(msg)
    score = float(special.ndtri(share))
    return math.sqrt(score * (score + math.hypot(score, 2 * math.sqrt(d / n))) / 2)


def _score(mu: float, noise: float) -> float:
    """Return ‖μ‖²/√(‖μ‖² + d/N), 0 without μ."""
    return mu / math.hypot(1, math.sqrt(noise) / mu) if mu else 0.0
