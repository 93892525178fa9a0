"""The hypotheses of the published theorem, evaluated: left side, right side, verdict.

A verdict is *holds*, *fails* or *unknown*; whatever is not finite is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.bounds.published import LabelNoise, margin_thresholds, published_width
from theory.predictors import f_hat, g_hat
from theory.setting import Setting
from theory.tables import Tabular
from theory.validation import Array, as_labels, as_points, data_by_keyword
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
    """

    name: str
    statement: str
    lhs: Array
    rhs: Array

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Where it certainly holds."""
        return np.isfinite(self.lhs) & np.isfinite(self.rhs) & (self.lhs > self.rhs)

    @property
    def fails(self) -> NDArray[np.bool_]:
        """Where it certainly does not."""
        return np.isfinite(self.lhs) & np.isfinite(self.rhs) & (self.lhs <= self.rhs)

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
        "width": m > C ℓ d² (T_f + T_g)², one value; "a", "b": the margins; "c": f̂(z) ĝ(z) > 0.

    Raises
    ------
    ValueError
        If shapes disagree with each other or with `setting`, or an argument is out of range.

    Notes
    -----
    Source: published (paper A); Derivation 7.
    """
    Z, X, X_adv = as_points("Z", Z, or_one=True), as_points("X", X), as_points("X_adv", X_adv)
    y = as_labels("y", y, length=len(X))
    if X.shape != (setting.N, setting.dim):
        msg = f"setting must have N, dim = {X.shape}, the shape of X, got {setting.N, setting.dim}"
        raise ValueError(msg)
    slope = setting.negative_slope
    published = f_hat(Z, X=X, y=y, negative_slope=slope)
    published_g = g_hat(Z, X=X, y=y, X_adv=X_adv, negative_slope=slope)
    thresholds = margin_thresholds(setting, constant=constant, log_factor=log_factor, label_noise=label_noise)
    width = published_width(setting, constant=constant, log_factor=log_factor)
    # Signs, not values: the product of two small predictions could underflow to 0.
    signs = np.sign(published) * np.sign(published_g)
    return MappingProxyType(
        {
            "width": Condition(
                "width", "m > C ℓ d² (T_f + T_g)²", np.array([float(setting.width)]), np.array([width])
            ),
            "a": Condition(
                "a", "|f̂(z)| > threshold (a)", np.abs(published), _filled(thresholds.a.value, published)
            ),
            "b": Condition(
                "b", "|ĝ(z)| > threshold (b)", np.abs(published_g), _filled(thresholds.b.value, published)
            ),
            "c": Condition("c", "sgn f̂(z) sgn ĝ(z) > 0", signs, np.zeros_like(signs)),
        }
    )


def _filled(value: float | Array, like: Array) -> Array:
    return np.broadcast_to(value, like.shape).astype(np.float64)
