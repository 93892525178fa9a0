"""A search for data, times and widths at which a stated inequality about trained networks fails.

Random restarts and local search over instances (X, y, z, T, m, γ, steps).  What fails is made smaller and
rounder while it still fails, measured again with fresh seeds, and written as a Python file that reproduces
it.  No counter-example found is not a proof.
"""

from empirics.falsify.inequality import Inequality, Measurement, describe, measure
from empirics.falsify.instance import Ensemble, Instance, train_ensemble
from empirics.falsify.moves import Budget
from empirics.falsify.report import counter_example, write_counter_example
from empirics.falsify.search import Falsification, falsify
from empirics.falsify.stated import (
    displacement_bound,
    free_share_law,
    margin_theorem,
    published_form,
    velocity_bound,
)

__all__ = [
    "Budget",
    "Ensemble",
    "Falsification",
    "Inequality",
    "Instance",
    "Measurement",
    "counter_example",
    "describe",
    "displacement_bound",
    "falsify",
    "free_share_law",
    "margin_theorem",
    "measure",
    "published_form",
    "train_ensemble",
    "velocity_bound",
    "write_counter_example",
]
