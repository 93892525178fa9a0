"""Quadrature and Monte Carlo agree with the closed form."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from theory import phi, phi_monte_carlo, phi_quadrature

# Two-sided normal quantile for a failure probability of 1e-9 over 16 pairs.
SIGMAS = stats.norm.isf(1e-9 / 32)


@pytest.mark.parametrize("rho", [-1 + 1e-9, -0.7, -1e-8, 0.0, 0.2, 0.95, 1 - 1e-12])
@pytest.mark.parametrize("slope", [0.0, 0.3, 0.99])
def test_quadrature_matches_the_closed_form(rho, slope):
    with mp.workdps(50):
        exact = (1 + mp.mpf(slope)) ** 2 / 4 + (1 - mp.mpf(slope)) ** 2 / (2 * mp.pi) * mp.asin(mp.mpf(rho))
    # Four intervals, each asked for a relative error of 1e-12 of a value below 1.
    assert abs(exact - phi_quadrature(rho, negative_slope=slope)) < 4e-12


def test_monte_carlo_is_within_its_error():
    rng = np.random.default_rng(11)
    X, Z = rng.normal(size=(4, 3)), 2 * rng.normal(size=(4, 3))
    estimate = phi_monte_carlo(X, Z, negative_slope=0.2, num_draws=400_000, rng=rng)
    exact = phi(X, Z, negative_slope=0.2)
    assert (np.abs(estimate.mean - exact) < SIGMAS * estimate.standard_error).all()
    # The error that 4·10⁵ draws leave: values in [γ², 1] have a deviation of at most (1 − γ²)/2.
    assert (estimate.standard_error <= 0.48 / np.sqrt(400_000) * 1.01).all()


def test_quadrature_rejects_certain_correlation():
    with pytest.raises(ValueError, match=r"rho must lie in \(-1, 1\), got 1.0"):
        phi_quadrature(1.0)


def test_monte_carlo_needs_two_draws():
    with pytest.raises(ValueError, match="num_draws must be >= 2, got 1"):
        phi_monte_carlo([[1.0]], [[1.0]], num_draws=1, rng=np.random.default_rng(0))
