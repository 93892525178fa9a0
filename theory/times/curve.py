"""When g agrees with f: the law of the two outputs over initialisations, as a function of both times.

Scenario (a): r_n = ε t_n e_n, e_n = ∇f(x_n; T_f)/‖·‖, t_n the targets.  With ψ and χ the odd and the even
part of the kernel Θ(ε e, z) as a function of s = ⟨e, z⟩, the velocity of g at z is

    G(z) = (1/N) Σ ψ(s_n) + (1/N) Σ t_n χ(s_n):   signal and label noise.

s_n is nearly Gaussian over initialisations of f, and with it (f(z; T_f), g(z; T_g)).  Derivation 18.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from theory.deep.architecture import Architecture, one_of
from theory.deep.kernels import ntk
from theory.geometry import finite
from theory.kernel import threads
from theory.predictors import initial_deviation
from theory.setting import SCENARIOS, Scenario
from theory.tables import Tabular
from theory.times.initial import InitialGradients
from theory.times.moments import AroundSamples, Moments, OnSphere, number_of_nodes
from theory.times.velocity import gradients, relative_error, velocity
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
_ENTRIES = 1 << 17  # (times × queries × samples) that are worked on together: 1 MiB an array
_PARTS = ("mean_f", "deviation_f", "signal", "signal_noise", "label_noise", "initial", "deviation_g")
_NOTHING = 1e-150
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
        return self._chances(times.reshape(times.shape + (1,) * self._points), times.ndim)

    def paired(self, T_g: ArrayLike) -> Array:
        """Return `probability` at times of f and of g that belong together, of one shape: shape (F, Q)."""
        times = check_times("T_g", T_g)
        if times.shape != self.T_f.shape:
            msg = f"T_g must have the shape of T_f, {self.T_f.shape}, got {times.shape}"
            raise ValueError(msg)
        return self._chances(times.reshape(times.shape + (1,) * self._points), 0)

    def _chances(self, times: Array, new_axes: int) -> Array:
        """Return the probability at times of g, for which axes are put behind those of T_f."""
        # Of unit length: T_g/(1 + T_g) and 1/(1 + T_g).
        t = np.divide(times, 1 + times, out=np.ones_like(times), where=np.isfinite(times))
        axes = (self.T_f.ndim,) * new_axes
        noise = self.signal_noise + self.label_noise
        mean_f, deviation_f, signal, noise, initial, deviation_g = (
            np.expand_dims(part, axes)
            for part in (self.mean_f, self.deviation_f, self.signal, noise, self.initial, self.deviation_g)
        )
        deviation = np.hypot((1 - t) * deviation_g, t * np.sqrt(noise))
        with np.errstate(all="ignore"):
            shared = np.where(deviation_f * deviation == 0, 0, t * initial / deviation_f / deviation)
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
    # As good as 0, and products with 1 − ρ are no subnormal numbers.
    a, b = (np.where(np.abs(value) < _NOTHING, _NOTHING, value) for value in (a, b))
    rho = np.clip(rho, -1, 1)
    root = np.maximum(np.sqrt((1 - rho) * (1 + rho)), tiny)
    with np.errstate(over="ignore"):
        sign, rest = np.where(rho < 0, -1, 1), 1 - np.abs(rho)  # b − ρa = b ∓ a ± (1 − |ρ|) a, to all digits
        parts = special.owens_t(a, (b - sign * a + sign * rest * a) / a / root)
        parts += special.owens_t(b, (a - sign * b + sign * rest * b) / b / root)
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
    scenario: Scenario = "a",
) -> AgreementLaw:
    """Return the law of agreement of f and g, before either is trained, for the identity loss.

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
        Of the perturbations: independent and uniform; a random order of as many +1 as −1 (one more +1 if N
        is odd); or given.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    scenario : {"a", "b"}
        g is trained on perturbations alone, or on samples plus perturbations.

    Returns
    -------
    AgreementLaw

    Raises
    ------
    ValueError
        If shapes disagree, an argument is out of range.

    Notes
    -----
    Source: Derivation 18, (18.3) to (18.7).  Approximations: ‖∇f(x_n; T_f)‖² is its mean, with a relative
    error of about √(2/d); s_n is Gaussian, cut off at ±‖z‖; ψ(s_n) and ψ(s_k) are correlated as to first
    order in Hermite polynomials (label noise of balanced targets: second).  Means over s_n are polynomials,
    with an error of the probability below 1e-5 for d ≥ 10, whatever the norms; they do not depend on other
    times or points.  F, its gradients and signals that rounding may have made are 0; NaN where a sum
    overflows.  Time is of order
    (F Q + N) N² for one hidden layer, memory 24 N² bytes; time Q N² L for deeper networks
    and F Q N² L in scenario (b).

    Examples
    --------
    >>> from theory.times import agreement_law
    >>> X, y = [[1.0, 0.0], [0.0, 2.0]], [1, -1]
    >>> law = agreement_law([[1.0, 1.0], [0.0, 3.0]], X=X, y=y, T_f=2.0)
    >>> law.probability([1.0, 10.0]).round(3)
    array([[0.578, 0.701],
           [0.697, 0.923]])
    >>> law.share(float("inf")).round(3)
    np.float64(0.816)
    """
    pair = Pair.checked(Z, X, y, targets, negative_slope, architecture, scenario)
    return pair.law(check_times("T_f", T_f), pair.epsilon(epsilon))


@data_by_keyword
def agreement_given_f(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    outputs: ArrayLike,
    directions: ArrayLike,
    epsilon: float | None = None,
    targets: Targets | ArrayLike = "random",
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    scenario: Scenario = "a",
) -> AgreementLaw:
    """Return the law of agreement given f, over the targets and the initial network of g alone.

    Parameters
    ----------
    Z, X, epsilon, targets, negative_slope, architecture, scenario
        As in `agreement_law`.
    outputs : array, shape (Q,), or a number for one point
        f(z); only the sign counts.
    directions : array, shape (N, d)
        ∇f(x_n), none zero; their lengths do not count.

    Returns
    -------
    AgreementLaw
        With NaN for T_f, and no deviation of f, signal noise or covariance.

    Raises
    ------
    ValueError
        As `agreement_law`, or if a direction is zero.

    Notes
    -----
    Source: Derivations 3 and 18.  For given targets the probability is that of
    `theory.agreement_probability`.

    Examples
    --------
    >>> from theory.times import agreement_given_f
    >>> law = agreement_given_f([1.0, 1.0], X=[[1.0, 0.0]], outputs=0.5, directions=[[1.0, 0.0]])
    >>> law.probability([0.0, 2.0, float("inf")]).round(3)
    array([0.5  , 0.797, 0.896])
    """
    points = np.atleast_2d(as_real("X", X))
    pair = Pair.checked(Z, X, np.ones(len(points)), targets, negative_slope, architecture, scenario)
    D = as_points("directions", directions, dim=pair.X.shape[1])
    f = as_real("outputs", outputs)
    if D.shape != pair.X.shape or not D.any(axis=1).all():
        msg = f"directions must be {len(pair.X)} rows as those of X, none zero, got shape {D.shape}"
        raise ValueError(msg)
    if f.shape != (() if pair.one else pair.Z.shape[:1]):
        msg = f"outputs must have shape ({'' if pair.one else f'{len(pair.Z)},'}), got {f.shape}"
        raise ValueError(msg)
    size, N = pair.epsilon(epsilon), len(pair.X)
    up, down = (
        ntk(pair.Z, pair.perturbed(sign * D, size), architecture=pair.architecture) for sign in (1, -1)
    )
    odd, even = (up - down) / 2, (up + down) / 2
    label_noise = np.zeros(len(pair.Z))
    if isinstance(pair.targets, str):
        spread = (even**2).mean(axis=1) / N, pair.balanced_factor * even.var(axis=1)
        label_noise = spread[pair.targets == "balanced"]
    odd = odd + pair.mean_targets * even
    nothing = np.zeros_like(f)

    def shaped(values: Array) -> Array:
        return np.asarray(values.reshape(f.shape))

    return AgreementLaw(
        T_f=np.array(np.nan),
        mean_f=f,
        deviation_f=nothing,
        signal=shaped(finite(odd.mean(axis=1))),
        signal_noise=nothing,
        label_noise=shaped(finite(label_noise)),
        initial=nothing,
        deviation_g=shaped(pair.deviation),
    )


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


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Checked data of f and g, and what does not depend on times and ε."""

    Z: Array
    X: Array
    y: Array
    targets: Targets | Array
    architecture: Architecture
    scenario: Scenario
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
        scenario: Scenario,
    ) -> Pair:
        """Return checked data."""
        chosen = one_of(negative_slope, architecture) or Architecture(negative_slope=negative_slope)
        check_choice("scenario", scenario, SCENARIOS)
        X = as_points("X", X)
        points = as_points("Z", Z, dim=X.shape[1], or_one=True)
        given: Any = targets
        if isinstance(targets, str):
            check_choice("targets", targets, ("random", "balanced"))
        else:
            given = as_labels("targets", targets, length=len(X))
        return cls(
            Z=points,
            X=X,
            y=as_labels("y", y, length=len(X)),
            targets=given,
            architecture=chosen,
            scenario=scenario,
            one=np.ndim(Z) == 1,
        )

    def at(self, Z: Array, targets: Targets) -> Pair:
        """Return the pair at other points and targets, with what only samples of f make."""
        other = replace(self, Z=Z, targets=targets)
        for name in ("_gradients", "_initial"):
            other.__dict__[name] = getattr(self, name)
        return other

    def epsilon(self, value: float | None) -> float:
        """Return a length ≥ 0, √d by default."""
        return float(np.sqrt(self.X.shape[1])) if value is None else check_real("epsilon", value, minimum=0)

    def drawn_targets(self, rng: np.random.Generator) -> Array:
        """Return targets of their law, or the given ones."""
        N = len(self.X)
        if not isinstance(self.targets, str):
            return self.targets
        if self.targets == "random":
            return rng.choice([-1.0, 1.0], N)
        return rng.permutation(np.where(np.arange(N) < (N + 1) // 2, 1.0, -1.0))

    @property
    def mean_targets(self) -> Array:
        """E t_n, shape (N,)."""
        N = len(self.X)
        if not isinstance(self.targets, str):
            return self.targets
        return np.full(N, N % 2 / N if self.targets == "balanced" else 0.0)

    @property
    def balanced_factor(self) -> float:
        """Var (1/N) Σ t_n χ_n over balanced targets, in units of the variance of χ_n over n."""
        N = len(self.X)
        return (N + 1) / N**2 if N % 2 else 1 / (N - 1)

    def perturbed(self, directions: Array, epsilon: float) -> Array:
        """Return what g is trained on, for perturbations along directions that already have their signs."""
        R = epsilon * _unit(directions)
        return R + self.X if self.scenario == "b" else R

    @cached_property
    def velocity(self) -> Array:
        """F(z)."""
        return velocity(self.Z, self.X, self.y, self.architecture)

    @cached_property
    def deviation(self) -> Array:
        """σ(z)."""
        return np.asarray(initial_deviation(self.Z, architecture=self.architecture))

    @cached_property
    def _gradients(self) -> tuple[Array, Array]:
        """‖∇F(x_n)‖/G₀, and ∇F(x_n)/‖∇F(x_n)‖."""
        found = gradients(self.X, self.X, self.y, self.architecture)
        return np.linalg.norm(found, axis=1) / self.architecture.initial_gradient_norm, _unit(found)

    @cached_property
    def _initial(self) -> InitialGradients:
        return InitialGradients(self.X, self.architecture)

    def law(self, T_f: Array, epsilon: float | Array) -> AgreementLaw:
        """Return the law at checked times and ε, which may be one for each time."""
        times = np.atleast_1d(T_f)
        epsilon = np.broadcast_to(epsilon, times.shape)
        nodes = number_of_nodes(self.X.shape[1])
        step = max(1, _ENTRIES // (len(times) * len(self.X) + nodes * len(np.unique(epsilon))))
        with np.errstate(all="ignore"):  # NaN in the end
            rows = [slice(q, q + step) for q in range(0, len(self.Z), step)]
            _ = self._gradients  # made before threads ask for it
            if np.isfinite(times).any() and self.scenario == "a":
                balanced = isinstance(self.targets, str) and self.targets == "balanced"
                self._initial.prepare(squared=balanced)
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

    def _block(self, rows: slice, times: Array, epsilon: Array) -> tuple[Array, ...]:
        """Return signal, its noise, label noise and covariance with f(z; 0), each of shape (B, F)."""
        N, Z = len(self.X), self.Z[rows]
        relative, directions = self._gradients
        grown = times[:, None] * relative
        grown[np.isnan(grown)] = 0  # ∞ · 0
        variances = 1 / (1 + grown**2)  # of s_n, in units of ‖z‖²/d, shape (F, N)
        parts: Moments = (
            OnSphere(Z, directions, variances, epsilon, self._initial)
            if self.scenario == "a"
            else AroundSamples(Z, directions, variances, epsilon, self._initial)
        )
        signal = parts.given(self.mean_targets) if self.mean_targets.any() else parts.odd()
        form, shared = parts.forms(signal)
        signal_noise = np.maximum(form / N**2 + signal.rest.mean(axis=-1) / N, 0)
        label_noise = np.zeros_like(form)
        if isinstance(self.targets, str) and self.targets == "random":
            # A polynomial, which may be negative where it is small.
            label_noise = np.maximum(parts.even_square(), 0).mean(axis=-1) / N
        elif isinstance(self.targets, str):
            even = parts.even()
            among = even.mean.var(axis=-1) + even.variance.mean(axis=-1)
            shared_by_all = parts.forms(even)[0] / N**2 + even.rest.mean(axis=-1) / N
            label_noise = self.balanced_factor * np.maximum(among - shared_by_all, 0)
        mean, rounding = signal.mean.mean(axis=-1), relative_error(self.X, self.architecture) * parts.size
        return np.where(np.abs(mean) <= rounding, 0.0, mean), signal_noise, label_noise, shared / N


def _in_deviations(mean: Array, deviation: Array) -> Array:
    """Return a mean in standard deviations, far from 0 where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.clip(np.where(mean == 0, 0, mean / deviation), -_FAR, _FAR))


def _unit(rows: Array) -> Array:
    """Return unit rows, scaled before squaring; 0 for those that are."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0)
    return np.asarray(scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1.0))
