"""The samples as solvers see them: equal ones merged, in as few coordinates as there are samples."""

import numpy as np

from empirics.quadratic import Integers
from theory.kernel import threads
from theory.validation import Array


def merged(rows: Array) -> tuple[Integers, Integers]:
    """Return where each distinct row comes first, and for every row which of those it is."""
    seen: dict[bytes, int] = {}
    rows = np.ascontiguousarray(rows + 0.0)  # −0 becomes 0
    where = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows], dtype=np.int64)
    return np.unique(where, return_index=True)[1], where


def distinct(X: Array, y: Array) -> tuple[Array, Array]:
    """Merge equal samples.

    Returns
    -------
    inputs : array, shape (n, d + 1)
        The x̃ = (x, 1) whose labels do not cancel.
    labels : array, shape (n,)
        Sum of their labels, over N.
    """
    first, where = merged(X)
    total = np.bincount(where, weights=y, minlength=len(first))
    keep = total != 0
    inputs = np.column_stack([X[first[keep]], np.ones(keep.sum())])
    return np.ascontiguousarray(inputs), total[keep] / len(X)


def compressed(inputs: Array) -> tuple[Array | None, Array]:
    """Return orthonormal rows B and coordinates L, inputs = L B, if those are fewer; else None and inputs."""
    if inputs.shape[1] <= len(inputs):
        return None, inputs
    basis, triangle = np.linalg.qr(inputs.T)
    return np.ascontiguousarray(basis.T), np.ascontiguousarray(triangle.T)


# Pre-activations in one block: 1 MiB, which caches hold.
_BLOCK = 1 << 17


def neurons_in_blocks(width: int, num_samples: int) -> list[slice]:
    """Return slices of neurons, at least one a thread, whose pre-activations at the samples stay small."""
    size = max(1, min(_BLOCK // max(num_samples, 1), -(-width // threads.count())))
    return [slice(start, min(start + size, width)) for start in range(0, width, size)]
