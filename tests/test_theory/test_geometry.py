"""Inner products, κ and s."""

import numpy as np
import pytest

from theory import augmented_inner, expressions as ex, kappa, preactivation_scale


def test_kappa_and_scale_by_hand():
    X, Z = [[1.0, 2.0], [-3.0, 0.0]], [[2.0, 0.0]]
    np.testing.assert_array_equal(augmented_inner(Z, X=X), [[3.0, -5.0]])
    np.testing.assert_array_equal(kappa(Z, X=X), [4.0])
    exact = ex.SCALE.subs({ex.z_z: 4, ex.d: 2})
    assert preactivation_scale(Z)[0] == pytest.approx(float(exact), rel=1e-15)


def test_kappa_in_blocks_is_that_of_one_block(monkeypatch):
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(20, 3)), rng.normal(size=(7, 3))
    whole = np.abs(augmented_inner(Z, X=X)).mean(axis=1)
    for entries in (1, 40, 1 << 19):
        monkeypatch.setattr("theory.geometry._BLOCK", entries)
        np.testing.assert_allclose(kappa(Z, X=X), whole, rtol=1e-14)  # tens of roundings


def test_scale_does_not_overflow():
    assert preactivation_scale([[1e200]])[0] == 1e200
    assert preactivation_scale([[0.0]])[0] == 1


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="Z must have 2 columns"):
        kappa([[1.0]], X=[[1.0, 2.0]])
