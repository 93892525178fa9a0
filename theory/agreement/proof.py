"""What is proved of sgn f̂(z) and sgn ĝ(z): intervals that certainly hold them, in floats or in balls.

Beside the signs themselves: the condition on weights.  With c_k = y_k p_k Φ_k, N f̂ = Σ c_k and
N ĝ = Σ c_k R_k, R_k = Ψ_k/Φ_k > 0.  If |Σ c_k|/Σ |c_k| > (max R − min R)/(max R + min R), which says
P/Q > max R/min R of the positive and negative parts P and Q of Σ c_k (or Q/P), the signs are equal.
Derivation 19.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from flint import arb
from numpy.typing import ArrayLike, NDArray

from theory.agreement.labels import as_architecture, mean_weights
from theory.deep.architecture import Architecture
from theory.deep.enclosures import phi_balls
from theory.deep.kernels import phi
from theory.kernel.balls import (
    GUARD_BITS,
    ball_row,
    check_precision,
    dot,
    float_above,
    float_below,
    working_precision,
)
from theory.kernel.products import MEMORY_BUDGET
from theory.predictors import f_hat, g_hat
from theory.tables import Tabular
from theory.validation import Array, as_labels, as_points, check_integer, data_by_keyword

EPS = float(np.finfo(np.float64).eps)
# Below this ‖x‖‖z‖ products of entries may be subnormal, and errors are no longer relative.
_SMALLEST = 1e-280
_FIRST_BITS = 64
_COPIES = 8  # temporary arrays of the size of a block of queries and samples


class Interval(NamedTuple):
    """Bounds of a number at each point, shape (Q,); infinite where nothing is known."""

    lower: Array
    upper: Array

    @classmethod
    def around(cls, values: Array, error: Array) -> Interval:
        """Return the intervals of values that are off by at most an error; everything where one is NaN."""
        known = np.isfinite(values) & np.isfinite(error)
        return cls(np.where(known, values - error, -np.inf), np.where(known, values + error, np.inf))

    @property
    def sign(self) -> Array:
        """The sign where it is proved, 0 elsewhere."""
        return np.where(self.lower > 0, 1.0, np.where(self.upper < 0, -1.0, 0.0))

    @property
    def middle(self) -> Array:
        """A number inside; NaN where nothing is known."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.lower / 2 + self.upper / 2)

    @property
    def radius(self) -> Array:
        """At least the distance of `middle` from both ends."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.maximum(self.upper - self.middle, self.middle - self.lower) * (1 + 4 * EPS))


@dataclass(frozen=True, eq=False, kw_only=True)
class SignEnclosures(Tabular):
    """Intervals that hold what decides condition (c) at each point.

    Attributes
    ----------
    f_hat, g_hat : Interval
        f̂(z) and ĝ(z).
    margin : Interval
        |Σ c_k|/Σ |c_k|.
    spread : Interval
        (max R − min R)/(max R + min R); 1 or more where an R_k may be 0 or negative.
    """

    f_hat: Interval
    g_hat: Interval
    margin: Interval
    spread: Interval

    @property
    def product(self) -> Array:
        """Sgn f̂(z) sgn ĝ(z), shape (Q,); 0 where it is not proved."""
        return self.f_hat.sign * self.g_hat.sign

    def _columns(self) -> Mapping[str, ArrayLike]:
        named = {"f_hat": self.f_hat, "g_hat": self.g_hat, "margin": self.margin, "spread": self.spread}
        return {f"{name} {end}": getattr(one, end) for name, one in named.items() for end in one._fields}


@data_by_keyword
def enclose_signs(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    precision: int | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> SignEnclosures:
    """Enclose f̂(z), ĝ(z) and both sides of the condition on weights; floats stand for what they store.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X, y : arrays, shapes (N, d) and (N,)
        Training points of f and their labels, −1 or +1.
    X_adv : array, shape (N, d)
        The inputs g is trained on, row n made from row n of `X`.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`; its rates do not matter.
    precision : int in [2, 2^20], optional
        Most bits of ball arithmetic, for the points that are not decided without; absent: floating point with
        a bound of its error, for two-layer networks, and 64 bits for others.
    memory_budget : int
        Bytes of temporary arrays of the floating-point part, at least 1 MiB.

    Returns
    -------
    SignEnclosures
        Nothing is known, in intervals from −∞ to ∞, where a number overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite, or an argument is out of range.

    Notes
    -----
    Source: Derivation 19, (19.13).  In balls work grows as N² L, in Python, with the trust in FLINT alone.
    An exact 0 is never decided, nor is a value below the smallest positive float.

    Examples
    --------
    >>> from theory.agreement import enclose_signs
    >>> X, y, X_adv = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[0.5, 0.0], [0.0, -0.5]]
    >>> found = enclose_signs([[1.0, 1.0]], X=X, y=y, X_adv=X_adv)
    >>> found.product, found.margin.middle.round(4), found.spread.middle.round(4)
    (array([1.]), array([0.3174]), array([0.0027]))
    """
    network = as_architecture(negative_slope, architecture)
    X = as_points("X", X)
    points = as_points("Z", Z, dim=X.shape[1], or_one=True)
    y = as_labels("y", y, length=len(X))
    adv = as_points("X_adv", X_adv, dim=X.shape[1])
    if len(adv) != len(X):
        msg = f"X_adv must have one row for each of the {len(X)} rows of X, got {len(adv)}"
        raise ValueError(msg)
    budget = check_integer("memory_budget", memory_budget, minimum=1 << 20)
    deep = network.depth > 1
    most = _FIRST_BITS if precision is None and deep else precision
    bits = 0 if most is None else min(check_precision("precision", most), _FIRST_BITS)
    ends = np.full((4, 2, len(points)), [[-np.inf], [np.inf]])
    if not deep:
        ends = _in_floats(points, X, y, adv, network, budget)
    while bits:
        assert most is not None
        left = ~((ends[:2, 0] > 0) | (ends[:2, 1] < 0)).all(axis=0)
        if left.any():
            ends[:, :, left] = _in_balls(points[left], X, y, adv, network, bits)
        bits = min(2 * bits, most) if bits < most and left.any() else 0
    return SignEnclosures(
        **{name: Interval(*ends[place]) for place, name in enumerate(("f_hat", "g_hat", "margin", "spread"))}
    )


def float_error(Z: Array, X: Array) -> Array:
    """Return at least the errors of `f_hat` and `g_hat` of two-layer networks, shape (Q,).

    Sums of at most N + d + 16 products, up to three one in the other, of kernel values in [0, 1], off by
    `phi_error`, and of numbers whose sizes add up to at most mean_n ‖x_n‖ ‖z‖; each has a relative error of
    2 (N + d + 16) ε at most (Higham, 3.1; `Speeds.rounding`).  Infinite where nothing is known.
    """
    count = sum(X.shape) + 16
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.linalg.norm(Z, axis=1) * np.linalg.norm(X, axis=1).mean()
        error = (3 * phi_error(X.shape[1]) + 12 * count * EPS) * sizes
        smallest = np.linalg.norm(Z, axis=1) * np.linalg.norm(X, axis=1).min()
    return np.where(np.isfinite(error) & (smallest > _SMALLEST), error, np.inf)


def phi_error(dim: int) -> float:
    """Return at least the error of Φ in floating point.

    Entries of unit vectors are off by at most (d/2 + 8) ε/2 relative, ρ by (2d + 20) ε/2, and the angle, by
    arccos with |ρ| ≤ 1 − `gram.NEAR` or from chords, by 6 times that.  Taken four times as large.
    """
    return 8 * (dim + 16) * EPS


def _in_floats(
    Z: Array, X: Array, y: Array, adv: Array, network: Architecture, budget: int
) -> NDArray[np.float64]:
    """Return lower and upper ends, shape (4, 2, Q), of two-layer networks."""
    error, ends = float_error(Z, X), np.full((4, 2, len(Z)), [[-np.inf], [np.inf]])
    for place, values in enumerate(
        (f_hat(Z, X=X, y=y, architecture=network), g_hat(Z, X=X, y=y, X_adv=adv, architecture=network))
    ):
        ends[place] = Interval.around(values, error)
    step = max(1, budget // (8 * _COPIES * len(X)))
    off = phi_error(X.shape[1])
    of_weights = 2 * off + 8 * (len(X) + 16) * EPS
    for start in range(0, len(Z), step):
        rows = slice(start, start + step)
        K, at_adv = phi(Z[rows], X, architecture=network), phi(adv, Z[rows], architecture=network)
        weights = mean_weights(X, at_adv, network, budget)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            c = K * (Z[rows] @ X.T)
            total, size, slack = np.abs(c @ y) / len(X), np.abs(c).sum(axis=1) / len(X), error[rows]
            known = size > slack
            low = np.where(known, (total - slack) / (size + slack), -np.inf)
            high = np.where(known, (total + slack) / (size - slack), np.inf)
            _put(ends[2][:, rows], low - 4 * EPS, high + 4 * EPS)
            # R lies between ratios of ends; a kernel value that may be 0 allows every R.
            below = np.where(off < K, K - off, 0.0)
            low_R, high_R = (weights - of_weights) / (K + off), (weights + of_weights) / below
            inner = _spread(high_R.min(axis=1), low_R.max(axis=1))
            outer = _spread(np.maximum(low_R.min(axis=1), 0.0), high_R.max(axis=1))
            _put(ends[3][:, rows], inner - 16 * EPS, outer + 16 * EPS)
    return ends


def _spread(low: Array, high: Array) -> Array:
    """Return (high − low)/(high + low), at least 0, and 0 where the larger one is not positive."""
    ratio = np.where(high > 0, low / high, 1.0)
    return np.asarray(np.maximum((1 - ratio) / (1 + ratio), 0.0))


def _put(ends: Array, lower: Array, upper: Array) -> None:
    """Store an interval where both ends are numbers."""
    known = ~(np.isnan(lower) | np.isnan(upper))
    ends[0, known], ends[1, known] = lower[known], upper[known]


def _in_balls(
    Z: Array, X: Array, y: Array, adv: Array, network: Architecture, bits: int
) -> NDArray[np.float64]:
    """Return lower and upper ends, shape (4, 2, Q), rounded outward from balls."""
    with working_precision(bits + GUARD_BITS):
        rows, adv_rows, queries = ([ball_row("row", row) for row in each] for each in (X, adv, Z))
        square = phi_balls(rows, rows, network)
        K, at_adv = phi_balls(queries, rows, network), phi_balls(queries, adv_rows, network)
        weights = at_adv * square / len(rows)
        labels = [int(label) for label in y]
        ends = np.empty((4, 2, len(Z)))
        for q, query in enumerate(queries):
            phis, psis = ([M[q, k] for k in range(len(rows))] for M in (K, weights))
            inner = [label * dot(row, query) for row, label in zip(rows, labels, strict=True)]
            c = [p * value for p, value in zip(inner, phis, strict=True)]
            f = _sum(c) / len(rows)
            g = _sum(p * value for p, value in zip(inner, psis, strict=True)) / len(rows)
            margin = abs(f) * len(rows) / _sum(map(abs, c))
            R = [psi / one for psi, one in zip(psis, phis, strict=True)]
            top, low = (_of_all(choose, R) for choose in (arb.max, arb.min))
            spread = (top - low) / (top + low) if low > 0 else arb("nan")
            for place, ball in enumerate((f, g, margin, spread)):
                ends[place, :, q] = float_below(ball.lower()), float_above(ball.upper())
    return ends


def _sum(balls: Iterable[arb]) -> arb:
    return sum(balls, start=arb(0))


def _of_all(choose: Callable[[arb, arb], arb], balls: list[arb]) -> arb:
    """Return the largest or smallest of several balls."""
    found = balls[0]
    for ball in balls[1:]:
        found = choose(found, ball)
    return found
