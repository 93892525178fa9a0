"""Inequalities of the theory with their constants.

`free`: width and free neurons; `gradients`: how far ∇f is from its prediction; `apriori`: agreement before
training; `margin`: how far a trained network is from its prediction, from `moments` and
`speeds`; `independent`: certificates far from lazy, from simulated neurons and their `envelope`; `published`:
the Õ forms.
"""

from theory.bounds.bound import Assumption, Bound
from theory.bounds.envelope import NeuronEnvelope, neuron_envelope
from theory.bounds.free import Network, free_fraction, width_bound
from theory.bounds.gradients import gradient_bound
from theory.bounds.independent import (
    IndependentCertificate,
    certify_independent,
    truncation_risk,
    upper_mean,
)
from theory.bounds.margin import (
    Dynamics,
    drift_bound,
    flip_bound,
    initial_bound,
    kernel_bound,
    margin_bound,
)
from theory.bounds.moments import free_fourth_moment, free_second_moment
from theory.bounds.published import (
    LabelNoise,
    MarginThresholds,
    PublishedComparison,
    compare_published,
    margin_thresholds,
    published_width,
)

__all__ = [
    "Assumption",
    "Bound",
    "Dynamics",
    "IndependentCertificate",
    "LabelNoise",
    "MarginThresholds",
    "Network",
    "NeuronEnvelope",
    "PublishedComparison",
    "certify_independent",
    "compare_published",
    "drift_bound",
    "flip_bound",
    "free_fourth_moment",
    "free_fraction",
    "free_second_moment",
    "gradient_bound",
    "initial_bound",
    "kernel_bound",
    "margin_bound",
    "margin_thresholds",
    "neuron_envelope",
    "published_width",
    "truncation_risk",
    "upper_mean",
    "width_bound",
]
