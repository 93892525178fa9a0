"""Agreement for every loss, averaged over untrained networks f: nothing is trained.

Each sample has a weight β_n(T) of its own (`theory.lazy_weights`), and ∇f(x_n; T) tends to
∇f(x_n; 0) + (1/N) Σ β_k y_k ∇Θ(x_k, x_n).  f(·; 0) and its gradients are those of random networks.
Derivation 18.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from theory.deep.architecture import Architecture
from theory.deep.kernels import nngp, ntk, weighted_gradient
from theory.lazy import LAZY_LOSSES, LazyLoss, draw_initial_outputs, lazy_weights
from theory.setting import Scenario
from theory.times.curve import Pair, Targets
from theory.validation import Array, as_nonnegative, check_choice, check_integer, data_by_keyword

_TOLERANCE = 1e-4  # of the weights, relative to the largest


@dataclass(frozen=True, kw_only=True)
class SampledAgreement:
    """Agreement of f and g in the wide limit, on a grid of times, for several untrained networks f."""

    T_f: Array  # shape (F,)
    T_g: Array  # shape (G,)
    networks: Array  # probability over g and its targets, for each network f, shape (S, F, G, Q)

    @property
    def probability(self) -> Array:
        """The mean over the networks, shape (F, G, Q)."""
        return np.asarray(self.networks.mean(axis=0))

    @property
    def share(self) -> Array:
        """The mean over networks and points, shape (F, G)."""
        return np.asarray(self.networks.mean(axis=(0, -1)))

    @property
    def standard_error(self) -> Array:
        """That of `share`, over the networks; NaN for one."""
        with np.errstate(invalid="ignore", divide="ignore"):
            deviations = self.networks.mean(axis=-1) - self.share
            count = len(self.networks)
            return np.asarray(np.sqrt((deviations**2).sum(axis=0) / (count - np.float64(1)) / count))


@data_by_keyword
def sampled_agreement(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    T_f: ArrayLike,
    T_g: ArrayLike,
    loss: LazyLoss,
    epsilon: float | None = None,
    targets: Targets | ArrayLike = "random",
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    scenario: Scenario = "a",
    num_networks: int = 12,
    num_initial: int = 8,
    width: int = 1000,
    rng: np.random.Generator,
) -> SampledAgreement:
    """Return the agreement of f and g for any loss, from random initial networks f, none of them trained.

    With identity loss outputs grow like T and the initial networks are forgotten; with squared loss they
    stop at the labels, which are of the size of the initial networks, and with logistic loss they grow like
    log T: some mean shares are then never reached.

    Parameters
    ----------
    Z, X, y, epsilon, targets, negative_slope, architecture, scenario
        As in `agreement_law`.
    T_f, T_g : arrays, shapes (F,) and (G,), or numbers
        Flow times ≥ 0.
    loss : {"identity", "logistic", "squared", "exponential"}
        Of f and of g.
    num_networks : int
        S, of f; each has targets of its own unless they are given.
    num_initial : int
        Initial networks g for each f; for identity and squared loss the mean over them is exact.
    width : int
        Of the initial networks f.
    rng : numpy.random.Generator

    Returns
    -------
    SampledAgreement

    Raises
    ------
    ValueError, FloatingPointError
        As `agreement_law` and `theory.lazy_weights`.

    Notes
    -----
    Source: Derivation 18.  Weights of samples to a relative 1e-4.

    Examples
    --------
    >>> import numpy as np
    >>> from theory.times import sampled_agreement
    >>> X, y, rng = [[1.0, 0.0], [0.0, 2.0]], [1, -1], np.random.default_rng(0)
    >>> found = sampled_agreement([[1.0, 1.0]], X=X, y=y, T_f=2.0, T_g=[0.0, 9.0], loss="squared", rng=rng)
    >>> found.share.shape, found.share[0, 0]
    ((1, 2), np.float64(0.5))
    """
    check_choice("loss", loss, LAZY_LOSSES)
    pair = Pair.checked(Z, X, y, targets, negative_slope, architecture, scenario)
    times_f, times_g = (
        np.atleast_1d(as_nonnegative(name, times)) for name, times in (("T_f", T_f), ("T_g", T_g))
    )
    for name, count in (("num_networks", num_networks), ("num_initial", num_initial), ("width", width)):
        check_integer(name, count, minimum=1)
    size = pair.epsilon(epsilon)
    found = np.empty((num_networks, len(times_f), len(times_g), len(pair.Z)))
    at_Z = ntk(pair.Z, pair.X, architecture=pair.architecture) * pair.y / len(pair.X)
    for part in found:
        initial, gradients = _untrained(np.vstack([pair.X, pair.Z]), pair.architecture, width, rng)
        t = pair.drawn_targets(rng)
        N = len(pair.X)
        for row, T in zip(part, times_f, strict=True):
            beta = _weights(pair.X, pair.y, T, loss, pair.architecture, initial[:N])
            f = initial[N:] + at_Z @ beta
            D = gradients[:N] + weighted_gradient(pair.X, pair.X, beta * pair.y / N, pair.architecture)
            R = pair.perturbed(t[:, None] * D, size)
            row[:] = _agreement(pair, f, R, t, times_g, loss, num_initial, rng)
    return SampledAgreement(T_f=times_f, T_g=times_g, networks=found)


def _weights(
    X: Array, y: Array, T: float, loss: LazyLoss, architecture: Architecture, initial: Array
) -> Array:
    return lazy_weights(
        X=X, y=y, T=T, loss=loss, architecture=architecture, initial=initial, tolerance=_TOLERANCE
    )


def _agreement(
    pair: Pair,
    f: Array,
    R: Array,
    t: Array,
    times: Array,
    loss: LazyLoss,
    num_initial: int,
    rng: np.random.Generator,
) -> Array:
    """Return P(sgn g(z; T_g) = sgn f(z)) given what g is trained on, shape (G, Q)."""
    N, chosen = len(R), pair.architecture
    signs, cross = np.sign(f), ntk(pair.Z, R, architecture=chosen) / N
    if loss == "identity":
        return np.asarray(special.ndtr(signs * np.multiply.outer(times, cross @ t) / pair.deviation))
    if loss != "squared":
        at_R, at_Z = draw_initial_outputs(pair.Z, X=R, architecture=chosen, num_samples=num_initial, rng=rng)
        grown = [_weights(R, t, T, loss, chosen, at_R) * t for T in times]
        return np.stack([(signs * np.sign(at_Z + beta @ cross.T)).mean(axis=0) for beta in grown]) / 2 + 0.5
    values, vectors = np.linalg.eigh(ntk(R, architecture=chosen) / N)
    values, rotated = np.maximum(values, 0)[:, None], cross @ vectors
    # a = rotated · (1 − e^(−λT))/λ: g(z; T) = g(z; 0) + a (t − g(R; 0)).
    exponents = values * times
    factors = np.divide(-np.expm1(-exponents), values, out=0 * exponents + times, where=values > 0).T
    weights = rotated * factors[:, None, :] @ vectors.T  # (G, Q, N)
    shared = nngp(pair.Z, R, architecture=chosen)
    variance = pair.deviation**2 - 2 * (weights * shared).sum(axis=-1)
    variance += ((weights @ nngp(R, architecture=chosen)) * weights).sum(axis=-1)
    mean = weights @ t
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(mean == 0, 0, mean / np.sqrt(np.maximum(variance, 0)))
    return np.asarray(special.ndtr(signs * reach))


def _untrained(
    points: Array, architecture: Architecture, width: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return outputs and input gradients of a random network, shapes (n,) and (n, d)."""
    slope, dim = architecture.negative_slope, points.shape[1]
    weight, bias = np.sqrt(architecture.resolved_weight_variance / width), np.sqrt(architecture.bias_variance)
    branch = None if architecture.residual is None else np.sqrt(architecture.branch_factor / width)
    h, layers = points, []
    for layer in range(architecture.depth):
        scale, shift = (weight, bias) if layer else (1 / np.sqrt(dim), 1.0)
        W = scale * rng.standard_normal((width, h.shape[1]))
        u = h @ W.T + shift * rng.standard_normal(width)
        active = np.where(u > 0, 1.0, slope)
        V = branch * rng.standard_normal((width, width)) if layer and branch is not None else None
        h = active * u if V is None else h + (active * u) @ V.T
        layers.append((W, active, V))
    a = rng.standard_normal(width) / np.sqrt(width)
    back = np.tile(a, (len(points), 1))
    for W, active, V in reversed(layers):
        back = (back * active) @ W if V is None else back + (back @ V * active) @ W
    return h @ a, back
