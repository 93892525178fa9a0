"""The conditions of the published theorem beside ours, at the points of one data set.  Derivation 7."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.margin import Dynamics, margin_bound
from theory.bounds.published import LabelNoise, MarginThresholds, margin_thresholds, published_width
from theory.certificates.inverse import required_width
from theory.predictors import f_hat, f_predict, g_hat, g_predict
from theory.setting import Setting
from theory.tables import Tabular
from theory.validation import Array, as_labels, as_points, check_probability, check_real, data_by_keyword


@dataclass(frozen=True, eq=False, kw_only=True)
class PublishedComparison(Tabular):
    """The published form beside the theorem with every constant, at the points of one data set.

    A ratio is ours / published: above 1 ours asks for more, below 1 for less; NaN where it is not known.

    Attributes
    ----------
    published : MarginThresholds
        (a) on |f̂(z)| and (b) on |ĝ(z)|, with the C and ℓ that were given.
    published_width : float
        C ℓ d² (T_f + T_g)².
    f_hat, g_hat : arrays, shape (Q,)
        What the published thresholds are for.
    ours_f, ours_g : arrays, shape (Q,)
        The thresholds on |f̂(z)| and |ĝ(z)| that say the same as those on |f_b(z)| and |g_b(z)|: the bound
        times |f̂/f_b| and |ĝ/g_b|.  So |f̂| > `ours_f` just where the sign of f is proved.
    certifying_widths : mapping of float to float
        For each share of the points the width that certifies agreement there; infinite: none up to 10¹⁵.
    delta : float
        Of our side: P(decided and wrong) at a point.
    log_factor : float
        ℓ.
    asymptotic : bool
        True: the published side is an order of growth.  Its numbers are those of the C and ℓ that were
        given and neither prove nor refute a sign.
    """

    published: MarginThresholds
    published_width: float
    f_hat: Array
    g_hat: Array
    ours_f: Array
    ours_g: Array
    certifying_widths: Mapping[float, float]
    delta: float
    log_factor: float
    asymptotic: bool = True

    @property
    def ratio_f(self) -> Array:
        """`ours_f` over (a), shape (Q,)."""
        return _ratio(self.ours_f, self.published.a.value)

    @property
    def ratio_g(self) -> Array:
        """`ours_g` over (b), shape (Q,)."""
        return _ratio(self.ours_g, self.published.b.value)

    def _columns(self) -> Mapping[str, ArrayLike]:
        f = {"f_hat": self.f_hat, "published (a)": self.published.a.value, "ours (a)": self.ours_f}
        g = {"g_hat": self.g_hat, "published (b)": self.published.b.value, "ours (b)": self.ours_g}
        return f | g

    @property
    def ratio_widths(self) -> Mapping[float, float]:
        """Certifying width over the published one, for each share."""
        return MappingProxyType(
            {
                share: float(_ratio(np.array(width), self.published_width))
                for share, width in self.certifying_widths.items()
            }
        )


@data_by_keyword
def compare_published(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    setting: Setting,
    delta: float,
    constant: float = 1.0,
    log_power: float = 0.0,
    label_noise: LabelNoise = "published",
    dynamics: Dynamics = "descent",
    shares: Sequence[float] = (0.5, 0.9),
    certifying_widths: Mapping[float, float] | None = None,
) -> PublishedComparison:
    """Return the published thresholds and width for a data set, and ours for the same points.

    Published: m > C ℓ d² (T_f + T_g)², (a), (b), with ℓ = log(e d N m/δ)^p.  Ours: |f_b(z)| and |g_b(z)|
    above the one-sided `margin_bound` with δ/2 each, as in `certify_agreement`, and `required_width`.

    The published side is asymptotic.  What its Õ hides is not known, the argument of the logarithm here is a
    convention, and what follows from it are orders.  With an O(1) error of f(z; T)/T around f_b at that
    width, which a direct proof would need, it is false for every C: Derivation 12, (12.1).  This is about the
    error, not about signs.  Nor is the implication from (a), (b), (c) to equal signs derived here: Derivation
    7.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
        What f is trained on.
    X_adv, y_adv : arrays, shapes (N, d) and (N,)
        What g is trained on, row n made from row n of `X`.
    setting : Setting
        Its width is that of our thresholds.
    delta : float in (0, 1)
    constant : float
        C > 0.
    log_power : float
        p ≥ 0.
    label_noise : {"published", "scenario"}
        See `margin_thresholds`.
    dynamics : {"descent", "flow"}
        See `margin_bound`.
    shares : sequence of float in (0, 1]
        Of the points, for which the width that certifies agreement is sought; may be empty.
    certifying_widths : mapping of float to float, optional
        Such widths, found already; then none is sought.

    Returns
    -------
    PublishedComparison
        With the identity loss; for another one our thresholds are infinite.

    Raises
    ------
    ValueError
        As `certify_agreement` and `margin_thresholds`.

    Notes
    -----
    Source: Derivations 7, 8, 9, 12.

    Examples
    --------
    >>> from theory import Setting, compare_published
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> adv = {"X_adv": [[1.0, 0.0], [1.0, 0.0]], "y_adv": [1, 1]}
    >>> beside = compare_published([[9.0, 1.0]], **data, **adv, setting=setting, delta=0.01, shares=())
    >>> beside.ratio_f.round(2)
    array([2.08])
    """
    Z, X, X_adv = as_points("Z", Z, or_one=True), as_points("X", X), as_points("X_adv", X_adv)
    y = as_labels("y", y, length=len(X))
    y_adv = as_labels("y_adv", y_adv, length=len(X_adv))
    risk, half = (check_probability("delta", delta, parts=parts) for parts in (1, 2))
    power = check_real("log_power", log_power, minimum=0)
    log_factor = _power_of_log(setting, risk, power)
    slope = setting.negative_slope
    hidden: dict[str, float] = {"constant": constant, "log_factor": log_factor}
    thresholds = margin_thresholds(setting, **hidden, label_noise=label_noise)
    if certifying_widths is None:
        options = {"X_adv": X_adv, "y_adv": y_adv, "dynamics": dynamics}
        certifying_widths = {
            share: required_width(Z, X=X, y=y, setting=setting, delta=risk, share=share, **options)  # type: ignore[arg-type]
            for share in shares
        }
    bound_f = margin_bound(
        Z, X=X, y=y, setting=setting, delta=half, network="f", dynamics=dynamics, sides=1
    ).value
    bound_g = margin_bound(
        Z, X=X_adv, y=y_adv, setting=setting, delta=half, network="g", dynamics=dynamics, sides=1
    ).value
    published_f = f_hat(Z, X=X, y=y, negative_slope=slope)
    published_g = g_hat(Z, X=X, y=y, X_adv=X_adv, negative_slope=slope)
    f_b = f_predict(Z, X=X, y=y, negative_slope=slope)
    g_b = g_predict(Z, X_adv=X_adv, y_adv=y_adv, negative_slope=slope)
    return PublishedComparison(
        published=thresholds,
        published_width=published_width(setting, **hidden),
        f_hat=published_f,
        g_hat=published_g,
        ours_f=_rescaled(bound_f, published_f, f_b),
        ours_g=_rescaled(bound_g, published_g, g_b),
        certifying_widths=MappingProxyType(dict(certifying_widths)),
        delta=risk,
        log_factor=log_factor,
    )


def _rescaled(bound: float | Array, published: Array, ours: Array) -> Array:
    """Return bound · |published/ours|; NaN where one of the two is 0 or not finite."""
    known = np.isfinite(published) & np.isfinite(ours) & (published != 0) & (ours != 0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        scaled = bound * np.abs(published / np.where(ours == 0, 1.0, ours))
    return np.asarray(np.where(known, scaled, np.nan))


def _ratio(ours: Array, published: float | Array) -> Array:
    """Return ours / published; NaN where the published one is 0 or infinite."""
    known = np.isfinite(published) & (np.asarray(published) > 0)
    return np.asarray(np.where(known, ours / np.where(known, published, 1.0), np.nan))


def _power_of_log(setting: Setting, risk: float, power: float) -> float:
    """Return log(e d N m/δ)^p; its argument may be beyond every float."""
    log = 1 + sum(map(math.log, (setting.dim, setting.N, setting.width))) - math.log(risk)
    try:
        return float(log**power)
    except OverflowError as error:
        msg = f"log_power must leave log(e d N m/δ)^p, here {log:.4g}^p, finite, got {power:g}"
        raise ValueError(msg) from error
