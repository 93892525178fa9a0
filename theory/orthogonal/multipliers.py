"""The limit network of nearly orthogonal samples: multipliers λ, and a proof that it is stationary.

f(x) = (1/√m) Σ_i ±φ(w_i·x), half of the signs +, no bias, φ leaky ReLU of slope γ in (0, 1).  If all margins
are 1, all neurons of one readout sign agree, and each is active on its own class only::

    √m v = Σ_+ λ_k x_k − γ Σ_− λ_k x_k,   √m u = Σ_− λ_k x_k − γ Σ_+ λ_k x_k,   M λ = 1,
    M_ik = y_i y_k c_ik ⟨x_i, x_k⟩,   c_ik = (1 + γ²)/2 for equal labels and γ for different ones.

Derivation 15, steps 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from theory.orthogonal.gram import EPS, ScaledRows, check_open_slope, scaled_rows
from theory.orthogonal.system import solve
from theory.validation import Array, as_labels, as_points, data_by_keyword
from theory.verdicts import Verdict

_LISTED = 3  # indices named in a reason
_SMALLEST = 2.0**-400  # ratio of norms beyond which products in the scaled system could underflow


@dataclass(frozen=True, kw_only=True, eq=False)
class Multipliers:
    """λ, what is proved of it, and whether the network built from it is a KKT point.

    Attributes
    ----------
    values, radius : arrays, shape (N,)
        λ_n, and a proved bound of its error; infinite where none is proved.
    verdict : Verdict
        *holds*: (v, u) is proved to be a KKT point of the max-margin problem.  *fails*: it is proved that
        there is no KKT point whose neurons are each strictly active on their own class only (and, without
        slack, with all margins 1).  Otherwise *unknown*.
    reasons : tuple of str
        Why not *holds*; empty if it does.
    margins_v, margins_u : arrays, shape (N,)
        √m y_n v·x_n and −√m y_n u·x_n, which the sign pattern wants positive.
    residual : float
        max_n |(Mλ)_n − 1| over the samples with λ_n ≠ 0, as computed in float64.
    contraction : float
        α of `system.solve`; below 1 the matrix is proved invertible, far below 1 well-conditioned.
    support : bool array, shape (N,)
        Samples with margin 1; all of them without slack.
    interval : tuple of float
        1/(2R_max²) and 3/(2γ²R_min²), between which the published theorem has every λ_n.
    interval_verdict : Verdict
        Whether all λ_n lie strictly between.
    negative_slope : float
        γ.
    """

    values: Array
    radius: Array
    verdict: Verdict
    reasons: tuple[str, ...]
    margins_v: Array
    margins_u: Array
    residual: float
    contraction: float
    support: NDArray[np.bool_]
    interval: tuple[float, float]
    interval_verdict: Verdict
    negative_slope: float

    @property
    def lower(self) -> Array:
        """Lower limits of λ_n."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(np.isfinite(self.radius), self.values - self.radius, -np.inf)

    @property
    def upper(self) -> Array:
        """Upper limits of λ_n."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(np.isfinite(self.radius), self.values + self.radius, np.inf)


@data_by_keyword
def multipliers(X: ArrayLike, y: ArrayLike, *, negative_slope: float, slack: bool = False) -> Multipliers:
    """Solve for λ and decide whether the rank-two network built from it is a KKT point.

    **Statement.**  Let w_i = v for positive and u for negative readouts.  If M λ = 1, λ > 0 and
    v·x_n > 0 > u·x_n for y_n = 1, reversed for y_n = −1, then (w_i) is a KKT point of min ½Σ‖w_i‖² subject to
    y_n f(x_n) ≥ 1, for every even width.  If M is invertible and some λ_n < 0 or the pattern is violated,
    there is no KKT point with all margins 1 and y_n a_i w_i·x_n > 0 for all i, n.

    With slack: λ ≥ 0, margins of at least 1, and λ_n = 0 where a margin is above 1; for data where some λ_n
    of M λ = 1 are negative.  The pattern is then needed only where λ_n > 0.

    **Assumptions.**  None on the data.  *Not proved:* that gradient flow converges to this KKT point; there
    may be others, unless a condition of `orthogonality` holds.

    **Derivation.**  15, steps 1 and 2; under a condition of `orthogonality` steps 3 and 4.

    **Checked by.**  tests/test_theory/test_orthogonal/test_multipliers.py: exact fractions, an independent
    solver of the constrained problem, enclosures.

    Parameters
    ----------
    X : array, shape (N, d)
        N > d is allowed; M is invertible exactly if the rows of each class are linearly independent.
    y : array, shape (N,)
        Labels; one class alone is allowed.
    negative_slope : float in (0, 1)
    slack : bool
        Allow margins above 1.

    Returns
    -------
    Multipliers
        With zero rows: *fails*, as the output there is 0 with all weights.  If M is not proved
        invertible: *unknown*, and `values` is a least-squares solution.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or the slope is out of range.

    Notes
    -----
    Source: `expressions.ALIGNED_MATRIX_SAME`, `expressions.ALIGNED_MATRIX_DIFFERENT`.  Memory and time of
    three N × N matrices and their inverse.

    Examples
    --------
    >>> from theory.orthogonal import multipliers
    >>> X, y = [[2.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> multipliers(X, y, negative_slope=0.5).values.round(4)  # 2/((1 + γ²)‖x‖²) if orthogonal
    array([0.4, 1.6])
    """
    X = as_points("X", X)
    y = as_labels("y", y, length=len(X))
    slope = check_open_slope(negative_slope)
    return _System(X, y, slope).decide(slack=slack)


class _System:
    """M̂ λ̂ = b in scaled coordinates: λ_n = 2^(−e_n − e_min) λ̂_n, b_n = 2^(e_min − e_n)."""

    def __init__(self, X: Array, y: Array, slope: float) -> None:
        self.rows: ScaledRows = scaled_rows(X)
        self.y, self.slope, self.N = y, slope, len(X)
        same = np.equal.outer(y, y)
        # c ≤ 1 and norms below 1: three more roundings are covered by 8 units.
        self.M = np.outer(y, y) * np.where(same, (1 + slope**2) / 2, slope) * self.rows.gram
        self.error = self.rows.error + 8 * EPS
        e = self.rows.exponents
        self.zero: NDArray[np.bool_] = np.asarray(~self.rows.points.any(axis=1))
        self.lowest = int(e.min())
        with np.errstate(under="ignore"):
            self.b = np.ldexp(1.0, self.lowest - e)

    def decide(self, *, slack: bool) -> Multipliers:
        """Solve, and prove what can be proved."""
        support = self._support() if slack else np.ones(self.N, dtype=bool)
        values, radius, alpha = np.zeros(self.N), np.zeros(self.N), np.inf
        if support.any() and (self.b >= _SMALLEST).all():
            part = solve(self.M[np.ix_(support, support)], self.b[support], self.error)
            values[support], radius[support], alpha = part.values, part.radius, part.contraction
        else:
            values[:], radius[:] = np.nan, np.inf
        v, u, blur = self._alignment(values, radius)
        failures, doubts = self._judge(values, radius, support, slack=slack, v=v, u=u, blur=blur)
        true_values, true_radius = self._unscale(values, radius)
        if not (np.isfinite(true_values).all() and (true_values[support] != 0).all()):
            doubts.append("the multipliers are beyond the range of floating-point numbers")
        interval, inside = self._interval(true_values, true_radius)
        with np.errstate(all="ignore"):
            margins_v, margins_u = v / self.b, u / self.b
            residual = np.abs(self.M @ values / self.b - 1)[support]
        return Multipliers(
            values=true_values,
            radius=true_radius,
            verdict=Verdict.FAILS if failures else Verdict.UNKNOWN if doubts else Verdict.HOLDS,
            reasons=tuple(failures + doubts),
            margins_v=margins_v,
            margins_u=margins_u,
            residual=float(residual.max()) if residual.size else float("nan"),
            contraction=alpha,
            support=support,
            interval=interval,
            interval_verdict=inside,
            negative_slope=self.slope,
        )

    def _support(self) -> NDArray[np.bool_]:
        """Return where λ > 0 in min ½ λᵀM λ − bᵀλ over λ ≥ 0: a candidate, to be proved."""
        spectrum, vectors = np.linalg.eigh(self.M)
        keep = spectrum > 64 * self.N * EPS * max(spectrum[-1], EPS)
        roots = np.sqrt(spectrum[keep])
        none = np.zeros(self.N, dtype=bool)
        if not keep.any():
            return none
        factor, target = roots[:, None] * vectors[:, keep].T, (vectors[:, keep].T @ self.b) / roots
        try:
            found = optimize.nnls(factor, target, maxiter=30 * self.N)[0]
        except RuntimeError:  # no convergence: unknown
            return none
        return np.asarray(found > 1e-10 * found.max())

    def _alignment(self, values: Array, radius: Array) -> tuple[Array, Array, float]:
        """Return y √m v·x̂, −y √m u·x̂ and a bound of their errors, in scaled units."""
        positive = self.y > 0
        with np.errstate(invalid="ignore", over="ignore"):
            v = self.y * (self.rows.gram @ (np.where(positive, self.y, self.y * self.slope) * values))
            u = self.y * (self.rows.gram @ (np.where(positive, self.y * self.slope, self.y) * values))
            total = float((np.abs(values) + radius).sum())
            # Norms below 1: the errors of λ enter with at most their sum.
            blur = float(radius.sum()) + (self.error + (self.N + 8) * EPS) * total
        return v, u, blur * (1 + 1e-9)

    def _judge(
        self,
        values: Array,
        radius: Array,
        support: NDArray[np.bool_],
        *,
        slack: bool,
        v: Array,
        u: Array,
        blur: float,
    ) -> tuple[list[str], list[str]]:
        """Return what is proved wrong, and what is not proved right."""
        impossible = self._impossible()
        if impossible:
            return [impossible], []
        if not (support.any() and np.isfinite(radius).all() and np.isfinite(values).all()):
            return [], ["the matrix of the system is singular or too ill-conditioned for a proof"]
        negative = support & (values + radius < 0)
        unsure = support & ~(values - radius > 0) & ~negative
        low = np.minimum(v, u)
        wrong, shaky = support & (low < -blur), support & ~(np.abs(low) > blur)
        own, other = np.where(self.y > 0, v, u), np.where(self.y > 0, u, v)
        margin = (self._phi(own) - self._phi(-other)) / 2
        blur += 4 * EPS * float(np.abs(margin).max())
        short = ~support & ~(margin - blur > self.b)
        # Outside the support also the constraint of the quadratic program that makes λ unique.
        relaxed = ~support & ~((own + self.slope * other) / 2 - blur > self.b)
        failures: list[str] = []
        doubts: list[str] = []
        if negative.any():
            (doubts if slack else failures).append(f"λ < 0 for samples {_listed(negative)}")
        if unsure.any():
            doubts.append(f"the sign of λ is not proved for samples {_listed(unsure)}")
        if wrong.any():
            proved = not slack or not (negative | unsure | relaxed).any()
            (failures if proved else doubts).append(
                f"v or u has the wrong sign, y v·x <= 0 or y u·x >= 0, at samples {_listed(wrong)}"
            )
        if shaky.any():
            doubts.append(f"the sign pattern of v and u is not proved at samples {_listed(shaky)}")
        if short.any():
            doubts.append(f"a margin above 1 is not proved at samples {_listed(short)}")
        return failures, doubts

    def _impossible(self) -> str:
        """Say why no weights can have all margins 1 or more, if that is plain to see."""
        if self.zero.any():
            return f"samples {_listed(self.zero)} are 0, where every output is 0"
        # Sorting rows takes longer than all else; −0 + 0 is 0.
        rows, places = np.column_stack([self.rows.points, self.rows.exponents]) + 0.0, dict[bytes, int]()
        inverse = np.array([places.setdefault(row.tobytes(), len(places)) for row in rows])
        mean = np.bincount(inverse, weights=self.y) / np.bincount(inverse)
        mixed = np.asarray(np.abs(mean[inverse]) < 1)
        return f"samples {_listed(mixed)} are equal to others with the other label" if mixed.any() else ""

    def _phi(self, values: Array) -> Array:
        return np.asarray(np.where(values > 0, values, self.slope * values))

    def _unscale(self, values: Array, radius: Array) -> tuple[Array, Array]:
        shift = -self.rows.exponents - self.lowest
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            unscaled = np.ldexp(radius, shift)
            # What underflows is off by less than the smallest number.
            true_values = np.ldexp(values, shift)
            proved = np.where(radius > 0, unscaled + 1e-323, unscaled)
            return true_values, np.where(np.isfinite(true_values), proved, np.inf)

    def _interval(self, values: Array, radius: Array) -> tuple[tuple[float, float], Verdict]:
        """Return the published interval, and whether λ lies in it."""
        with np.errstate(all="ignore"):
            norms = np.ldexp(np.linalg.norm(self.rows.points, axis=1), self.rows.exponents)
            low, high = 1 / (2 * norms.max() ** 2), 3 / (2 * (self.slope * norms.min()) ** 2)
            blur = 1 + 4 * self.error
            limits = (float(low), float(high))
            if not (np.isfinite([*limits, *radius]).all() and np.isfinite(values).all() and low > 0):
                return limits, Verdict.UNKNOWN
            if (values - radius > low * blur).all() and (values + radius < high / blur).all():
                return limits, Verdict.HOLDS
            outside = (values + radius <= low / blur) | (values - radius >= high * blur)
        return limits, Verdict.FAILS if outside.any() else Verdict.UNKNOWN


def _listed(where: NDArray[np.bool_]) -> str:
    """Return the first few indices, and how many there are."""
    found = np.flatnonzero(where)
    text = ", ".join(str(index) for index in found[:_LISTED])
    return text if len(found) <= _LISTED else f"{text}, ... ({len(found)} of {len(where)})"
