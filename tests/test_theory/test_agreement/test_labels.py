"""Agreement of f̂ and ĝ over random labels: exact at every input."""

import itertools
import math

import numpy as np
import pytest

import theory
from theory.agreement import random_label_agreement
from theory.deep import Architecture

RNG = np.random.default_rng(4)
X, Z = RNG.normal(size=(7, 3)) + 0.3, RNG.normal(size=(5, 3))
X_adv = 0.4 * RNG.normal(size=X.shape)


@pytest.mark.parametrize("network", [Architecture(negative_slope=0.1), Architecture(depth=3)])
@pytest.mark.parametrize("adv", [None, X_adv])
def test_correlation_is_that_over_all_labels(network, adv):
    """Over all 2⁷ labels, by `f_hat` and `g_hat`; perturbations of size 1e-9 stand for those of size 0."""
    given = 1e-9 * X_adv if adv is None else adv
    pairs = [
        (
            theory.f_hat(Z, X=X, y=y, architecture=network),
            theory.g_hat(Z, X=X, y=y, X_adv=given, architecture=network),
        )
        for y in itertools.product([-1.0, 1.0], repeat=len(X))
    ]
    f, g = np.array(pairs).transpose(1, 0, 2)
    expected = (f * g).sum(axis=0) / np.sqrt((f**2).sum(axis=0) * (g**2).sum(axis=0))
    found = random_label_agreement(Z, X=X, X_adv=adv, architecture=network)
    np.testing.assert_allclose(np.cos(math.pi * (1 - found)), expected, rtol=1e-8)


@pytest.mark.parametrize(("N", "tolerance"), [(40, 0.1), (400, 0.02)])
def test_probability_is_that_of_gaussians(N, tolerance):
    """To the tolerance, plus 5 standard errors over 60 points of 2,000 labels each (failure below 1e-5)."""
    rng = np.random.default_rng(N)
    X, Z, y = rng.normal(size=(N, 8)), rng.normal(size=(60, 8)), rng.choice([-1.0, 1.0], (N, 2000))
    inner = Z @ X.T
    f = (inner * theory.phi(Z, X)) @ y
    g = (inner * theory.phi(X).mean(axis=0)) @ y
    differs = (np.sign(f) != np.sign(g)).mean(axis=1) - (1 - random_label_agreement(Z, X=X))
    law = np.mean(1 - random_label_agreement(Z, X=X))
    assert abs(differs.mean()) < tolerance * law + 5 * differs.std(ddof=1) / math.sqrt(len(Z))


def test_blocks_of_any_size_give_the_same():
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(1000, 2)), rng.normal(size=(50, 2))  # 21 points a block
    small = random_label_agreement(Z, X=X, X_adv=X, memory_budget=1 << 20)
    np.testing.assert_allclose(small, random_label_agreement(Z, X=X, X_adv=X), rtol=1e-13)


def test_nearly_equal_predictors_keep_their_digits():
    """The difference from 1 is of the size of the kernel's slope, far below √ε."""
    near = random_label_agreement([1.0, 0.0], X=[[1.0, 1e-9], [1.0, -2e-9]])
    assert 0 < 1 - near < 1e-8
    assert random_label_agreement([1.0, 0.0], X=[[1.0, 0.0], [1.0, 0.0]]) == 1


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e100, 1e200])
def test_scale_of_inner_products_is_no_matter(scale):
    """Z has the same directions in the limits, and inner products whose squares would leave the floats."""
    found = random_label_agreement(scale * Z, X=X)
    limit = random_label_agreement(Z * (1e-12 if scale < 1 else 1e12), X=X)
    np.testing.assert_allclose(found, limit, atol=1e-11)
    both = random_label_agreement(scale * Z, X=scale * X)
    limit = random_label_agreement(Z * (1e-9 if scale < 1 else 1e9), X=X * (1e-9 if scale < 1 else 1e9))
    np.testing.assert_allclose(both, limit, atol=1e-8)


def test_what_is_not_known_is_nan():
    assert np.isnan(random_label_agreement([0.0, 0.0, 0.0], X=X))


def test_bad_input():
    with pytest.raises(ValueError, match="X_adv must have one row for each of the 7 rows of X, got 2"):
        random_label_agreement(Z, X=X, X_adv=X[:2])
    with pytest.raises(ValueError, match=r"negative_slope must be left out with architecture.*got 0.1"):
        random_label_agreement(Z, X=X, negative_slope=0.1, architecture=Architecture())
    with pytest.raises(ValueError, match="memory_budget must be >= 1048576"):
        random_label_agreement(Z, X=X, memory_budget=1)
