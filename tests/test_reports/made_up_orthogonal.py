"""What is said of orthogonal samples in hand, made up."""

import numpy as np
from msgspec.structs import replace

from empirics.data import Dataset
from empirics.orthogonal import examine
from empirics.orthogonal.examination import Draw, Signs


def examined(config, kept, outcomes, **multipliers):
    """Return what is said of orthogonal samples: outcomes of the four conditions, signs that are kept."""
    X, N = np.eye(config.num_train + config.num_test, config.dim), config.num_train
    labels = np.where(np.arange(len(X)) % 2, -1.0, 1.0)
    data = Dataset("own", X[:N], labels[:N], X[N:], labels[N:], ("no", "yes"), "none")
    found = examine(data, config, num_seeds=1)
    words = ("holds", "fails", "unknown")
    draws = tuple(
        Draw(
            condition=dict(zip(words, (0, 0, 10), strict=True)),
            kept=dict(zip(words, counts, strict=True)),
            perturbed_multipliers="holds",
        )
        for counts in kept
    )
    names = ("published", "derived", "published, perturbed", "derived, perturbed")
    known = {"verdict": "holds", "reasons": (), "least": 0.5, "num_not_positive": 0, "num_unproved": 0}
    return replace(
        found,
        conditions={name: (2.0, 1.0, outcome) for name, outcome in zip(names, outcomes, strict=True)},
        multipliers=replace(found.multipliers, **(known | multipliers)),
        signs=Signs(n=10, delta=0.01, seeds=draws, before=dict(zip(words, (3, 0, 7), strict=True))),
    )
