"""The conditions of the published theorem, whose constants and logarithms are not known.

Paper A states them with Õ(·).  Here C stands for the hidden constant and ℓ for the hidden logarithmic
factor; both are arguments, and 1 is a convention, not a value from the paper.  Derivation 7.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from theory.bounds.bound import Bound
from theory.bounds.moments import QUIET
from theory.setting import Setting
from theory.validation import check_choice, check_real

LabelNoise = Literal["published", "scenario"]


@dataclass(frozen=True)
class MarginThresholds:
    """The right-hand sides of conditions (a) and (b); (c), equal signs, has none."""

    a: Bound
    b: Bound


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

    Examples
    --------
    >>> from theory import Setting, published_width
    >>> setting = Setting(dim=2, N=2, width=10**6, epsilon=1.0, T_f=4.0, T_g=4.0, negative_slope=0.3)
    >>> published_width(setting)
    256.0
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

    Examples
    --------
    >>> from theory import Setting, margin_thresholds
    >>> setting = Setting(dim=2, N=2, width=10**6, epsilon=1.0, T_f=4.0, T_g=4.0, negative_slope=0.3)
    >>> thresholds = margin_thresholds(setting)
    >>> round(thresholds.a.value, 4), round(thresholds.b.value, 4)
    (1.25, 2.6036)
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


def _hidden(constant: float, log_factor: float) -> float:
    constant = check_real("constant", constant, minimum=0, exclusive=True)
    return constant * check_real("log_factor", log_factor, minimum=0, exclusive=True)
