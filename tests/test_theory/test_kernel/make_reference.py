"""Make phi_reference.csv, the frozen values of Φ that every backend is tested against.

    python tests/test_theory/test_kernel/make_reference.py

Points are made from integers by exact operations and one rounding to their dtype, so that every machine has
the same ones; values are computed with mpmath from these points, with enough digits for 45 correct ones.
"""

import csv
import itertools
from pathlib import Path

import mpmath as mp
import numpy as np

TABLE = Path(__file__).parent / "phi_reference.csv"
FIELDS = ("dtype", "dim", "family", "gap", "norm", "slope", "phi")
DIMS = (1, 2, 30, 1000)
GAPS = (0.25, *(2.0**-k for k in range(4, 53, 4)))  # dense towards ρ = ±1
NORMS = {
    "float64": (1.0, 2.0**-500, 2.0**-20, 2.0**10, 2.0**500),
    "float32": (1.0, 2.0**-60, 2.0**-10, 2.0**60),
}
FAMILIES = ("generic", "scaled", "shifted", "opposite", "duplicate", "zero")
SLOPES = (0.0, 0.25, 0.9375)


def _sequence(dim, salt):
    """Multiples of 1/64 in [−4, 4), from a quadratic residue sequence."""
    k = np.arange(dim, dtype=np.int64)
    return ((k * k * (37 + 2 * salt) + 101 * k + 59 * salt + 17) % 509 % 512 - 256) / 64.0


def pair(dtype, dim, family, gap, norm):
    """Return x and z, shape (dim,), of the dtype."""
    x, other = _sequence(dim, 1), _sequence(dim, 2)
    z = {
        "generic": other,
        "scaled": x * (1 + gap),
        "shifted": x + gap * other,
        "opposite": -x * (1 + gap),
        "duplicate": x,
        "zero": np.zeros(dim),
    }[family]
    return (x * norm).astype(dtype), (z * norm).astype(dtype)


def exact(x, z, slope, weight_variance=1, bias_variance=1):
    """Return Φ with 45 digits: an angle of 1e-150 needs ρ with 300 digits more."""
    with mp.workdps(700):
        dim = len(x)
        x, z = ([mp.mpf(float(value)) for value in point] for point in (x, z))
        weight, bias, slope = (mp.mpf(float(v)) for v in (weight_variance, bias_variance, slope))

        def inner(p, q):
            return weight * mp.fsum(a * b for a, b in zip(p, q, strict=True)) / dim + bias

        rho = inner(x, z) / mp.sqrt(inner(x, x) * inner(z, z))
        theta = mp.acos(max(mp.mpf(-1), min(mp.mpf(1), rho)))
        return slope + (1 - slope) ** 2 * (mp.pi - theta) / (2 * mp.pi)


def cases():
    for dtype, dim, family in itertools.product(NORMS, DIMS, FAMILIES):
        gaps = GAPS if family in ("scaled", "shifted", "opposite") else (0.0,)
        for number, (gap, norm) in enumerate(itertools.product(gaps, NORMS[dtype])):
            yield dtype, dim, family, gap, norm, SLOPES[number % len(SLOPES)]


def main():
    with TABLE.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(FIELDS)
        for dtype, dim, family, gap, norm, slope in cases():
            x, z = pair(dtype, dim, family, gap, norm)
            value = mp.nstr(exact(x, z, slope), 45, strip_zeros=False)
            writer.writerow((dtype, dim, family, repr(gap), repr(norm), slope, value))


if __name__ == "__main__":
    main()
