"""The law of free neurons, its moments, and the width that follows."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, strategies as st
from scipy import stats

from theory import Setting, expressions as ex, free_fraction, kappa, preactivation_scale, width_bound

POSITIVE = st.floats(1e-3, 1e3)


@pytest.mark.parametrize("tau", [1e-9, 0.01, 0.3, 1.0, 7.0, 1e4])
def test_moments_match_quadrature(tau):
    """E[α^{2j} 1{|u| ≤ τ|α|}] = E[α^{2j} erf(τ|α|/√2)], by quadrature with 30 digits."""
    with mp.workdps(30):
        t = mp.mpf(tau)

        def moment(power):
            def integrand(a):
                return 2 * a**power * mp.erf(t * a / mp.sqrt(2)) * mp.npdf(a)

            return mp.quad(integrand, [0, min(1, 1 / t), 1, 4, 12, 40])

        for power, expression in enumerate((ex.FREE_FRACTION, ex.FREE_SECOND_MOMENT, ex.FREE_FOURTH_MOMENT)):
            closed = sp.lambdify(ex.tau, expression, "mpmath")(t)
            assert abs(moment(2 * power) / closed - 1) < mp.mpf(10) ** -12


def test_moments_are_the_derivatives_claimed():
    """d/dτ E[α^{2j} 1{free}] = (2/π) 2^j j! (1 + τ²)^{−(j+1)}."""
    for j, expression in enumerate((ex.FREE_FRACTION, ex.FREE_SECOND_MOMENT, ex.FREE_FOURTH_MOMENT)):
        claimed = 2 / sp.pi * 2**j * sp.factorial(j) / (1 + ex.tau**2) ** (j + 1)
        assert sp.simplify(sp.diff(expression, ex.tau) - claimed) == 0
        assert expression.subs(ex.tau, 0) == 0


@pytest.mark.parametrize(
    ("seed", "dim", "N", "T", "lipschitz", "width", "scale"),
    [
        (0, 20, 200, 1.0, 1.0, 1000, 1.0),
        (1, 3, 1, 0.1, 1.0, 50, 5.0),
        (2, 1, 7, 4.0, 1.0, 10, 0.1),
        (3, 50, 30, 0.5, 0.25, 400, 3.0),
        (4, 10, 100, 30.0, 1.0, 20_000, 1.0),
    ],
)
def test_simulated_neurons_follow_the_law(seed, dim, N, T, lipschitz, width, scale):
    """Counts at a fixed point are binomial with the claimed probability (failure probability 1e-9 each)."""
    rng = np.random.default_rng(seed)
    X, z = scale * rng.normal(size=(N, dim)), scale * rng.normal(size=(1, dim))
    k, s = kappa(z, X=X), preactivation_scale(z)
    probability = free_fraction(T=T, kappa=k, s=s, width=width, lipschitz=lipschitz)[0]
    draws = 200_000
    u = rng.normal(size=(draws, dim)) @ z[0] / np.sqrt(dim) + rng.normal(size=draws)
    a = rng.normal(size=draws) / np.sqrt(width)
    count = int(np.sum(np.abs(u) <= np.abs(a) * lipschitz * T * k[0]))
    assert stats.binomtest(count, draws, probability).pvalue > 1e-9


@given(POSITIVE, POSITIVE, st.floats(1, 1e3), st.integers(1, 10**9), POSITIVE)
def test_free_fraction_is_the_expression(T, k, s, width, lipschitz):
    values = {ex.T: T, ex.kappa: k, ex.s: s, ex.m: width, ex.L: lipschitz}
    with mp.workdps(50):
        tau = sp.lambdify(list(values), ex.TAU, "mpmath")(*map(mp.mpf, values.values()))
        exact = sp.lambdify(ex.tau, ex.FREE_FRACTION, "mpmath")(tau)
    got = free_fraction(T=T, kappa=k, s=s, width=width, lipschitz=lipschitz)
    assert abs(got / exact - 1) < 2e-15  # five roundings and one of arctan2


@given(POSITIVE, POSITIVE, st.floats(1, 1e3), st.floats(1e-6, 0.999), st.sampled_from("fg"))
def test_width_bound_inverts_the_law(T, k, s, share, network):
    setting = Setting(dim=3, N=5, width=1, epsilon=1.0, T_f=T, T_g=2 * T)
    bound = float(width_bound(setting, free_share=share, network=network, kappa=k, s=s))
    if bound >= 1:
        time = T if network == "f" else 2 * T
        # τ and tan(πq/2) each carry a few roundings; near q = 1 the tangent amplifies those of πq/2.
        assert free_fraction(T=time, kappa=k, s=s, width=bound) == pytest.approx(share, rel=1e-13)
        assert free_fraction(T=time, kappa=k, s=s, width=2 * bound) < share


@given(
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
    st.sampled_from("ab"),
    st.floats(0.01, 20),
)
def test_norm_bound_covers_data_of_these_norms(dim, N, seed, scenario, epsilon):
    rng = np.random.default_rng(seed)

    def ball(count, radius):
        rows = rng.normal(size=(count, dim))
        # A large share on the sphere, where the bound is attained.
        return rows * (
            radius * np.minimum(1, 1.5 * rng.random((count, 1))) / np.linalg.norm(rows, axis=1)[:, None]
        )

    X, Z, R = ball(N, np.sqrt(dim)), ball(8, np.sqrt(dim)), ball(N, epsilon)
    setting = Setting(dim=dim, N=N, width=1, epsilon=epsilon, T_f=1.0, T_g=2.0, scenario=scenario)
    s = preactivation_scale(Z)
    inputs = {"f": X, "g": R if scenario == "a" else X + R}
    data = {
        name: width_bound(setting, free_share=0.1, network=name, kappa=kappa(Z, X=rows), s=s)
        for name, rows in inputs.items()
    }
    for name in ("f", "g"):
        norms = width_bound(setting, free_share=0.1, network=name)
        assert (data[name] <= norms * (1 + 1e-12)).all()
    both = width_bound(setting, free_share=0.1)
    assert (both >= np.maximum(data["f"], data["g"])).all()


def test_norm_bound_is_attained_on_the_sphere():
    """N = 1, z = x, ‖x‖ = √d: κ/s = (d + 1)/√2, which is where the published d² comes from."""
    x = np.full((1, 9), 1.0)
    setting = Setting(dim=9, N=1, width=1, epsilon=1.0, T_f=2.0, T_g=1.0)
    tight = width_bound(setting, free_share=0.2, network="f", kappa=kappa(x, X=x), s=preactivation_scale(x))
    assert width_bound(setting, free_share=0.2, network="f") == pytest.approx(tight[0], rel=1e-14)
    assert tight[0] == pytest.approx(10**2 * 2**2 / (2 * np.tan(np.pi * 0.1) ** 2), rel=1e-14)


def test_extremes_saturate_and_zero_time_frees_nobody():
    assert free_fraction(T=0, kappa=1, s=1, width=1) == 0
    assert free_fraction(T=1e308, kappa=1e308, s=1, width=1) == 1
    assert free_fraction(T=1e308, kappa=0, s=1, width=1, lipschitz=10) == 0


def test_arguments_broadcast():
    shape = free_fraction(T=[1, 2], kappa=[[1], [2], [3]], s=1, width=10).shape
    assert shape == (3, 2)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"T": -1}, "T must be >= 0, got -1"),
        ({"kappa": np.nan}, "kappa must be finite, got nan"),
        ({"s": 0}, "s must be > 0, got 0"),
        ({"width": 0}, "width must be >= 1, got 0"),
        ({"lipschitz": 0}, "lipschitz must be > 0, got 0"),
    ],
)
def test_free_fraction_rejects_bad_input(changes, match):
    with pytest.raises(ValueError, match=match):
        free_fraction(**({"T": 1, "kappa": 1, "s": 1, "width": 1} | changes))


def test_width_bound_rejects_bad_input():
    setting = Setting(dim=2, N=2, width=1, epsilon=1.0, T_f=1.0, T_g=1.0)
    with pytest.raises(ValueError, match=r"free_share must lie in \(0, 1\), got 1"):
        width_bound(setting, free_share=1)
    with pytest.raises(ValueError, match="free_share must be > 0"):
        width_bound(setting, free_share=0)
    with pytest.raises(ValueError, match="kappa and s must be given together"):
        width_bound(setting, free_share=0.1, kappa=1.0)
    with pytest.raises(ValueError, match="network must be one of f, g, both, got 'h'"):
        width_bound(setting, free_share=0.1, network="h")
