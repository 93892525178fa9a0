"""The seeds of one experiment, all from its one number."""

import numpy as np


def seeds_of(seed: int) -> tuple[int, int, int, int, int]:
    """Return seeds for the data, f, g, the target labels, and untrained networks."""
    data, f, g, targets, untrained = (int(word) for word in np.random.SeedSequence(seed).generate_state(5))
    return data, f, g, targets, untrained
