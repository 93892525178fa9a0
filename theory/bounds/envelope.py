"""What is known of one neuron before anything is simulated: limits of its motion, and exponential moments.

Derivation 10.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from theory.bounds.moments import QUIET
from theory.bounds.speeds import Speeds
from theory.setting import learning_rate_for
from theory.validation import (
    Array,
    as_labels,
    as_points,
    check_integer,
    check_probability,
    check_real,
    check_slope,
    data_by_keyword,
)

# Outward: more than the rounding of the sums below.
OUTWARD = 1 + 1e-11


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuronEnvelope:
    """An upper bound of E[e^(−κ s X) 1{E}] for one neuron, known before anything is simulated.

    E: |α_i| ≤ A and ‖w_i(0)‖ ≤ ω.  Row 0 of an array of shape (2, Q) is for s = +1, row 1 for s = −1.
    Displacements count as positive where they lower s X.

    Attributes
    ----------
    width : int
        m.
    slope : float
        γ.
    scale : array, shape (Q,)
        s(z).
    direct : array, shape (2, Q)
        c: a pre-activation moves by at most c |α|, whatever the activations do.
    inner : array, shape (2, Q)
        The same for a neuron whose bias keeps all activations equal.
    outer : array, shape (2, Q)
        c for the others, which move by at most c |α| + `offset`.
    offset : float
        2B, B the largest |⟨w, x_n⟩| on E.
    chance : array, shape (Q,)
        At least the probability of not being inner, whatever α and u(z; 0) are.
    readout_limit, norm_limit : float
        A and ω.
    truncation : float
        At least the probability that one of m neurons is outside of E.
    """

    width: int
    slope: float
    scale: Array
    direct: Array
    inner: Array
    outer: Array
    offset: float
    chance: Array
    readout_limit: float
    norm_limit: float
    truncation: float

    def inside(self, readouts: Array, norms: Array) -> NDArray[np.bool_]:
        """Return for each neuron, from its α and ‖w(0)‖, whether it is in E."""
        return np.asarray((np.abs(readouts) <= self.readout_limit) & (norms <= self.norm_limit))

    @QUIET
    def moment(self, exponent: Array, signs: NDArray[np.int_]) -> Array:
        """Return a bound of E[e^(−κ s X) 1{E}] for each point.

        **Statement.**  With M(c, e) = ½ e^(κe/(2√m)) Σ_{σ=1,γ} [1 − (2σc + e)κ/√m − (κσs(z))²/m]^(−1/2), and
        ∞ where a bracket is not positive, it is min(M(direct, 0), M(inner, 0) + chance · M(outer, offset)).

        **Assumptions.**  Those of `neuron_envelope`.

        **Derivation.**  Derivation 10, steps 3 and 4.

        **Checked by.**  tests/test_theory/test_certificates/test_independent.py: M against quadrature, the
        bound against trained neurons; an equality without training.

        Parameters
        ----------
        exponent : array, shape (..., Q)
            κ ≥ 0.
        signs : array, shape (Q,)
            s; −1 or +1.

        Returns
        -------
        array of the shape of `exponent`
            At least 0, ∞ where nothing is known.
        """
        direct, inner, outer = (rows_of(array, signs) for array in (self.direct, self.inner, self.outer))
        split = self._gaussian(exponent, inner)
        split = split + self.chance * self._gaussian(exponent, outer, self.offset)
        return _known(np.fmin(self._gaussian(exponent, direct), split))  # fmin: 0 · ∞ is no bound

    @QUIET
    def reference(self, exponent: Array, signs: NDArray[np.int_]) -> Array:
        """Return E V, V = e^(λG), G = (β/√m) φ(u(z; 0) + β·inner), β = −sα: M(inner, 0) at κ = λ."""
        return self._gaussian(exponent, rows_of(self.inner, signs))

    @QUIET
    def reference_values(
        self, exponent: Array, signs: NDArray[np.int_], readouts: Array, initial: Array
    ) -> Array:
        """Return V of each neuron, shape (n, Q), from α and u(z; 0): at least e^(−λ s X) if it is inner.

        NaN where it is not known.
        """
        beta = -signs * readouts[:, None]
        u = initial + beta * rows_of(self.inner, signs)
        return np.asarray(np.exp(exponent / math.sqrt(self.width) * beta * np.maximum(u, self.slope * u)))

    @QUIET
    def excess(self, exponent: Array, signs: NDArray[np.int_], power: int) -> Array:
        """Return a bound of E[(e^(−λ s X) 1{E} − V)₊^r].

        **Statement.**  It is chance · E[V^r (e^(x + wβ²) − 1)^r], x = λ·offset/(2√m),
        w = λ (2(outer − inner)₊ + offset)/(2√m), a sum of r + 1 Gaussian integrals.

        **Assumptions.**  Those of `neuron_envelope`.

        **Derivation.**  Derivation 10, step 5.

        **Checked by.**  tests/test_theory/test_certificates/test_independent.py, against simulation.

        Parameters
        ----------
        exponent : array, shape (..., Q)
            λ ≥ 0.
        signs : array, shape (Q,)
        power : int
            r ≥ 1.

        Returns
        -------
        array of the shape of `exponent`
            At least 0, ∞ where nothing is known.
        """
        k, r = exponent / math.sqrt(self.width), int(power)
        inner, outer = rows_of(self.inner, signs), rows_of(self.outer, signs)
        widening = k * (np.maximum(outer - inner, 0) + self.offset / 2)
        total, size = np.zeros(np.shape(k)), np.zeros(np.shape(k))
        for j in range(r + 1):
            term = comb(r, j) * np.exp(j * k * self.offset / 2)
            term = term * self._gaussian(r * exponent, inner, widening=j * widening)
            total, size = total + (-1) ** (r - j) * term, size + term
        known = self.chance * np.maximum(total + 1e-10 * size, 0)  # more than the rounding of the sum
        return _known(known)

    def _gaussian(
        self, exponent: Array, drift: Array, offset: float = 0.0, *, widening: Array | float = 0.0
    ) -> Array:
        """E e^(κ((β/√m) φ(u + βc) + e(1 + β²)/(2√m)) + wβ²).

        A half-plane of (β, u) has half of the Gaussian integral of an even function.
        """
        k = exponent / math.sqrt(self.width)
        total = np.zeros(np.shape(k))
        for sigma in (1.0, self.slope):
            bracket = 1 - k * (2 * sigma * drift + offset) - (k * sigma * self.scale) ** 2 - 2 * widening
            total += np.where(bracket > 0, 0.5 / np.sqrt(np.where(bracket > 0, bracket, 1.0)), np.inf)
        return _known(total * np.exp(k * offset / 2) * OUTWARD)


@data_by_keyword
def neuron_envelope(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    width: int,
    negative_slope: float = 0.0,
    T: float,
    num_steps: int,
    momentum: float = 0.0,
    truncation: float,
) -> NeuronEnvelope:
    """Bound how far training can push one neuron in the wrong direction, and hence E e^(−κ s X).

    **Statement.**  With P, Q the positive and negative parts of (1/N) Σ_n y_n k(x_n, z), P_w, Q_w those of
    (1/N) Σ_n y_n ⟨x_n, z⟩, ȳ = (1/N) Σ_n y_n, p the share of y_n = 1, for s = +1 (for −1 flip all y_n):
    √m·direct = T (Q − γP);  √m·inner = T max(−γ(P − Q), Q − P);
    √m·outer = T (Q_w − γP_w + max(−ȳ, 0)) + min(T, η/(1−μ)²)(1−γ) max(p, 1−p);
    offset = 2B, B = R (ω + A T R̄/√m), R = max ‖x_n‖, R̄ = (1/N) Σ_n ‖x_n‖;
    chance = 2 (B + A T |ȳ|/√m) √(d s(z)²/(2π ‖z‖²)), at most 1.

    **Assumptions.**  Identity loss, frozen readout, no weight decay.  `direct`: full batch, non-negative
    step weights of total T.  `inner`, `outer`: descent with a constant step η and heavy-ball momentum μ.
    z independent of the initialisation.

    **Derivation.**  Derivation 10, steps 3 and 4.

    **Checked by.**  tests/test_theory/test_certificates/test_independent.py and
    tests/test_empirics/test_neurons.py: no trained neuron moves further.  `direct` is attained where no
    activation changes sign; it is hopeless for perturbations alone, where P and Q are near ½ and P − Q is
    small, which is what `inner` and `outer` are for.  Those are vacuous for inputs of norm √d.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
        What the network is trained on.
    width : int
        m ≥ 1.
    negative_slope : float in [0, 1)
    T : float
        Flow time ≥ 0 of the schedule.
    num_steps : int
        ≥ 1; with T and μ it fixes η, see `theory.learning_rate_for`.
    momentum : float in [0, 1)
        μ.
    truncation : float in (0, 1)
        What P(one of m neurons out of limits) may be; half for A, half for ω.

    Returns
    -------
    NeuronEnvelope

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or an argument is out of range.
    """
    X = as_points("X", X)
    y = as_labels("y", y, length=len(X))
    Z = as_points("Z", Z, dim=X.shape[1], or_one=True)
    m = check_integer("width", width, minimum=1)
    slope = check_slope("negative_slope", negative_slope)
    T = check_real("T", T, minimum=0)
    risk = check_probability("truncation", truncation)
    rate = learning_rate_for(T, num_steps, momentum=momentum)
    dim = X.shape[1]
    # A share of the risk so small that it was rounded gives no limits.
    share = risk / (4 * m) if risk / (4 * m) >= sys.float_info.min else 0.0
    A = -float(special.ndtri(share))
    omega = float(np.sqrt(special.chdtri(dim, 2 * share) / dim))
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is unknown
        at = Speeds(Z, X, y, slope)
        P, Q, blur = at.positive, at.negative, 2 * at.rounding
        weights_only = (Z @ X.T) * (y / len(X))
        P_w, Q_w = np.maximum(weights_only, 0).sum(axis=1), np.maximum(-weights_only, 0).sum(axis=1)
        mean, share = float(np.mean(y)), float(np.mean(y > 0))
        norms = np.linalg.norm(X, axis=1)
        B = norms.max() * (omega + A * T * norms.mean() / math.sqrt(m))
        coast = min(T, rate / (1 - momentum) ** 2) * (1 - slope) * max(share, 1 - share)
        size = np.linalg.norm(Z, axis=1) / np.sqrt(dim)
        density = at.scale / (np.sqrt(2 * np.pi) * np.where(size > 0, size, np.nan))
        chance = 2 * (B + A * T * abs(mean) / math.sqrt(m)) * density
        direct, inner, outer = [], [], []
        for p, q, p_w, q_w, bias in ((P, Q, P_w, Q_w, mean), (Q, P, Q_w, P_w, -mean)):
            direct.append(T * (q - slope * p + blur))
            inner.append(T * (np.maximum(-slope * (p - q), q - p) + 2 * blur))
            outer.append(T * (q_w - slope * p_w + max(-bias, 0.0) + 2 * blur) + coast)
        to_readout = 1 / math.sqrt(m)
        return NeuronEnvelope(
            width=m,
            slope=slope,
            scale=at.scale,
            direct=_known(np.asarray(direct) * to_readout),
            inner=_known(np.asarray(inner) * to_readout),
            outer=_known(np.asarray(outer) * to_readout),
            offset=float(_known(2 * B * OUTWARD)),
            chance=np.fmin(chance * OUTWARD, 1.0),  # fmin: at z = 0, where NaN, it is 1
            readout_limit=A,
            norm_limit=omega,
            truncation=risk,
        )


def rows_of(array: Array, signs: NDArray[np.int_]) -> Array:
    """Row 0 where s = +1 (or unknown), row 1 where s = −1."""
    return np.asarray(np.where(np.asarray(signs) < 0, array[1], array[0]))


def _known(limits: Array) -> Array:
    """Return upper limits with ∞ for NaN, which limits nothing."""
    return np.where(np.isnan(limits), np.inf, limits)
