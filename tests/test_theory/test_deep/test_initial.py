"""The deep network at initialisation, against networks drawn at random."""

import numpy as np
import pytest
from scipy import stats

from tests.test_theory.test_deep.reference import derivatives
from theory import deep
from theory.deep import Architecture

RNG = np.random.default_rng(3)
X, Z = RNG.normal(size=(3, 4)), RNG.normal(size=4)


def draw(architecture, width, rng, points, direction):
    """f and ⟨∇f, direction⟩ at the points, of one random network, all layers by hand."""
    gamma, sigma = architecture.negative_slope, np.sqrt(architecture.resolved_weight_variance / width)
    d = points.shape[1]
    h, dh = points, np.tile(direction, (len(points), 1))
    for layer in range(architecture.depth):
        scale, bias = (sigma, np.sqrt(architecture.bias_variance)) if layer else (1 / np.sqrt(d), 1.0)
        W = scale * rng.standard_normal((width, h.shape[1]))
        u, du = h @ W.T + bias * rng.standard_normal(width), dh @ W.T
        slopes = np.where(u > 0, 1.0, gamma)
        if layer and architecture.residual is not None:
            V = np.sqrt(architecture.branch_variance / width) * rng.standard_normal((width, width))
            h, dh = (old + architecture.residual * (slopes * new) @ V.T for old, new in ((h, u), (dh, du)))
        else:
            h, dh = slopes * u, slopes * du
    a = rng.standard_normal(width) / np.sqrt(width)
    return h @ a, dh @ a


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(depth=1, negative_slope=0.2),
        Architecture(depth=3, negative_slope=0.2, bias_variance=0.3),
        Architecture(depth=3, residual=0.7, branch_variance=1.5, bias_variance=0.2),
    ],
    ids=str,
)
def test_moments_are_those_of_random_networks(architecture):
    """19 means over 1,000 networks of width 150: one test at 1e-4 by Bonferroni."""
    rng = np.random.default_rng(architecture.depth)
    points = np.vstack([X, Z])
    drawn = [draw(architecture, 150, rng, points, Z) for _ in range(1000)]
    f, slope = (np.array(part) for part in zip(*drawn, strict=True))
    H, c = deep.initial_covariances(Z, X=X, architecture=architecture)
    K = deep.nngp(points, architecture=architecture)
    pairs = [(slope[:, i] * slope[:, j], H[i, j]) for i in range(3) for j in range(i + 1)]
    pairs += [(slope[:, i] * f[:, 3], c[i]) for i in range(3)]
    pairs += [(f[:, i] * f[:, j], K[i, j]) for i in range(4) for j in range(i + 1)]
    limit = stats.norm.isf(1e-4 / (2 * len(pairs)))
    for values, expected in pairs:
        assert abs(values.mean() - expected) < limit * values.std() / np.sqrt(len(values)), expected


@pytest.mark.parametrize(
    "fields",
    [
        {"depth": 1},
        {"depth": 3, "bias_variance": 0.3},
        {"depth": 4, "weight_variance": 1.3, "bias_variance": 0.4, "residual": 0.6, "branch_variance": 1.5},
    ],
    ids=str,
)
def test_covariances_are_derivatives_of_that_of_the_outputs(fields):
    """Central differences of the exact K^L, whose own error is 1e-30."""
    architecture = Architecture(negative_slope=0.2, **fields)
    H, c = deep.initial_covariances(Z, X=X, architecture=architecture)
    for n, k in ((0, 1), (0, 2), (1, 2)):
        both, one = (float(value) for value in derivatives(X[n], X[k], Z, architecture))
        assert H[n, k] == pytest.approx(both, rel=1e-12)
        assert H[k, n] == pytest.approx(both, rel=1e-12)
        assert c[n] == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("residual", [None, 0.5])
@pytest.mark.parametrize("depth", [1, 2, 6])
def test_mean_square_of_the_gradient_is_exact(depth, residual):
    architecture = Architecture(depth=depth, negative_slope=0.3, weight_variance=1.1, residual=residual)
    H, _ = deep.initial_covariances(np.eye(4), X=X, architecture=architecture)
    squares = np.einsum("znn->n", H)
    np.testing.assert_allclose(squares, architecture.initial_gradient_norm**2, rtol=1e-12)


def test_at_coinciding_and_opposite_points_nothing_is_lost():
    architecture = Architecture(depth=3, bias_variance=0.1)
    points = np.array([[1.0, 2.0], [1.0, 2.0], [1e8, 0.0], [-1e8, 0.0]])
    H, c = deep.initial_covariances(np.array([[1.0, 2.0], [0.0, 0.0]]), X=points, architecture=architecture)
    assert np.isfinite(H).all()
    np.testing.assert_allclose(H[0, 0, 0], H[0, 0, 1], rtol=1e-12)
    assert (H[1] == 0).all()
    assert (c[1] == 0).all()


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_points_nearly_along_a_line_are_close_to_those_on_it(sign, depth):
    """H is continuous at θ = 0 and π: rounding of a component is not divided by an angle of nothing."""
    architecture, rng = Architecture(depth=depth, negative_slope=0.3), np.random.default_rng(0)
    for size in (1e8, 1e20):
        for x in size * rng.standard_normal((20, 3)):
            z = rng.standard_normal(3)
            on_it, _ = deep.initial_covariances(z, X=[x, sign * x], architecture=architecture)
            for gap in (0.0, 1e-14, 1e-7, 1e-3):
                near = sign * (1 + gap) * x
                H, _ = deep.initial_covariances(z, X=[x, near], architecture=architecture)
                np.testing.assert_allclose(H, on_it, rtol=1e-6)
                np.testing.assert_allclose(np.diag(H), H[0, 0], rtol=1e-12)
    # An angle of 1e-60, exactly: a component of e is rounding over that.
    far = 1e60 * np.array([[1.0, 0.0, 0.0], [sign * 3.3, 0.0, 0.0]])
    H, _ = deep.initial_covariances([0.7, -1.3, 0.4], X=far, architecture=architecture)
    if sign > 0:
        np.testing.assert_allclose(H, H[0, 0], rtol=1e-12)
    assert abs(H[0, 1]) <= H[0, 0] * (1 + 1e-12)
    if depth == 1:  # Φ(π) = γ
        ratio = 1.0 if sign > 0 else 0.3 / architecture.half_square
        assert on_it[0, 1] == pytest.approx(ratio * on_it[0, 0], rel=1e-6)
