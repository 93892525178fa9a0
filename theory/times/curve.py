"""When g agrees with f: the law of the two outputs over initialisations, as a function of both times.

Scenario (a): r_n = ε t_n e_n, e_n = ∇f(x_n; T_f)/‖·‖, t_n the targets.  With ψ and χ the odd and the even
part of the kernel Θ(ε e, z) as a function of s = ⟨e, z⟩, the velocity of g at z is

    G(z) = (1/N) Σ ψ(s_n) + (1/N) Σ t_n χ(s_n):   signal and label noise.

s_n is nearly Gaussian over initialisations of f, and with it (f(z; T_f), g(z; T_g)).  Derivation 18.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from theory.deep.architecture import Architecture, one_of
from theory.deep.layers import Covariance, kernels
from theory.geometry import finite
from theory.kernel import threads
from theory.predictors import f_predict, initial_deviation, perturbation_direction
from theory.tables import Tabular
from theory.times.initial import InitialGradients
from theory.validation import (
    Array,
    as_labels,
    as_points,
    as_real,
    check_choice,
    check_real,
    data_by_keyword,
)

Targets = Literal["random", "balanced"]
# E over Gaussian s of functions of s, as polynomials in its mean (_MEANS terms in its square) and its
# variance, through values at Chebyshev points by Gauss–Hermite sums of _NODES terms.
_MEANS, _VARIANCES, _NODES = 8, 5, 48
_ENTRIES = 1 << 17  # (times × queries × samples) that are worked on together: 1 MiB an array
_PARTS = ("mean_f", "deviation_f", "signal", "signal_noise", "label_noise", "initial", "deviation_g")
_FAR = 100.0  # standard deviations beyond which a chance is 0 or 1


@dataclass(frozen=True, kw_only=True)
class AgreementLaw(Tabular):
    """The law of (f(z; T_f), g(z; T_g)) over initialisations and targets, Gaussian, in named parts.

    f(z; T_f) ~ N(mean_f, deviation_f²) and g(z; T_g) ~ N(T_g signal, deviation_g² + T_g² (label_noise +
    signal_noise)), with covariance T_g initial.

    Notes
    -----
    Source: Derivation 18.  Made by `agreement_law`.
    """

    # Each of shape (F, Q), without the axis of a single time or point.
    T_f: Array  # times of f, shape (F,) or ()
    mean_f: Array  # T_f F(z)
    deviation_f: Array  # σ(z), that of f(z; 0); 0 where f is given
    signal: Array  # E G(z), the mean velocity of g
    signal_noise: Array  # variance of G(z) over initial networks f
    label_noise: Array  # variance of G(z) over targets
    initial: Array  # covariance of f(z; 0) and G(z): perturbations carry the initial gradient of f
    deviation_g: Array  # that of g(z; 0)

    def probability(self, T_g: ArrayLike) -> Array:
        """Return P(sgn f(z; T_f) = sgn g(z; T_g)).

        Parameters
        ----------
        T_g : float, or array of shape (G,)
            Flow times of g ≥ 0, ∞ allowed.

        Returns
        -------
        array, shape (F, G, Q), without the axes of single times and of a single point

        Raises
        ------
        ValueError
            If a time is negative or NaN.
        """
        times = check_times("T_g", T_g)
        t = np.divide(times, 1 + times, out=np.ones_like(times), where=np.isfinite(times))
        t = t.reshape(times.shape + (1,) * self._points)  # of unit length: T_g/(1 + T_g) and 1/(1 + T_g)
        axes = (self.T_f.ndim,) if times.ndim else ()
        noise = self.signal_noise + self.label_noise
        mean_f, deviation_f, signal, noise, initial, deviation_g = (
            np.expand_dims(part, axes)
            for part in (self.mean_f, self.deviation_f, self.signal, noise, self.initial, self.deviation_g)
        )
        deviation = np.sqrt(((1 - t) * deviation_g) ** 2 + t**2 * noise)
        with np.errstate(divide="ignore", invalid="ignore"):
            shared = np.where(size := deviation_f * deviation, t * initial / size, 0)
        return equal_signs(_in_deviations(mean_f, deviation_f), _in_deviations(t * signal, deviation), shared)

    @property
    def _points(self) -> int:
        """Number of axes of points, 0 for a single one."""
        return self.signal.ndim - self.T_f.ndim

    def share(self, T_g: ArrayLike) -> Array:
        """Return the mean of `probability` over the points, shape (F, G)."""
        chance = self.probability(T_g)
        return np.asarray(chance.mean(axis=-1) if self._points else chance)[()]

    @property
    def limit(self) -> Array:
        """The limit of `probability` as T_g → ∞, shape (F, Q)."""
        return self.probability(np.inf)

    def _columns(self) -> Mapping[str, Any]:
        shape = self.signal.shape
        columns = {
            "point": np.arange(shape[-1]) if self._points else 0,
            "T_f": np.expand_dims(self.T_f, -1) if self._points else self.T_f,
            **{name: getattr(self, name) for name in _PARTS},
            "limit": self.limit,
        }
        return {name: np.broadcast_to(column, shape).ravel() for name, column in columns.items()}


def equal_signs(a: ArrayLike, b: ArrayLike, correlation: ArrayLike) -> Array:
    """Return the chance that two unit normal variables with means a and b have the same sign.

    1 − 2 T(a, (b − ρa)/(a√(1−ρ²))) − 2 T(b, (a − ρb)/(b√(1−ρ²))), less 1 if ab < 0; T is Owen's function.
    """
    tiny = np.finfo(np.float64).tiny
    a, b, rho = (np.asarray(value, dtype=np.float64) for value in (a, b, correlation))
    a, b = (np.where(np.abs(value) < tiny, tiny, value) for value in (a, b))
    rho = np.clip(rho, -1, 1)
    root = np.maximum(np.sqrt((1 - rho) * (1 + rho)), tiny)
    with np.errstate(over="ignore"):
        parts = special.owens_t(a, (b - rho * a) / a / root) + special.owens_t(b, (a - rho * b) / b / root)
    return np.asarray(np.clip(1 - 2 * parts - ((a < 0) != (b < 0)), 0, 1))[()]


@data_by_keyword
def agreement_law(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    T_f: ArrayLike,
    epsilon: float | None = None,
    targets: Targets | ArrayLike = "random",
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
) -> AgreementLaw:
    """Return the law of agreement of f and g, before either is trained: identity loss, scenario (a).

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    T_f : float, or array of shape (F,)
        Flow times of f ≥ 0, ∞ allowed.
    epsilon : float, optional
        L2 norm of a perturbation, ≥ 0; √d if absent.
    targets : "random" or "balanced", or array of shape (N,)
        Of the perturbations: independent and uniform; uniform with exactly as many +1 as −1; or given.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.

    Returns
    -------
    AgreementLaw

    Raises
    ------
    ValueError
        If shapes disagree, an argument is out of range, or targets of an odd number are to be balanced.

    Notes
    -----
    Source: Derivation 18.  Approximations: ‖∇f(x_n; T_f)‖² is its mean, with a relative error of about
    √(2/d); s_n is Gaussian, cut off at ±‖z‖; ψ(s_n) and ψ(s_k) are correlated as to first order in Hermite
    polynomials.  Means over s_n are polynomials, with an error of the probability below 1e-4 for d ≥ 10.
    Time is of order (F Q + N) N² for one hidden layer, memory 24 N² bytes; time Q N² L for deeper networks.

    Examples
    --------
    >>> from theory.times import agreement_law
    >>> X, y = [[1.0, 0.0], [0.0, 2.0]], [1, -1]
    >>> law = agreement_law([[1.0, 1.0], [0.0, 3.0]], X=X, y=y, T_f=2.0)
    >>> law.probability([1.0, 10.0]).round(3)
    array([[0.578, 0.7  ],
           [0.697, 0.923]])
    >>> law.share(float("inf")).round(3)
    np.float64(0.816)
    """
    pair = Pair.checked(Z, X, y, targets, negative_slope, architecture)
    return pair.law(check_times("T_f", T_f), pair.epsilon(epsilon))


def check_times(name: str, value: ArrayLike) -> Array:
    """Return a number or times of shape (n,), ≥ 0, ∞ allowed."""
    times = as_real(name, value, finite=False)
    wrong = times[~(times >= 0)]
    if wrong.size:
        msg = f"{name} must be >= 0, got {wrong.flat[0]:g}"
        raise ValueError(msg)
    if times.ndim > 1 or not times.size:
        msg = f"{name} must be a number or have shape (n,) with n >= 1, got {times.shape}"
        raise ValueError(msg)
    return times


class _Means(NamedTuple):
    """E over s of a function of s, its square, and E u(s_n) ξ_n with s_n = mean + deviation ξ_n."""

    mean: Array  # all of shape (B, F, N)
    square: Array
    first: Array

    def own(self) -> Array:
        """Return the mean over n of the variance that is not of first order, shape (B, F)."""
        return np.asarray((self.square - self.mean**2 - self.first**2).mean(axis=-1))


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Checked data of f and g, and what does not depend on times and ε."""

    Z: Array
    X: Array
    y: Array
    targets: Targets | Array
    architecture: Architecture
    one: bool  # a single query point

    @classmethod
    def checked(
        cls,
        Z: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        targets: Targets | ArrayLike,
        negative_slope: float,
        architecture: Architecture | None,
    ) -> Pair:
        """Return checked data."""
        chosen = one_of(negative_slope, architecture) or Architecture(negative_slope=negative_slope)
        X = as_points("X", X)
        points = as_points("Z", Z, dim=X.shape[1], or_one=True)
        given: Any = targets
        if isinstance(targets, str):
            check_choice("targets", targets, ("random", "balanced"))
            if targets == "balanced" and len(X) % 2:
                msg = f"targets must be balanced only of an even number of samples, got {len(X)}"
                raise ValueError(msg)
        else:
            given = as_labels("targets", targets, length=len(X))
        labels = as_labels("y", y, length=len(X))
        return cls(Z=points, X=X, y=labels, targets=given, architecture=chosen, one=np.ndim(Z) == 1)

    def epsilon(self, value: float | None) -> float:
        """Return a length ≥ 0, √d by default."""
        return float(np.sqrt(self.X.shape[1])) if value is None else check_real("epsilon", value, minimum=0)

    @cached_property
    def velocity(self) -> Array:
        """F(z)."""
        return np.asarray(f_predict(self.Z, X=self.X, y=self.y, architecture=self.architecture))

    @cached_property
    def deviation(self) -> Array:
        """σ(z)."""
        return np.asarray(initial_deviation(self.Z, architecture=self.architecture))

    @cached_property
    def _gradients(self) -> tuple[Array, Array]:
        """‖∇F(x_n)‖/G₀, and ⟨∇F(x_n)/‖∇F(x_n)‖, z⟩ of shape (Q, N)."""
        gradients = perturbation_direction(X=self.X, y=self.y, architecture=self.architecture)
        norms = np.linalg.norm(gradients, axis=1, keepdims=True)
        unit = np.divide(gradients, norms, out=np.zeros_like(gradients), where=norms > 0)
        return norms[:, 0] / self.architecture.initial_gradient_norm, self.Z @ unit.T

    @cached_property
    def _initial(self) -> InitialGradients:
        return InitialGradients(self.X, self.architecture)

    def law(self, T_f: Array, epsilon: float) -> AgreementLaw:
        """Return the law at checked times and ε."""
        times = np.atleast_1d(T_f)
        step = max(1, _ENTRIES // (len(times) * len(self.X)))
        with np.errstate(all="ignore"):  # NaN in the end
            rows = [slice(q, q + step) for q in range(0, len(self.Z), step)]
            _ = self._gradients, self._initial  # made before threads ask for them
            blocks = threads.run(lambda part: self._block(part, times, epsilon), rows)
            signal, signal_noise, label_noise, initial = (
                np.concatenate(part).T for part in zip(*blocks, strict=True)
            )
            mean_f = np.where(self.velocity == 0, 0.0, np.multiply.outer(times, self.velocity))
        shape = T_f.shape + (() if self.one else (len(self.Z),))

        def shaped(part: Array) -> Array:
            return np.array(np.broadcast_to(part, (len(times), len(self.Z)))).reshape(shape)

        return AgreementLaw(
            T_f=T_f,
            mean_f=shaped(mean_f),
            deviation_f=shaped(self.deviation),
            signal=shaped(finite(signal)),
            signal_noise=shaped(finite(signal_noise)),
            label_noise=shaped(finite(label_noise)),
            initial=shaped(finite(initial)),
            deviation_g=shaped(self.deviation),
        )

    def _block(self, rows: slice, times: Array, epsilon: float) -> tuple[Array, ...]:
        """Return signal, its noise, label noise and covariance with f(z; 0), each of shape (B, F)."""
        N, Z = len(self.X), self.Z[rows]
        relative, along = self._gradients
        grown = times[:, None] * relative
        grown[np.isnan(grown)] = 0  # ∞ · 0
        variances = 1 / (1 + grown**2)  # of s_n, in units of ‖z‖²/d, shape (F, N)
        table = _Table(Z, along[rows], variances, epsilon, self.architecture)
        signal = table.odd() if isinstance(self.targets, str) else table.given(self.targets)
        form, shared = self._initial.forms(Z, signal.first)
        signal_noise = np.maximum(form / N**2 + signal.own() / N, 0)
        if not isinstance(self.targets, str):
            label_noise = np.zeros_like(form)
        elif self.targets == "random":
            label_noise = table.even_square().mean(axis=-1) / N
        else:
            even = table.even()
            common = (
                self._initial.forms(Z, even.first)[0] / N**2 + even.own() / N + even.mean.mean(axis=-1) ** 2
            )
            label_noise = np.maximum(even.square.mean(axis=-1) - common, 0) / (N - 1)
        return signal.mean.mean(axis=-1), signal_noise, label_noise, shared / N


class _Table:
    """Gaussian means of ψ, χ and their squares at the points of a block, by polynomials."""

    def __init__(
        self, Z: Array, along: Array, variances: Array, epsilon: float, architecture: Architecture
    ) -> None:
        norms, dim = np.linalg.norm(Z, axis=1), Z.shape[1]
        self._deviations = np.sqrt(variances)
        self._means = along[:, None, :] * np.sqrt(1 - variances)  # of s_n, (B, F, N)
        largest = np.abs(self._means).max(axis=(1, 2))
        largest[largest == 0] = 1
        self._means /= largest[:, None, None]
        means = np.cos(np.pi * (np.arange(_MEANS) + 0.5) / (2 * _MEANS))  # the positive half
        low, high = variances.min(), max(variances.max(), 1e-3)
        half, middle = max((high - low) / 2, 1e-4), (high + low) / 2
        nodes = np.cos(np.pi * (np.arange(_VARIANCES) + 0.5) / _VARIANCES)
        points, weights = special.roots_hermitenorm(_NODES)
        self._points, self._weights = points, weights / weights.sum()
        self._node_deviations = np.sqrt(np.maximum(middle + half * nodes, 0))
        s = (largest[:, None] * means)[:, :, None, None]
        s = s + (norms[:, None] * self._node_deviations / np.sqrt(dim))[:, None, :, None] * points
        s = np.clip(s, -norms[:, None, None, None], norms[:, None, None, None])
        up, down = (
            _tangent(sign * epsilon * s, epsilon**2, norms[:, None, None, None] ** 2, dim, architecture)
            for sign in (1, -1)
        )
        self._odd, self._even = (up - down) / 2, (up + down) / 2
        # From values at the nodes to coefficients of squares of means and powers of variances.
        self._from_means = np.linalg.inv(np.vander(means**2, increasing=True))
        self._from_variances = np.linalg.inv(np.vander(nodes, increasing=True))
        self._nodes = means
        scaled = (variances - middle) / half
        self._powers = np.vander(scaled.ravel(), _VARIANCES, increasing=True).T

    def odd(self) -> _Means:
        """Return the means of ψ."""
        u = self._odd
        return _Means(self._at(u, odd=True), self._at(u**2), self._at(u, slope=True))

    def even(self) -> _Means:
        """Return the means of χ."""
        u = self._even
        return _Means(self._at(u), self.even_square(), self._at(u, odd=True, slope=True))

    def even_square(self) -> Array:
        """Return E χ²."""
        return self._at(self._even**2)

    def given(self, targets: Array) -> _Means:
        """Return the means of ψ + t_n χ."""
        odd, even = self.odd(), self.even()
        crossed = 2 * targets * self._at(self._odd * self._even, odd=True)
        return _Means(
            odd.mean + targets * even.mean,
            odd.square + even.square + crossed,
            odd.first + targets * even.first,
        )

    def _at(self, u: Array, *, odd: bool = False, slope: bool = False) -> Array:
        """Return E u(s_n), or with `slope` E u(s_n) ξ_n, at all times and samples, shape (B, F, N).

        `odd` says whether it is an odd function of the mean of s_n, which is taken in units of its largest.
        """
        values = (u * (self._points * self._weights if slope else self._weights)).sum(axis=-1)
        if slope:  # the deviation is a factor of E u ξ, and no polynomial of the variance
            values = values / self._node_deviations
        if odd:
            values = values / self._nodes[:, None]
        coefficients = self._from_means @ values @ self._from_variances.T  # (B, _MEANS, _VARIANCES)
        x, shape = self._means.reshape(len(values), -1), self._means.shape
        square, total = x**2, coefficients[:, -1] @ self._powers
        for k in range(_MEANS - 2, -1, -1):
            total *= square
            total += coefficients[:, k] @ self._powers
        if odd:
            total *= x
        total = np.asarray(total.reshape(shape))
        return np.asarray(total * self._deviations) if slope else total


def _tangent(inner: Array, square: float, squares: Array, dim: int, architecture: Architecture) -> Array:
    """Return Θ of pairs of points from ⟨r, z⟩, ‖r‖² and ‖z‖²."""
    v_r, v_z = square / dim + 1, squares / dim + 1
    gap = np.maximum(square + squares - 2 * inner, 0) / dim
    gap = gap + np.maximum(square * squares - inner**2, 0) / dim**2  # v_r v_z − c²
    theta = np.arctan2(np.sqrt(gap), inner / dim + 1)
    u = Covariance(v_z, np.asarray(v_r), v_r - v_z, 2 * np.sin(theta / 2) ** 2, theta)
    return np.asarray(kernels(u, inner, architecture, architecture.rates_for(dim)).tangent)


def _in_deviations(mean: Array, deviation: Array) -> Array:
    """Return a mean in standard deviations, far from 0 where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.clip(np.where(mean == 0, 0, mean / deviation), -_FAR, _FAR))
