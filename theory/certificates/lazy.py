"""Certificates: where sgn f(z; T), sgn g(z; T), or their agreement is proved for this data, width and time.

A certificate says *positive*, *negative* or *unknown* (for two networks *agree*, *disagree* or *unknown*).
The probability that it says something and is wrong is at most δ over the initialisations.  Derivations 8, 9.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.bounds.bound import Assumption, Bound
from theory.bounds.margin import DYNAMICS, Dynamics, Problem, bound_of, problem_of
from theory.bounds.speeds import EPS, Speeds
from theory.kernel.enclosure import Sign
from theory.setting import Setting
from theory.tables import Tabular
from theory.validation import (
    Array,
    as_labels,
    as_points,
    as_real,
    check_choice,
    check_probability,
    check_real,
    check_slope,
    data_by_keyword,
)
from theory.verdicts import Verdicts

_BLOCK = 1 << 18  # entries of temporary arrays: what caches hold
_LEAST_NEURONS = 256  # in a block, each of which makes an array of points × samples as well
_SMALLEST = 1e-140  # readouts and times whose squares keep all their digits


class Agreement(StrEnum):
    """Whether two networks have the same sign at a point; unknown where it is not proved."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNKNOWN = "unknown"


class Proof(Tabular):
    """The sign of one network at query points, where it is proved."""

    @property
    @abstractmethod
    def signs(self) -> NDArray[np.int_]:
        """The proved signs, −1 or +1, and 0 where unknown, shape (Q,)."""

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Where the sign is proved."""
        return np.asarray(self.signs != 0)

    @property
    def share(self) -> float:
        """The part of the points that are certified."""
        return float(np.mean(self.certified))

    @property
    def verdicts(self) -> Verdicts:
        """One `Sign` a point, shape (Q,)."""
        names = {1: Sign.POSITIVE, -1: Sign.NEGATIVE, 0: Sign.UNKNOWN}
        return Verdicts.of(names[sign] for sign in self.signs.tolist())

    def _columns(self) -> Mapping[str, ArrayLike]:
        return {"verdict": self.verdicts}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.verdicts!r})"


@dataclass(frozen=True, eq=False, repr=False)
class AgreementProof(Tabular):
    """What is proved about the signs of f and g together, each with half of δ."""

    f: Proof
    g: Proof

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Where both signs are proved."""
        return self.f.certified & self.g.certified

    @property
    def share(self) -> float:
        """The part of the points where agreement or disagreement is proved."""
        return float(np.mean(self.certified))

    @property
    def verdicts(self) -> Verdicts:
        """One `Agreement` a point, shape (Q,)."""
        names = {1: Agreement.AGREE, -1: Agreement.DISAGREE, 0: Agreement.UNKNOWN}
        return Verdicts.of(names[product] for product in (self.f.signs * self.g.signs).tolist())

    def _columns(self) -> Mapping[str, ArrayLike]:
        return {"f": self.f.verdicts, "g": self.g.verdicts, "verdict": self.verdicts}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.verdicts!r}, f={self.f!r}, g={self.g!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Proof):
    """What is proved about the sign of one network at query points.

    Attributes
    ----------
    predictor : array, shape (Q,)
        The number whose sign the network has if `bound` is smaller: f_b(z), or for `certify_network` the
        exact velocity at the initial weights plus f(z; 0)/T.
    bound : Bound
        Of the distance to f(z; T)/T, term by term; its `delta` is that of one point.
    """

    predictor: Array
    bound: Bound

    @property
    def margin(self) -> Array:
        """|predictor| less bound, shape (Q,): positive where the sign is proved."""
        with np.errstate(invalid="ignore"):  # ∞ − ∞ is unknown
            return np.asarray(np.abs(self.predictor) - self.bound.value)

    @property
    def signs(self) -> NDArray[np.int_]:
        """The proved signs, −1 or +1, and 0 where unknown; unknown where a number is not finite."""
        proved = np.isfinite(self.predictor) & np.isfinite(self.bound.value) & (self.margin > 0)
        return np.where(proved, np.sign(self.predictor), 0).astype(int)

    def _columns(self) -> Mapping[str, ArrayLike]:
        numbers = {"predictor": self.predictor, "bound": self.bound.value, "margin": self.margin}
        return {**numbers, "verdict": self.verdicts}


@dataclass(frozen=True, eq=False, repr=False)
class AgreementCertificate(AgreementProof):
    """What is proved about the signs of f and g together.

    Attributes
    ----------
    f, g : Certificate
        Each with half of δ.
    """

    f: Certificate
    g: Certificate


