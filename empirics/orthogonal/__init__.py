"""Networks without biases, trained to the limit of their direction on nearly orthogonal samples.

The prior work's regime: any width, infinite time.  `theory.orthogonal` has its conditions and limits.
"""

from empirics.orthogonal.attacks import Attack, attack
from empirics.orthogonal.config import OrthogonalConfig, draw
from empirics.orthogonal.experiment import run_orthogonal
from empirics.orthogonal.given import MOST_SAMPLES, amplitude_for, epsilon_for, examine, load_given
from empirics.orthogonal.runs import data_digest, orthogonal, records
from empirics.orthogonal.training import (
    Convergence,
    LimitTraining,
    alignment,
    boundary_direction,
    initialise,
    train_to_limit,
)

__all__ = [
    "MOST_SAMPLES",
    "Attack",
    "Convergence",
    "LimitTraining",
    "OrthogonalConfig",
    "alignment",
    "amplitude_for",
    "attack",
    "boundary_direction",
    "data_digest",
    "draw",
    "epsilon_for",
    "examine",
    "initialise",
    "load_given",
    "orthogonal",
    "records",
    "run_orthogonal",
    "train_to_limit",
]
