"""When sgn f̂ = sgn ĝ, the paper's condition (c): laws of it, and what the weights of the labels prove."""

from theory.agreement.isotropic import isotropic_agreement, isotropic_time
from theory.agreement.labels import random_label_agreement
from theory.agreement.laws import (
    condition_agreement,
    kernel_slope,
    limiting_kernel_slope,
    mixture_accuracy,
    mixture_separation,
)
from theory.agreement.proof import Interval, SignEnclosures, enclose_signs

__all__ = [
    "Interval",
    "SignEnclosures",
    "condition_agreement",
    "enclose_signs",
    "isotropic_agreement",
    "isotropic_time",
    "kernel_slope",
    "limiting_kernel_slope",
    "mixture_accuracy",
    "mixture_separation",
    "random_label_agreement",
]


def __dir__() -> list[str]:
    return __all__
