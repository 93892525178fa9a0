"""How far the input gradient of a trained network can be from its prediction, at the training points.

    ‖∇f(x_n; T) − T ∇f_b(x_n)‖ ≤ e_n   for all n together, with probability at least 1 − δ,

∇f_b with the term of the moving kinks (`theory.perturbation_direction`).  e_n is a fluctuation (the initial
gradient, in the end) and a bias (neurons whose own kink or whose samples' kinks move).  Derivation 13.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.bound import Assumption, Bound
from theory.bounds.margin import bad_shares
from theory.bounds.moments import QUIET, fourth_moment, log_inverse, second_moment
from theory.bounds.speeds import EPS, Speeds
from theory.kernel.rows import COINCIDING, ONE_BY_ONE
from theory.predictors import perturbation_direction
from theory.setting import Setting, training_set
from theory.validation import Array, check_probability, data_by_keyword

_THIRD = 2 * math.sqrt(2 / math.pi)  # E|α|³, α ~ N(0, 1)
_RATES = np.exp(np.linspace(-2.0, 2.0, 81))  # the best of a grid of Chernoff rates is one of them
_SLACK = 1e-9  # elementary functions of positive numbers: a few dozen roundings, far below this


class Spread(NamedTuple):
    """Σ(X − E X) with E|X|^j ≤ (j!/2) ν c^{j−2} summed over the neurons: tails like √(2νt) + ct."""

    deviation: Array  # √ν
    scale: Array  # c

    def tail(self, risk: float) -> Array:
        """Return what one side exceeds with probability at most `risk` (Bernstein)."""
        t = log_inverse(risk)
        return np.asarray(math.sqrt(2 * t) * self.deviation + t * self.scale)

    @QUIET
    def radius(self, dim: int, risk: float) -> Array:
        """Return what the length of a vector exceeds with probability at most `risk`.

        For a vector in R^d whose component in every direction has this spread.  With θ uniform on the
        sphere, E e^{κθ₁} ≥ e^{J(κ)}, J(κ) = a(2q − log(1 + q)), a = d/2, κ = 2a√(q² + q); Markov.
        """
        t, a = log_inverse(risk), dim / 2
        best = np.full_like(self.deviation, np.inf)
        for factor in _RATES:
            rate = factor * math.sqrt(2 * t + dim) / self.deviation
            # There are no moments from the rate 1/c on: beyond it 1/(1/rate + c).
            used = rate * self.scale
            rate = np.where(used < 1, rate, rate / (1 + used))
            room = np.where(used < 1, 1 - used, 1 / (1 + used))
            level = (t + rate**2 * self.deviation**2 / (2 * room)) / a
            q = level  # Newton for 2q − log(1 + q) = level, convex: from above, never below the root
            for _ in range(6):
                q = q - (2 * q - np.log1p(q) - level) / (2 - 1 / (1 + q))
            q = q * (1 + _SLACK)
            best = np.where(room > 0, np.fmin(best, 2 * a * np.sqrt(q * q + q) / rate), best)
        return best


class Gradients(NamedTuple):
    """What the bounds of ∇f(x_n; T) − T ∇f_b(x_n) are made of, for n = 1..N."""

    predicted: Array  # T ∇f_b(x_n), shape (N, d)
    pushes: Array  # y_k x_k/N, shape (N, d)
    initial: Spread  # of the initial gradient in any direction
    flipped: Spread  # the same, with φ' at time T
    fourth: Array  # ≥ E[α⁴ φ'_T²], shape (N,)
    third: Array  # S₃(τ_n) = E[|α|³ 1{free at x_n}], shape (N,)
    others: float  # ≥ (1/N) Σ |⟨x_k, e⟩| S₃(τ_k) for every unit vector e
    speed: float  # ≥ |(1/N) Σ y_k φ'_k ⟨x_k, e⟩| for every unit vector e and φ'_k in [γ, 1]
    bias: dict[str, Array]  # bounds of ‖E ∇f − T ∇f_b‖, term by term
    setting: Setting

    def trained(self, speed: Array) -> Spread:
        """Return the spread of Σ a φ'_T ⟨w(T), e⟩, |(1/N) Σ y_k φ'_k ⟨x_k, e⟩| ≤ `speed`: step 2."""
        slope, m, dim = self.setting.negative_slope, self.setting.width, self.setting.dim
        T = np.float64(self.setting.T_f)  # overflows quietly
        first, second = self.flipped.deviation**2, (T * speed) ** 2 / m * self.fourth
        free = (1 - slope**2) * speed * self.third + (1 - slope) * self.others
        total = first + second + 2 * (T / math.sqrt(m)) * math.sqrt(2 / (math.pi * dim)) * free
        more = np.maximum((np.sqrt(first) + np.sqrt(second)) ** 2 / total, 1.0)
        return Spread(np.sqrt(total), (self.flipped.scale + 2 * T * speed / m) * more)

    def length(self, risk: float) -> dict[str, Array]:
        """Return terms of a bound of ‖∇f(x_n; T) − T ∇f_b(x_n)‖, `risk` for each n."""
        spreads = (self.initial, self.flipped, self.trained(np.full(len(self.predicted), self.speed)))
        return self._terms([spread.radius(self.setting.dim, risk) for spread in spreads])

    def speeds(self, directions: Array) -> Array:
        """Return at least |(1/N) Σ y_k φ'_k ⟨x_k, e⟩|, φ'_k in [γ, 1], for directions e of length ≤ 1."""
        parts, slope = directions @ self.pushes.T, self.setting.negative_slope
        up, down = np.maximum(parts, 0).sum(axis=1), np.maximum(-parts, 0).sum(axis=1)
        largest = np.maximum(up - slope * down, down - slope * up)
        return np.asarray(largest + _SLACK * np.linalg.norm(self.pushes, axis=1).sum())

    def along(self, speed: Array, risk: float) -> dict[str, Array]:
        """Return terms of a bound of |⟨∇f − T ∇f_b, e⟩|, `risk` for each n and side.

        `speed`, from `speeds`, has shape (N,) for a direction each, or (Q, 1); the result (N,) or (Q, N).
        """
        spreads = (self.initial, self.flipped, self.trained(speed))
        return self._terms([spread.tail(risk) for spread in spreads])

    def _terms(self, tails: list[Array]) -> dict[str, Array]:
        first, second, third = tails
        fluctuation = {
            "initial gradient": first,
            "flips at x_n": np.maximum(second - first, 0),
            "kernel fluctuation": np.maximum(third - second, 0),
        }
        terms = {name: value * (1 + _SLACK) for name, value in (fluctuation | self.bias).items()}
        return {name: np.where(np.isnan(value), np.inf, value) for name, value in terms.items()}


@QUIET
@data_by_keyword
def gradient_bound(*, X: ArrayLike, y: ArrayLike, setting: Setting, delta: float) -> Bound:
    """Return e_n ≥ ‖∇f(x_n; T_f) − T_f ∇f_b(x_n)‖ for all n together, with probability at least 1 − δ.

    **Statement.**  P(some n has ‖∇f(x_n; T_f) − T_f ∇f_b(x_n)‖ > e_n) ≤ δ over the initialisation of f, with
    ∇f_b of `theory.perturbation_direction`.  e_n = fluctuation + kinks + own kink + drift, each in full in
    Derivation 13.  The fluctuation tends to that of the initial gradient, of order √((1 + γ²)/2), which does
    not shrink with width; kinks and drift are O(T²/√m), a fraction of O(T/√m) of
    the prediction; own kink is at most
    T (1−γ)² k(x_n, x_n)/(2πN s(x_n) √d), and does not shrink with width either.

    **Assumptions.**  Identity loss; full batch, any non-negative step weights of total T_f (descent with
    momentum, flow), no weight decay; Gaussian initialisation; X fixed independently of it.  At u = 0 φ' may
    be any number in [γ, 1].

    **Derivation.**  Derivation 13, steps 1 to 4.

    **Checked by.**  tests/test_theory/test_certificates/test_apriori.py: violations on simulated networks,
    each term beside what it bounds.

    Parameters
    ----------
    X, y : arrays, shapes (N, d) and (N,)
        What f is trained on.
    setting : Setting
        Width, slope, T_f and loss.
    delta : float in (0, 1)
        Of a violation at any of the N points.

    Returns
    -------
    Bound
        Terms of shape (N,): "initial gradient", "flips at x_n", "kernel fluctuation", "kinks", "own kink",
        "drift" and "rounding" of the prediction.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or δ is out of range.

    Examples
    --------
    >>> from theory import Setting, gradient_bound
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> gradient_bound(**data, setting=setting, delta=0.01).value.round(4)
    array([3.4537, 3.4537])
    """
    X, y = training_set(X, y, setting)
    risk = check_probability("delta", delta)
    terms = gradients(X, y, setting).length(risk / len(X))
    return Bound(terms, risk, assumptions(setting))


def assumptions(setting: Setting) -> tuple[Assumption, ...]:
    """Return what the bounds of this file assume."""
    return (
        Assumption("identity loss", setting.loss == "identity"),
        Assumption("full batch, non-negative step weights of the given total, no weight decay", None),
        Assumption("w ~ N(0, I/d), b ~ N(0, 1), a ~ N(0, 1/m), independent; a frozen", None),
        Assumption("X, y and target labels fixed independently of the initialisation", None),
    )


@QUIET
def gradients(X: Array, y: Array, setting: Setting) -> Gradients:
    """Return the parts of the bounds for checked data; Derivation 13."""
    N, dim = X.shape
    slope, T, m = setting.negative_slope, np.float64(setting.T_f), setting.width  # overflows quietly
    at = Speeds(X, X, y, slope)
    reach = T / math.sqrt(m)
    spectral = float(np.linalg.norm(X, 2)) * (1 + _SLACK)
    unsure = ((1 - slope) / 2 + _SLACK) * spectral / math.sqrt(N)
    speed = (1 + slope) / 2 * float(np.linalg.norm(y @ X / N)) + unsure
    tau = reach * at.largest / at.scale
    ones = np.ones(N)
    initial = Spread(math.sqrt((1 + slope**2) / (2 * dim)) * ones, ones / math.sqrt(dim * m))
    flipped = Spread(
        np.sqrt(((1 + slope**2) + (1 - slope**2) * second_moment(tau)) / (2 * dim)), initial.scale
    )
    bad = bad_shares(reach, at, at, *at.turns).T  # x_j bad in the strip of x_n, shape (n, j)
    bias = {
        **_kinks(at, bad, reach, T),
        "drift": T * _drift(at, bad, reach, speed * (1 + _SLACK), spectral),
        "rounding": T * _rounding(at),
    }
    third = _third(tau / np.hypot(1, tau))
    return Gradients(
        predicted=T * perturbation_direction(X=X, y=y, negative_slope=slope),
        pushes=X * (y / N)[:, None],
        initial=initial,
        flipped=flipped,
        fourth=(3 * (1 + slope**2) + (1 - slope**2) * fourth_moment(tau)) / 2,
        third=third,
        others=spectral * float(np.linalg.norm(third)) / N,
        speed=speed * (1 + _SLACK),
        bias=bias,
        setting=setting,
    )


# Terms ---------------------------------------------------------------------------------------------


def _kinks(at: Speeds, bad: Array, reach: float, T: float) -> dict[str, Array]:
    """Bound ‖m E[a(φ'_T − φ'_0) w] − T (1/N) Σ y_k k ∇Φ‖: Derivation 13, step 3."""
    slope, dim, v = at.slope, at.X.shape[1], at.largest
    density = 1 / (math.sqrt(2 * math.pi) * at.scale)
    own = np.diag(at.shares)
    # The paths of neurons with bad j, and the values of φ'_j that are put in place of the true ones.
    moments = _second(bad) + _replaced(bad)
    others = np.einsum("nj,nj->n", at.shares, moments) - own * np.diag(moments)
    size = math.sqrt(2 / (math.pi * dim))  # ≥ E|⟨w', e⟩|
    curved = reach**2 * v**3 / (2 * at.scale**2)
    parallel = np.linalg.norm(at.X, axis=1) / (dim * at.scale**2) * reach * v**2 * _THIRD
    front = (1 - slope) * T * density
    return {
        "kinks": front * (size * ((1 - slope) / 2 * others + curved) + parallel),
        "own kink": front * size * (1 - slope) / 2 * own,
    }


def _drift(at: Speeds, bad: Array, reach: float, speed: float, spectral: float) -> Array:
    """Bound ‖E[α² (φ'_T p̄ − φ'_0 p_0)]‖: Derivation 13, step 4."""
    slope, N = at.slope, len(at.X)
    third = _third(bad)
    unsure = (1 - slope) / 2 * np.einsum("nj,nj->n", at.shares, third)
    rate = reach / (math.sqrt(2 * math.pi) * at.scale)  # R p
    flips = rate * np.maximum(at.largest, (1 - slope) * at.kappa)
    own = speed * rate * unsure + flips * (1 - slope) / 2 * spectral * np.linalg.norm(third, axis=1) / N
    # Row n, column k: x_k moves across its kink, and φ' at x_n may or may not be known in its strip.
    each = (rate * unsure)[None, :] / 2 + (1 - slope) / 2 * (flips[:, None] * third).T
    return np.asarray((1 - slope) * (own + spectral * np.linalg.norm(each, axis=1) / N))


def _rounding(at: Speeds) -> Array:
    """Bound the rounding error of ∇f_b: sums of sizes, and the direction of nearly parallel pairs."""
    N, dim = at.X.shape
    steepest = (1 - at.slope) ** 2 / (2 * math.pi * math.sqrt(dim) * at.scale)  # ≥ ‖∇Φ‖
    # The unit vector t/|t| from x_n to x_k is off by 2 c ε over |t|, the sine, as t is off by c ε,
    # c ≤ N + d + 64, sum over samples included (in pairs taken one by one ‖x_k ± x_n‖ ≤ 3 ‖x_k‖).  The
    # sine here is that of the kernel up to 4 ε.  Pairs of sine up to `ONE_BY_ONE` are added as unit vectors,
    # or 0: off by no more than 2 and a few roundings.
    sine = np.sin(at.theta)
    noise = 8 * EPS * (N + dim + 64) / np.maximum(sine, COINCIDING * EPS)
    noise = np.where(sine < ONE_BY_ONE / 2, np.minimum(noise, 3.0), noise)
    # At a point of the same coordinates, a cone point, the value is a choice.
    same = np.unique(at.X + 0.0, axis=0, return_inverse=True)[1].reshape(-1)  # −0 is 0
    blur = np.where(same[:, None] == same, 0.0, noise)
    sizes = np.linalg.norm(at.X, axis=1).mean() + steepest * at.kappa
    turned = steepest * np.einsum("nj,nj->n", at.shares, blur)
    return np.asarray(64 * EPS * (N + dim + 64) * sizes + turned)


def _second(bad: Array) -> Array:
    """E[α² erf(β|α|/√2)] for p = β/√(1 + β²): S(β), as in Derivation 5."""
    return np.asarray(2 / np.pi * (np.arcsin(bad) + bad * np.sqrt((1 - bad) * (1 + bad))))


def _third(bad: Array) -> Array:
    """E[|α|³ erf(β|α|/√2)] for p = β/√(1 + β²): 3√(2/π)(p − p³/3)."""
    return np.asarray(1.5 * _THIRD * (bad - bad**3 / 3))


def _replaced(bad: Array) -> Array:
    """√(π/2) E[α² |ξ| 1{|ξ| ≤ β|α|}], ξ ~ N(0, 1), for p = β/√(1 + β²): 1 − (1 + β²)^(−3/2)."""
    return np.asarray(1 - ((1 - bad) * (1 + bad)) ** 1.5)
