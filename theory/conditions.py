"""The hypotheses of the published theorem, evaluated: left side, right side, verdict.

A verdict is *holds*, *fails* or *unknown*; whatever is not finite is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.agreement.proof import Interval, enclose_signs, float_error
from theory.bounds.envelope import OUTWARD
from theory.bounds.published import LabelNoise, margin_thresholds, published_width
from theory.deep.architecture import Architecture
from theory.kernel.products import MEMORY_BUDGET
from theory.predictors import f_hat, g_hat
from theory.setting import Setting, training_set
from theory.tables import Tabular
from theory.validation import Array, as_points, data_by_keyword
from theory.verdicts import Verdicts


@dataclass(frozen=True)
class Condition(Tabular):
    """One inequality lhs > rhs, at one or many points.

    Attributes
    ----------
    name, statement : str
        How the paper calls it, and what it says.
    lhs, rhs : arrays, shape (Q,)
        Both sides; shape (1,) if the condition is not about a point.
    error : array, shape (Q,), or float
        How far lhs − rhs may be from its exact value; where they are closer nothing is certain.
    """

    name: str
    statement: str
    lhs: Array
    rhs: Array
    error: Array | float = 0.0

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Where it certainly holds."""
        return self._known & (self._excess > self.error)

    @property
    def fails(self) -> NDArray[np.bool_]:
        """Where it certainly does not."""
        return self._known & (self._excess <= -np.asarray(self.error))

    @property
    def _known(self) -> NDArray[np.bool_]:
        return np.isfinite(self.lhs) & np.isfinite(self.rhs)

    @property
    def _excess(self) -> Array:
        # Of floats a difference has the sign of the comparison, subnormal numbers included.
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.lhs - self.rhs)

    @property
    def verdicts(self) -> Verdicts:
        """One verdict a point."""
        return Verdicts.decided(self.holds, self.fails)

    def _columns(self) -> Mapping[str, ArrayLike]:
        return {"lhs": self.lhs, "rhs": self.rhs, "verdict": self.verdicts}


@data_by_keyword
def evaluate(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    setting: Setting,
    constant: float = 1.0,
    log_factor: float = 1.0,
    label_noise: LabelNoise = "published",
) -> Mapping[str, Condition]:
    """Evaluate the published conditions for sgn f(z) = sgn g(z) at every query point.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
        Query points.
    X, y : arrays, shapes (N, d) and (N,)
        Training data of f.
    X_adv : array, shape (N, d)
        The inputs g is trained on, row n made from row n of `X`.
    setting : Setting
        Must have the d and N of the data.
    constant, log_factor, label_noise
        What Õ hides; see `margin_thresholds`.

    Returns
    -------
    mapping with keys "width", "a", "b", "c"
        "width": m > C ℓ d² (T_f + T_g)², one value; "a", "b": the margins; "c": f̂(z) ĝ(z) > 0, decided where
        |f̂| and |ĝ| are larger than the errors of floating point; see `prove_agreement` for what is not.

    Raises
    ------
    ValueError
        If shapes disagree with each other or with `setting`, or an argument is out of range.

    Notes
    -----
    Source: published (paper A); Derivation 7.
    """
    Z, X_adv = as_points("Z", Z, or_one=True), as_points("X_adv", X_adv)
    X, y = training_set(X, y, setting)
    slope = setting.negative_slope
    published = f_hat(Z, X=X, y=y, negative_slope=slope)
    published_g = g_hat(Z, X=X, y=y, X_adv=X_adv, negative_slope=slope)
    thresholds = margin_thresholds(setting, constant=constant, log_factor=log_factor, label_noise=label_noise)
    width = published_width(setting, constant=constant, log_factor=log_factor)
    error = float_error(Z, X)
    return MappingProxyType(
        {
            "width": Condition(
                "width", "m > C ℓ d² (T_f + T_g)²", np.array([float(setting.width)]), np.array([width])
            ),
            "a": _margin("a", "|f̂(z)| > threshold (a)", published, thresholds.a.value, error),
            "b": _margin("b", "|ĝ(z)| > threshold (b)", published_g, thresholds.b.value, error),
            "c": _signs(Interval.around(published, error).sign * Interval.around(published_g, error).sign),
        }
    )


@data_by_keyword
def prove_agreement(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    precision: int | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> Mapping[str, Condition]:
    """Decide condition (c) at every query point, and whether the weights of the samples alone imply it.

    **Statement.**  "c": sgn f̂(z) sgn ĝ(z) > 0.  "weights", sufficient for it: with c_k = y_k ⟨x_k, z⟩ Φ_k,
    R_k = Ψ_k/Φ_k > 0 and Ψ_k of `random_label_agreement`, |Σ c_k|/Σ |c_k| > (max R − min R)/(max R + min R).
    Labels enter the left side alone.

    **Assumptions.**  None; Σ |c_k| > 0 where "weights" is decided.

    **Derivation.**  Derivation 19, section 6.

    **Checked by.**  tests/test_theory/test_agreement/test_proof.py: no verdict is wrong at 10⁵ points, near
    ties, duplicates, huge and subnormal numbers among them, against balls of 1024 bits.

    Parameters
    ----------
    Z, X, y, X_adv, negative_slope, architecture, precision, memory_budget
        As of `theory.agreement.enclose_signs`.

    Returns
    -------
    mapping with keys "c", "weights"

    Raises
    ------
    ValueError
        As `theory.agreement.enclose_signs`.

    Examples
    --------
    >>> from theory import prove_agreement
    >>> X, y, X_adv = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[0.5, 0.0], [0.0, -0.5]]
    >>> found = prove_agreement([[1.5, 1.0], [1.7, 1.0], [1.75, 1.0]], X=X, y=y, X_adv=X_adv)
    >>> found["c"].verdicts.tolist() == ["holds", "holds", "fails"]
    True
    >>> found["weights"].verdicts.tolist() == ["holds", "fails", "fails"]
    True
    """
    given = {"architecture": architecture, "precision": precision, "memory_budget": memory_budget}
    found = enclose_signs(Z, X=X, y=y, X_adv=X_adv, negative_slope=negative_slope, **given)  # type: ignore[arg-type]
    weights = Condition(
        "weights",
        "|Σ c_k|/Σ |c_k| > (max R − min R)/(max R + min R)",
        found.margin.middle,
        found.spread.middle,
        (found.margin.radius + found.spread.radius) * OUTWARD,
    )
    return MappingProxyType({"c": _signs(found.product), "weights": weights})


def _signs(product: Array) -> Condition:
    """Return condition (c) by the product of the signs, 0 where it is not proved."""
    unproved = np.where(product == 0, np.inf, 0.0)
    return Condition("c", "sgn f̂(z) sgn ĝ(z) > 0", product, np.zeros_like(product), unproved)


def _margin(name: str, statement: str, predicted: Array, threshold: float | Array, error: Array) -> Condition:
    """Return that the size of a prediction, which is off by at most `error`, is above a threshold."""
    rhs = np.broadcast_to(threshold, predicted.shape).astype(np.float64)
    return Condition(name, statement, np.abs(predicted), rhs, error + (OUTWARD - 1) * rhs)
