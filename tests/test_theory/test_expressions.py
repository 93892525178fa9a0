"""Expressions that follow from others, and special values."""

import numpy as np
import pytest
import sympy as sp

from theory import expressions as ex
from theory.bounds.envelope import NeuronEnvelope
from theory.certificates.independent import _fall_of_tail


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


def test_neuron_moment_is_the_gaussian_integral():
    """With v = u/s the exponent is (β, v) A (β, v)ᵀ plus a constant, and E e^(…) = det(I − 2A)^(−1/2)."""
    root = sp.sqrt(ex.m)
    corner = ex.lam * (ex.slope * ex.drift + ex.offset / 2) / root + ex.w_beta
    side = ex.lam * ex.slope * ex.s / (2 * root)
    determinant = sp.det(sp.eye(2) - 2 * sp.Matrix([[corner, side], [side, 0]]))
    assert sp.expand(determinant - ex.NEURON_BRACKET) == 0
    # One slope, and nothing that moves: E e^(λX) of X = (α/√m) φ(u) with γ = 1.
    linear = ex.NEURON_MOMENT.subs({ex.gamma: 1, ex.drift: 0, ex.offset: 0, ex.w_beta: 0})
    assert sp.simplify(linear - 1 / sp.sqrt(1 - ex.lam**2 * ex.s**2 / ex.m)) == 0


def test_neuron_moment_is_what_certificates_far_from_lazy_use():
    """`NeuronEnvelope` inflates its moments by 1e-11, and what it subtracts by 1e-10 of the sizes."""
    values = {ex.m: 7, ex.gamma: sp.Rational(1, 5), ex.s: sp.Rational(13, 10), ex.lam: sp.Rational(3, 5)}

    def moment(c, e=0.0, w=0.0, exponent=1.0):
        rest = {ex.drift: c, ex.offset: e, ex.w_beta: w, ex.lam: exponent * values[ex.lam]}
        return float(ex.NEURON_MOMENT.subs(values | rest))

    rows = {"direct": np.inf, "inner": 0.2, "outer": 0.4}
    envelope = NeuronEnvelope(
        width=7,
        slope=0.2,
        scale=np.array([1.3]),
        **{name: np.full((2, 1), value) for name, value in rows.items()},
        offset=0.1,
        chance=np.ones(1),
        readout_limit=9.0,
        norm_limit=9.0,
        truncation=1e-3,
    )
    exponent, signs = np.array([0.6]), np.array([1])
    assert envelope.reference(exponent, signs)[0] == pytest.approx(moment(0.2), rel=1e-10)
    either = moment(0.2) + moment(0.4, 0.1)
    assert envelope.moment(exponent, signs)[0] == pytest.approx(either, rel=1e-10)
    k = 0.6 / np.sqrt(7)
    widening = k * (0.2 + 0.05)
    excess = (
        np.exp(k * 0.1) * moment(0.2, w=2 * widening, exponent=2.0)
        - 2 * np.exp(k * 0.05) * moment(0.2, w=widening, exponent=2.0)
        + moment(0.2, exponent=2.0)
    )
    assert envelope.excess(exponent, signs, 2)[0] == pytest.approx(excess, rel=1e-6)  # of a difference


def test_tail_factor_is_the_largest_quotient():
    """(w − t)/w^r is largest at w = rt/(r − 1), where it is C_r t^(1−r)."""
    w = sp.Symbol("w", positive=True)
    quotient = (w - ex.t) / w**ex.r
    best = ex.r * ex.t / (ex.r - 1)
    assert sp.simplify(sp.diff(quotient, w).subs(w, best)) == 0
    for r, t in ((sp.Rational(3, 2), 2), (4, sp.Rational(1, 3)), (16, 1)):
        values = {ex.r: r, ex.t: t}
        claimed = sp.N(ex.TAIL_FACTOR.subs(values), 30)
        assert abs(sp.N(quotient.subs(w, best).subs(values), 30) - claimed) < 1e-25 * claimed
        for split, ceiling in ((True, float(t)), (False, float(t) - 1)):
            assert _fall_of_tail(float(r), ceiling, split=split) == pytest.approx(float(claimed), rel=1e-13)