@data_by_keyword
def certify(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    network: Literal["f", "g"] = "f",
    dynamics: Dynamics = "descent",
    simultaneous: bool = False,
) -> Certificate:
    """Prove the sign of a network at query points before it is initialised.

    **Statement.**  At each point, P(certified and sgn f(z; T) ≠ sgn f_b(z)) ≤ δ over the initialisation;
    simultaneous: P(this happens at any of the Q points) ≤ δ.  It is not a probability given that the
    point is certified.

    **Assumptions.**  Those of `margin_bound`.  A training or test point qualifies as z; for f a point made
    from f itself (x_n + r_n) does not.  Not covered: minibatches, weight decay, a trained readout, other
    losses (unknown), rounding errors of the training.

    **Derivation.**  Derivations 8, 9: |f_b(z)| > bound, one-sided, with a union bound over points.

    **Checked by.**  tests/test_theory/test_certificates/test_lazy.py.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
        What the network is trained on.
    setting : Setting
    delta : float in (0, 1)
    network : {"f", "g"}
        Whether T is T_f or T_g.
    dynamics : {"descent", "flow"}
        Descent holds for any step sizes and momentum; flow proves more, for gradient flow only.
    simultaneous : bool

    Returns
    -------
    Certificate

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or an argument is out of range.

    Examples
    --------
    >>> from theory import Setting, certify
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> certify([[2.0, 1.0], [0.1, 5.0]], **data, setting=setting, delta=0.01).verdicts
    <2 verdicts: 1 positive, 1 unknown>
    """
    prove = prover(Z, X, y, setting, delta=delta, network=network, simultaneous=simultaneous)
    return prove(setting, dynamics)


def prover(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    *,
    delta: float,
    network: Literal["f", "g"] = "f",
    simultaneous: bool = False,
) -> Callable[[Setting, Dynamics], Certificate]:
    """Return `certify` as a function of settings that differ in width and times, and of the dynamics.

    What depends on the data alone is computed once.
    """
    at = problem_of(Z, X, y, setting, network).at
    risk = check_probability("delta", delta, parts=len(at.Z) if simultaneous else 1)

    def prove(setting: Setting, dynamics: Dynamics) -> Certificate:
        check_choice("dynamics", dynamics, DYNAMICS)
        bound = bound_of(Problem.of(at, setting, network), setting, risk, dynamics, sides=1)
        return Certificate(at.mean, bound)

    return prove


@data_by_keyword
def certify_agreement(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    setting: Setting,
    delta: float,
    dynamics: Dynamics = "descent",
    simultaneous: bool = False,
) -> AgreementCertificate:
    """Prove whether f and g have the same sign at query points, for a given perturbed set.

    **Statement.**  At each point, P(the verdict is agree or disagree, and wrong) ≤ δ over the two
    initialisations.

    **Assumptions.**  Those of `certify` for both networks; g is initialised independently of f, and
    (X_adv, y_adv) do not depend on g's initialisation: perturbations of f with random labels, scenario (a)
    or (b), do not.  z may not depend on either initialisation.

    **Derivation.**  Derivation 8: f with δ/2; given f and the labels the perturbed set is a data set like any
    other, so g with δ/2.  Zero gradients (r_n = 0) are allowed.

    **Checked by.**  tests/test_theory/test_certificates/test_lazy.py.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
        What f is trained on.
    X_adv, y_adv : arrays, shapes (N, d) and (N,)
        What g is trained on, in either scenario.
    setting, delta, dynamics, simultaneous
        As in `certify`.

    Returns
    -------
    AgreementCertificate

    Raises
    ------
    ValueError
        As `certify`.

    Examples
    --------
    >>> from theory import Setting, certify_agreement
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> adv = {"X_adv": [[1.0, 0.0], [1.0, 0.0]], "y_adv": [1, 1]}
    >>> certify_agreement([[9.0, 1.0]], **data, **adv, setting=setting, delta=0.01).verdicts
    <1 verdict: 1 agree>
    """
    prove = agreement_prover(Z, X, y, X_adv, y_adv, setting, delta=delta, simultaneous=simultaneous)
    return prove(setting, dynamics)


def agreement_prover(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    setting: Setting,
    *,
    delta: float,
    simultaneous: bool = False,
) -> Callable[[Setting, Dynamics], AgreementCertificate]:
    """Return `certify_agreement` as `prover` returns `certify`."""
    X_adv = as_points("X_adv", X_adv)
    y_adv = as_labels("y_adv", y_adv, length=len(X_adv))
    risk = check_probability("delta", delta, parts=2)
    f = prover(Z, X, y, setting, delta=risk, network="f", simultaneous=simultaneous)
    g = prover(Z, X_adv, y_adv, setting, delta=risk, network="g", simultaneous=simultaneous)
    return lambda setting, dynamics: AgreementCertificate(f(setting, dynamics), g(setting, dynamics))


