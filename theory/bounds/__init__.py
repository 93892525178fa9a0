"""Inequalities of the theory with their constants.

`free`: width and free neurons; `gradients`: how far ∇f is from its prediction; `margin`: how far a trained
network is from its prediction, from `moments` and `speeds`; `envelope`: what a single neuron can do;
`published`: the Õ forms.  What is decided from them: `theory.certificates`.
"""

from theory.bounds.bound import Assumption, Bound
from theory.bounds.envelope import NeuronEnvelope, neuron_envelope
from theory.bounds.free import Network, free_fraction, width_bound
from theory.bounds.gradients import gradient_bound
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
    margin_thresholds,
    published_width,
)

__all__ = [
    "Assumption",
    "Bound",
    "Dynamics",
    "LabelNoise",
    "MarginThresholds",
    "Network",
    "NeuronEnvelope",
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
    "width_bound",
]
