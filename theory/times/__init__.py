"""Training times: when f has learnt, and when g agrees with f, before either is trained.

Derivation 18.
"""

from theory.times.curve import AgreementLaw, Targets, agreement_given_f, agreement_law
from theory.times.required import Quantity, Requirement, required
from theory.times.sampled import SampledAgreement, sampled_agreement
from theory.times.success import gradient_time, success_probability, success_time

__all__ = [
    "AgreementLaw",
    "Quantity",
    "Requirement",
    "SampledAgreement",
    "Targets",
    "agreement_given_f",
    "agreement_law",
    "gradient_time",
    "required",
    "sampled_agreement",
    "success_probability",
    "success_time",
]


def __dir__() -> list[str]:
    return __all__