@data_by_keyword
def certify_network(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike,
    biases: ArrayLike,
    readout: ArrayLike,
    T: float,
    negative_slope: float = 0.0,
) -> Certificate:
    """Prove the sign, after training, of the network that has these initial weights; no chance is left.

    **Statement.**  f(z; T)/T differs from f(z; 0)/T + Σ_i a_i² q_i, which is computed, by at most
    (1−γ) Σ_i a_i² (v(z) 1{i free at z} + (1/N) Σ_n |k(x_n, z)| 1{i free at x_n}), with "free" decided for
    the weights in hand: |u_i| ≤ |a_i| T v.

    **Assumptions.**  Identity loss, full batch, any non-negative step weights of total T, no weight decay,
    frozen readout.  Any initial weights, any z.  Exact arithmetic of the training.

    **Derivation.**  Derivation 8, step 3, before the expectation.

    **Checked by.**  tests/test_theory/test_certificates/test_lazy.py, against trained networks.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
    weights : array, shape (m, d)
        w_i at initialisation.
    biases, readout : arrays, shape (m,)
        b_i at initialisation; a_i.
    T : float
        Flow time, > 0.
    negative_slope : float in [0, 1)

    Returns
    -------
    Certificate
        With δ = 0.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from theory import certify_network
    >>> d = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> rng, m = np.random.default_rng(0), 10**5
    >>> weights = {"weights": rng.normal(0, 0.5**0.5, (m, 2)), "biases": rng.normal(size=m)}
    >>> certify_network([[2.0, 1.0]], **d, **weights, readout=rng.normal(0, m**-0.5, m), T=9.0).verdicts
    <1 verdict: 1 positive>
    """
    X = as_points("X", X)
    y = as_labels("y", y, length=len(X))
    Z = as_points("Z", Z, dim=X.shape[1], or_one=True)
    W = as_points("weights", weights, dim=X.shape[1])
    b, a = (_as_vector(name, value, len(W)) for name, value in (("biases", biases), ("readout", readout)))
    T = check_real("T", T, minimum=0, exclusive=True)
    slope = check_slope("negative_slope", negative_slope)
    at, samples = Speeds(Z, X, y, slope), Speeds(X, X, y, slope)
    Q, N, m = len(Z), len(X), len(W)
    output, velocity, size, spread = np.zeros(Q), np.zeros(Q), np.zeros(Q), np.zeros(Q)
    free_z, free_x = np.zeros(Q), np.zeros(N)
    step = max(_LEAST_NEURONS, _BLOCK // (Q + N))
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is unknown
        # |u| up to these times (|a| T, blur) may be free: how far a neuron moves, and the length of (z, 1).
        limits_z = np.column_stack([at.largest, 1 + np.linalg.norm(Z, axis=1)])
        limits_x = np.column_stack([samples.largest, 1 + np.linalg.norm(X, axis=1)])
        for part in (slice(start, start + step) for start in range(0, m, step)):
            u, u_n = Z @ W[part].T + b[part], X @ W[part].T + b[part]
            # A pre-activation is known up to this much; a neuron that could be free counts as free.
            blur = 8 * (X.shape[1] + 8) * EPS * (np.linalg.norm(W[part], axis=1) + np.abs(b[part]))
            heights, square = np.abs(a[part]), a[part] ** 2
            reach = np.stack([heights * T, blur]) * (1 + 1e-12)
            absolute = np.abs(u)
            free_z += ~(absolute > limits_z @ reach) @ square  # a limit that is NaN rules out nothing
            free_x += ~(np.abs(u_n) > limits_x @ reach) @ square
            output += np.maximum(u, slope * u) @ a[part]
            blurred = limits_z[:, 1] * (blur @ heights)  # of the outputs, from that of the pre-activations
            size += absolute @ heights + blurred
            spread += blurred
            active, active_n = np.maximum(u > 0, slope), np.maximum(u_n > 0, slope)  # 1 or γ
            velocity += np.einsum("qn,qn->q", at.signed, (active * square) @ active_n.T)
        total = float(np.sum(a**2))
        terms = {
            "flips at z": (1 - slope) * at.largest * free_z * (1 + 1e-9),
            "flips at samples": (1 - slope) * (at.shares @ free_x) * (1 + 1e-9),
            "rounding": 8 * (m + N + X.shape[1] + 8) * EPS * (size / T + total * at.kappa)
            + 4 * total * at.rounding
            + 2 * spread / T,
        }
        predictor = output / T + velocity
        if (np.abs(a[a != 0]) < _SMALLEST).any() or T < _SMALLEST:  # a² or a T may have underflowed
            predictor = np.full(Q, np.nan)
    assumptions = (
        Assumption("identity loss", None),
        Assumption("full batch, non-negative step weights of total T, no weight decay", None),
    )
    return Certificate(predictor, Bound(terms, 0.0, assumptions))


def _as_vector(name: str, value: ArrayLike, length: int) -> Array:
    column = as_real(name, value).reshape(-1)
    if len(column) != length:
        msg = f"{name} must have {length} entries, one a neuron, got {len(column)}"
        raise ValueError(msg)
    return column
