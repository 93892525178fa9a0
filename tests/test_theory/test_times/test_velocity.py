"""The velocity of f: what is beyond rounding is kept, what rounding may have made is 0."""

import numpy as np
import pytest

from theory.deep import Architecture, Rates, ntk_enclosure
from theory.times.velocity import velocity

ARCHITECTURES = [
    Architecture(negative_slope=0.2),
    Architecture(depth=3, residual=0.5, rates=Rates(first=2.0)),
    Architecture(depth=2, rates="all"),
]
RNG = np.random.default_rng(0)
X, Z, Y = RNG.standard_normal((6, 5)), RNG.standard_normal((4, 5)), np.array([1, 1, -1, 1, -1, -1])
SCALES = [(1.0, 1.0), (1e150, 1e-12), (1e150, 1e-140), (1e150, 1e-150), (1e-12, 1e150)]


@pytest.mark.parametrize("architecture", ARCHITECTURES[:2], ids=str)
@pytest.mark.parametrize(("long", "short"), SCALES)
def test_short_points_of_long_samples_move_as_balls_enclose(long, short, architecture):
    """An error in units of ‖x‖, not of ⟨x, z⟩ + 1, would be above every velocity from the second pair on."""
    expected = [
        sum(
            label * float(ntk_enclosure(long * x, short * z, architecture=architecture, precision=1024).ball)
            for x, label in zip(X, Y, strict=True)
        )
        / len(X)
        for z in Z
    ]
    np.testing.assert_allclose(velocity(short * Z, long * X, Y, architecture), expected, rtol=1e-13)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize(("long", "short"), SCALES)
def test_samples_with_both_labels_move_nothing(long, short, architecture):
    both, labels = np.vstack([long * X, long * X[::-1]]), np.concatenate([Y, -Y[::-1]])
    order = RNG.permutation(len(both))
    assert not velocity(short * Z, both[order], labels[order], architecture).any()
