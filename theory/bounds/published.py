"""The conditions of the published theorem, whose constants and logarithms are not known; ours beside them.

Paper A states them with Õ(·).  Here C stands for the hidden constant and ℓ for the hidden logarithmic
factor; both are arguments, and 1 is a convention, not a value from the paper.  Derivation 7.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from theory._validation import Array, as_labels, as_points, check_choice, check_probability, check_real
from theory.bounds.bound import Bound
from theory.bounds.margin import Dynamics, margin_bound
from theory.bounds.moments import QUIET
from theory.predictors import f_hat, f_predict, g_hat, g_predict
from theory.setting import Setting

LabelNoise = Literal["published", "scenario"]


@dataclass(frozen=True)
class MarginThresholds:
    """The right-hand sides of conditions (a) and (b); (c), equal signs, has none."""

    a: Bound
    b: Bound


@dataclass(frozen=True, eq=False, kw_only=True)
class PublishedComparison:
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

    @property
    def ratio_widths(self) -> Mapping[float, float]:
        """Certifying width over the published one, for each share."""
        return MappingProxyType(
            {
                share: float(_ratio(np.array(width), self.published_width))
                for share, width in self.certifying_widths.items()
            }
        )


def published_width(setting: Setting, *, constant: float = 1.0, log_factor: float = 1.0) -> float:
    """Return C ℓ d² (T_f + T_g)², the published width with its hidden factors as arguments.

    Parameters
    ----------
    setting : Setting
        Its `width` is not used.
    constant, log_factor : float
        C > 0 and ℓ > 0: what Õ hides.  Their true values are not known.

    Returns
    -------
    float
        ∞ beyond the largest float.

    Raises
    ------
    ValueError
        If a factor is not positive.

    Notes
    -----
    Source: `expressions.PUBLISHED_WIDTH`; published (paper A).  For an explicit constant with a proof see
    `width_bound`, which bounds free neurons, not signs.
    """
    _hidden(constant, log_factor)
    # Exact: nothing over- or underflows on the way.
    C, log, T_f, T_g = (Fraction(float(x)) for x in (constant, log_factor, setting.T_f, setting.T_g))
    width = C * log * int(setting.dim) ** 2 * (T_f + T_g) ** 2
    return float(width) if width <= sys.float_info.max else math.inf


@QUIET
def margin_thresholds(
    setting: Setting,
    *,
    constant: float = 1.0,
    log_factor: float = 1.0,
    label_noise: LabelNoise = "published",
) -> MarginThresholds:
    """Return the published thresholds on |f̂(z)| and |ĝ(z)|, term by term.

    (a) |f̂(z)| > C ℓ (1 + 1/T_f);  (b) |ĝ(z)| > C ℓ (1/T_f + (√d/ε)(1/T_g + ν)), ν the label noise.

    Parameters
    ----------
    setting : Setting
    constant, log_factor : float
        C > 0 and ℓ > 0: what Õ hides.  Their true values are not known, so with the defaults a
        condition that "holds" is no guarantee and one that "fails" no refutation.
    label_noise : {"published", "scenario"}
        ν = d/√N as published; "scenario" takes 1/√N instead in scenario (a): the fluctuation that random
        target labels leave when g sees perturbations alone (Derivation 7, with what it leaves out).

    Returns
    -------
    MarginThresholds
        `a` and `b`, each a `Bound` with its terms.  A time of 0 gives an infinite threshold.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Source: `expressions.THRESHOLD_A`, `expressions.THRESHOLD_B`; published (paper A).
    """
    factor = _hidden(constant, log_factor)
    check_choice("label_noise", label_noise, ("published", "scenario"))
    alone = label_noise == "scenario" and setting.scenario == "a"
    noise = (1.0 if alone else setting.dim) / np.sqrt(setting.N)
    amplification = np.sqrt(setting.dim) / setting.epsilon
    inverse_T_f, inverse_T_g = 1 / np.float64(setting.T_f), 1 / np.float64(setting.T_g)
    return MarginThresholds(
        a=Bound({"bias gradient": factor, "initial f": factor * inverse_T_f}),
        b=Bound(
            {
                "initial f": factor * inverse_T_f,
                "initial g": factor * amplification * inverse_T_g,
                "random target labels": float(factor * amplification * noise),
            }
        ),
    )


def compare_published(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    setting: Setting,
    delta: float,
    *,
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
    width, which a direct proof would need, it is false for every C: Derivation 12.  This is about the error,
    not about signs.  Nor is the implication from (a), (b), (c) to equal signs derived here: Derivation 7.

    Parameters
    ----------
    Z : array, shape (Q, d)
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
    """
    # `inverse` is made from the bounds of this package, which therefore cannot import it at once.
    from theory.inverse import required_width  # noqa: PLC0415

    X_adv = as_points("X_adv", X_adv)
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
            share: required_width(Z, X, y, setting, risk, share=share, **options)  # type: ignore[arg-type]
            for share in shares
        }
    bound_f = margin_bound(Z, X, y, setting, half, network="f", dynamics=dynamics, sides=1).value
    bound_g = margin_bound(Z, X_adv, y_adv, setting, half, network="g", dynamics=dynamics, sides=1).value
    published_f = f_hat(Z, X, y, negative_slope=slope)
    published_g = g_hat(Z, X, y, X_adv, negative_slope=slope)
    f_b = f_predict(Z, X, y, negative_slope=slope)
    g_b = g_predict(Z, X_adv, y_adv, negative_slope=slope)
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


def _hidden(constant: float, log_factor: float) -> float:
    constant = check_real("constant", constant, minimum=0, exclusive=True)
    return constant * check_real("log_factor", log_factor, minimum=0, exclusive=True)
