"""How fast pre-activations can move, for a data set and query points; every number rounded outward.

Full batch, identity loss: the pre-activation of neuron i at z moves with velocity a_i h, where
h = (1/N) Σ_n y_n k(x_n, z) φ'_n and φ'_n ∈ [γ, 1].  Derivation 8.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from theory.geometry import preactivation_scale
from theory.kernel.rows import angles
from theory.predictors import f_predict
from theory.validation import Array

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Speeds:
    """Quantities of Derivation 8 at the points Z, for training points X with labels y.

    Attributes
    ----------
    Z, X, y : arrays, shapes (Q, d), (N, d), (N,)
    slope : float
        γ.
    """

    Z: Array
    X: Array
    y: Array
    slope: float

    @cached_property
    def signed(self) -> Array:
        """y_n k(x_n, z)/N, shape (Q, N)."""
        return np.asarray((self.Z @ self.X.T + 1) * (self.y / len(self.X)))

    @cached_property
    def rounding(self) -> Array:
        """At least the rounding error of a sum over n of |y_n k(x_n, z)|/N, shape (Q,).

        A sum of p products has an error of at most 2 p ε times the sum of their sizes, if p ε ≤ 1/2
        (Higham, Accuracy and Stability of Numerical Algorithms, 3.1); here p ≤ N + d + 8.
        """
        count = sum(self.X.shape) + 8
        norms = np.linalg.norm(self.Z, axis=1) * np.linalg.norm(self.X, axis=1).mean()
        return np.asarray(4 * count * EPS * (norms + 1))

    @cached_property
    def shares(self) -> Array:
        """|k(x_n, z)|/N, shape (Q, N), rounded up."""
        norms = np.linalg.norm(self.Z, axis=1)[:, None] * np.linalg.norm(self.X, axis=1)
        count = self.X.shape[1] + 8
        return np.asarray(np.abs(self.signed) * (1 + 4 * EPS) + 4 * count * EPS / len(self.X) * (norms + 1))

    @cached_property
    def theta(self) -> Array:
        """The angle between (z/√d, 1) and (x_n/√d, 1), shape (Q, N), to a few roundings."""
        return angles(self.Z) if self.Z is self.X else angles(self.Z, self.X)

    @cached_property
    def turns(self) -> tuple[Array, Array]:
        """|cos θ|, rounded up, and sin θ, rounded down: it has an absolute error near θ = π."""
        cosine = np.minimum(np.abs(np.cos(self.theta)) + 1e-12, 1.0)
        return cosine, np.maximum(np.sin(self.theta) * (1 - 1e-12) - 4 * EPS, 0.0)

    @cached_property
    def positive(self) -> Array:
        """P, the sum of the positive y_n k(x_n, z)/N, up to `rounding`."""
        return np.asarray(np.maximum(self.signed, 0).sum(axis=1))

    @cached_property
    def negative(self) -> Array:
        """Q, the sum of the negative y_n k(x_n, z)/N, without its sign, up to `rounding`."""
        return np.asarray(np.maximum(-self.signed, 0).sum(axis=1))

    @cached_property
    def kappa(self) -> Array:
        """κ(z) = P + Q."""
        return self.positive + self.negative + self.rounding

    @cached_property
    def largest(self) -> Array:
        """v(z) = max(P − γQ, Q − γP) ≥ |h|."""
        P, Q, slope = self.positive, self.negative, self.slope
        return np.asarray(np.maximum(P - slope * Q, Q - slope * P) + 2 * self.rounding)

    @cached_property
    def typical(self) -> Array:
        """w(z) = ½ max((1 + γ)|P − Q|, (1 − γ)κ): the mean of |h| over a neuron and its negative."""
        slope = self.slope
        difference = np.abs(self.positive - self.negative) + 2 * self.rounding
        return np.asarray(np.maximum((1 + slope) * difference, (1 - slope) * self.kappa) / 2)

    @cached_property
    def unsure(self) -> Array:
        """½(1 − γ) κ(z): by how much h can move when all of the φ'_n are unknown."""
        return (1 - self.slope) / 2 * self.kappa

    @cached_property
    def scale(self) -> Array:
        """s(z), shape (Q,)."""
        s: Array = preactivation_scale(self.Z)
        return s

    @cached_property
    def samples(self) -> "Speeds":
        """The same at the training points."""
        return Speeds(self.X, self.X, self.y, self.slope)

    @cached_property
    def mean(self) -> Array:
        """f_b(z), the mean velocity of the network's output."""
        return np.asarray(f_predict(self.Z, X=self.X, y=self.y, negative_slope=self.slope))

    @cached_property
    def second_moment(self) -> Array:
        """V = E q², exactly, rounded up: φ'_z² φ'_i φ'_j has an orthant probability; Derivation 8, step 1."""
        c, slope = self.signed, self.slope
        total = c.sum(axis=1)
        linear = np.einsum("qn,qn->q", c, self.theta)  # Σ c_n θ(z, x_n)
        square = np.einsum("qn,qn->q", c @ self.samples.theta, c)  # Σ c_i c_j θ(x_i, x_j)
        steps = (1 - slope) ** 2
        # E[φ'_i φ'_j] and E[1_z φ'_i φ'_j], summed with c_i c_j.
        both = (1 + slope**2) / 2 * total**2 - steps / (2 * np.pi) * square
        above = (
            slope**2 / 2 * total**2
            + slope * (1 - slope) * (total**2 - total * linear / np.pi)
            + steps * (total**2 / 2 - (2 * total * linear + square) / (4 * np.pi))
        )
        value = slope**2 * both + (1 - slope**2) * above
        error = 64 * EPS * (len(self.X) + 64) * self.kappa**2 + 8 * self.rounding * self.kappa
        return np.asarray(np.clip(value + error, 0, self.largest**2))
