"""Expressions that follow from others, and special values."""

import sympy as sp

from theory import expressions as ex


def test_the_angle_form_is_the_correlation_form():
    difference = ex.PHI_ANGLE.subs(ex.theta, sp.acos(ex.rho)).rewrite(sp.asin) - ex.PHI
    assert sp.simplify(difference) == 0


def test_range_and_special_values():
    assert sp.simplify(ex.PHI_MIN - ex.gamma) == 0
    assert sp.simplify(ex.PHI_MAX - (1 + ex.gamma**2) / 2) == 0
    assert ex.PHI.subs({ex.gamma: 0, ex.rho: 0}) == sp.Rational(1, 4)
    assert sp.limit(ex.PHI, ex.gamma, 1) == 1  # a linear network


def test_phi_increases_with_the_correlation():
    slope = sp.diff(ex.PHI, ex.rho)
    positive = slope.subs({ex.gamma: sp.Symbol("c", negative=True) + 1})  # 1 − γ > 0
    assert sp.simplify(positive * sp.sqrt(1 - ex.rho**2)).is_positive


def test_gradient_expressions_are_orthogonal_to_rescaling():
    """Φ depends on the direction of (z/√d, 1) only: its derivative along that vector is 0.

    Scaling (z/√d, 1) by λ leaves Φ fixed; in terms of z and a bias weight σ_b, ρ(λz, λσ_b) = ρ(z, σ_b).
    """
    b, lam = sp.symbols("b lambda", positive=True)
    rho = (ex.x_z / ex.d + b) / (sp.sqrt(ex.x_x / ex.d + 1) * sp.sqrt(ex.z_z / ex.d + b**2))
    scaled = rho.subs({ex.x_z: lam * ex.x_z, ex.z_z: lam**2 * ex.z_z, b: lam * b}, simultaneous=True)
    assert sp.simplify(scaled - rho) == 0
    assert sp.simplify(rho.subs(b, 1) - ex.RHO) == 0


def test_gradient_in_its_geometric_form():
    """GRADIENT_X and GRADIENT_Z are (1 − γ)²/(2π sin θ) times 1/(d s_x s_z) and −ρ/(d s_z²)."""
    s_x, s_z = ex.SCALE.subs(ex.z_z, ex.x_x), ex.SCALE
    front = (1 - ex.gamma) ** 2 / (2 * sp.pi * sp.sqrt(1 - ex.RHO**2))
    values = {ex.x_z: sp.Rational(1, 3), ex.x_x: 2, ex.z_z: 5, ex.d: 3, ex.gamma: sp.Rational(1, 7)}
    for expression, claimed in (
        (ex.GRADIENT_X, front / (ex.d * s_x * s_z)),
        (ex.GRADIENT_Z, -front * ex.RHO / (ex.d * s_z**2)),
    ):
        assert sp.N((expression - claimed).subs(values), 40, chop=True) == 0


def test_width_bound_solves_the_law():
    at_bound = ex.FREE_FRACTION.subs(ex.tau, ex.TAU.subs(ex.m, ex.WIDTH_BOUND))
    values = {ex.L: 1, ex.T: 2, ex.kappa: 3, ex.s: 2, ex.q: sp.Rational(1, 5)}
    assert sp.N((at_bound - ex.q).subs(values), 40, chop=True) == 0


def test_second_moment_is_at_most_linear():
    """S(τ) ≤ (4/π) τ: the difference vanishes at 0 and its derivative is (4/π)(1 − (1 + τ²)⁻²) ≥ 0."""
    gap = 4 / sp.pi * ex.tau - ex.FREE_SECOND_MOMENT
    assert gap.subs(ex.tau, 0) == 0
    claimed = 4 / sp.pi * (1 - (1 + ex.tau**2) ** -2)
    assert sp.simplify(sp.diff(gap, ex.tau) - claimed) == 0
