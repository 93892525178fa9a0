"""Inequalities of the theory with their constants: `free` (width and free neurons), `published` (Õ forms)."""

from theory.bounds.bound import Bound
from theory.bounds.free import Network, free_fraction, width_bound
from theory.bounds.published import LabelNoise, MarginThresholds, margin_thresholds, published_width

__all__ = [
    "Bound",
    "LabelNoise",
    "MarginThresholds",
    "Network",
    "free_fraction",
    "margin_thresholds",
    "published_width",
    "width_bound",
]
