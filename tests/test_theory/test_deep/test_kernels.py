"""Deep kernels against many digits, random networks, other libraries, and mutants of the recursion."""

import itertools
import math
import sys
import tracemalloc
import types
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, strategies as st

import theory
from tests.test_theory.test_deep.reference import arc_cosine, exact
from theory import deep, expressions as ex
from theory.deep import Architecture, Rates, kernels, layers

PLAIN = [
    Architecture(depth=L, negative_slope=gamma, bias_variance=bias, rates=rates)
    for L, gamma, bias, rates in itertools.product((1, 3, 30), (0.0, 0.3), (0.0, 0.5), ("first", "all"))
]
RESIDUAL = [
    Architecture(
        depth=L, negative_slope=0.2, bias_variance=bias, rates="all", residual=0.5, branch_variance=2.0
    )
    for L, bias in itertools.product((2, 10), (0.0, 0.1))
]
ODD = Architecture(
    depth=4,
    negative_slope=0.1,
    weight_variance=1.3,
    bias_variance=0.4,
    rates=Rates(first=0.5, weights=2.0, biases=3.0, branches=1.5, readout=0.7),
    residual=0.6,
)
# With σ_w² g₀ < 1 and a bias angles shrink by (σ_w² g₀)^{1/2} a layer, and late layers dominate ∇Θ.
SHRINKING = [
    Architecture(depth=50, weight_variance=1.0, bias_variance=bias, rates=rates)
    for bias, rates in itertools.product((0.5, 1e-3), (Rates(first=0.0, biases=1.0), "first", "all"))
]
RNG = np.random.default_rng(2)
X, Z, WEIGHTS = RNG.normal(size=(6, 4)), RNG.normal(size=(5, 4)), RNG.normal(size=6)
Z[0] = X[0]
KERNELS = (deep.ntk, deep.nngp, deep.phi)
GAPS = (3.0, 1.0, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10)


def errors(architecture, gap, rng, matrices=kernels):
    """Errors of Θ, K, Φ and ∇Θ at a random pair whose distance is about `gap`.

    Relative; that of ∇Θ to its parts along x − z and z, which cancel for some distant pairs.
    """
    x = rng.choice([0.3, 1.0, 5.0]) * rng.standard_normal(5)
    z = x + gap * rng.standard_normal(5)

    def computed(k):
        along, point = k.tangent_slopes
        gradient = along[0, 0] * (x - z) + point[0, 0] * z
        size = abs(along[0, 0]) * np.linalg.norm(x - z) + abs(point[0, 0]) * np.linalg.norm(z)
        return np.concatenate([[k.tangent[0, 0], k.covariance[0, 0], k.phi[0, 0], size], gradient])

    got = matrices.over_blocks(lambda _, k: computed(k), z[None], x[None], architecture, gradient=True)
    with mp.workdps(40):
        *values, gradient = exact(x, z, architecture)
        off = [abs(float(g / v - 1)) for g, v in zip(got[:3], values, strict=True)]
        return [
            *off,
            float(mp.norm([mp.mpf(g) - v for g, v in zip(got[4:], gradient, strict=True)]) / got[3]),
        ]


@pytest.mark.parametrize("architecture", [*PLAIN, *RESIDUAL, ODD, *SHRINKING], ids=str)
def test_values_and_gradients_keep_their_digits(architecture):
    """1e-14 at every distance; the largest error seen over 60 other pairs an architecture was 9e-15."""
    rng = np.random.default_rng(architecture.depth)
    assert max(max(errors(architecture, gap, rng)) for gap in GAPS) < 1e-14


@pytest.mark.parametrize("gap", [*GAPS, 0.0])
@pytest.mark.parametrize(
    ("depth", "gamma", "W_std", "b_std"),
    [(1, 0.3, 1.0, 0.0), (2, 0.0, 2**0.5, 0.0), (4, 0.2, 1.1, 0.5), (12, 0.1, 1.4, 0.05)],
)
def test_kernels_are_those_of_neural_tangents(depth, gamma, W_std, b_std, gap):
    """Both parameterizations, mapped as Derivation 17 says, with the tolerance of the other recursion."""
    rng = np.random.default_rng(depth)
    x = rng.standard_normal(5)
    z = x + gap * rng.standard_normal(5)
    network = {"depth": depth, "gamma": gamma, "W_std": W_std, "b_std": b_std}
    variances = {"weight_variance": W_std**2, "bias_variance": b_std**2}
    plain = {"depth": depth, "negative_slope": gamma, **variances}
    ours = Architecture(**plain, rates=Rates(first=0, weights=W_std**2, biases=b_std**2, readout=1))
    first = (x @ z / 5 + 1) * deep.phi(x, z, architecture=ours)
    standard = Architecture(**plain, rates=Rates(first=1, weights=64, biases=1, readout=64))
    covariance, tangent = arc_cosine(x, z, **network)
    for found, expected in (
        (deep.nngp(x, z, architecture=ours), covariance),
        (deep.ntk(x, z, architecture=ours) + first, tangent),
        (deep.ntk(x, z, architecture=standard), arc_cosine(x, z, width=64, **network)[1]),
    ):
        assert found == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize("depth", [1, 2, 8, 50])
@pytest.mark.parametrize("residual", [None, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.999, 1 - 1e-9])
def test_values_keep_their_digits_at_opposite_points_and_different_norms(depth, residual, gamma):
    """Θ and K cancel there, so the error is relative to √(K(x, x) K(z, z)), as a kernel's must be."""
    architecture = Architecture(
        depth=depth, negative_slope=gamma, bias_variance=0.1, rates="all", residual=residual
    )
    x = np.array([3.0, -2.0, 0.5])
    for z in (-x, -1e4 * x, 1e8 * np.array([1.0, 0.3, -2.0]), -(1 + 1e-9) * x):
        pair = 1e4 * np.stack([x, z])
        with mp.workdps(60):
            values, first, second = (
                exact(a, b, architecture)[:3] for a, b in (pair, pair[[0, 0]], pair[[1, 1]])
            )
            for kernel, v, v_x, v_z in zip(KERNELS, values, first, second, strict=True):
                K = kernel(pair, architecture=architecture)
                off = [abs(mp.mpf(float(entry)) - v) for entry in (K[0, 1], K[1, 0])]
                assert float(max(off) / mp.sqrt(v_x * v_z)) < 1e-14, (kernel, z)


def test_what_overflows_is_not_known():
    far = np.array([[1e160, 0.0]])
    for depth, kernel in itertools.product((1, 2), (deep.ntk, deep.nngp)):
        K = kernel(np.vstack([far, X[:1, :2]]), architecture=Architecture(depth=depth, bias_variance=0.1))
        assert np.isnan(K[0, 0])
        assert np.isfinite(K[1, 1])
    for part in deep.ntk_gradient(far, X=far, architecture=Architecture(depth=2)):
        assert not np.isinf(part).any()
    assert np.isnan(theory.initial_deviation(far, architecture=Architecture(depth=2)))


MUTANTS = [
    ("phi / g0 * part", "phi * part"),
    ("phi_of_angle(u.theta,", "phi_of_angle(u.theta * u.theta,"),
    ("u.deficit - c0 / g0 *", "u.deficit - c0 *"),
    ("(g0 * u.v_z, g0 * u.v_x,", "(g0 * u.v_z, u.v_x,"),
    ("g0 * u.D,", "u.D,"),
    ("-c0 / xp.where(flat", "c0 / xp.where(flat"),
    ("rates.first * (inner + 1) * phi", "rates.first * inner * phi"),
    ("rates.first * (phi + (inner + 1) * d_phi.difference)", "rates.first * (inner + 1) * d_phi.difference"),
    ("rates.first * (phi + (inner + 1) * d_phi.point)", "rates.first * (inner + 1) * d_phi.point"),
    ("inside = weight * tangent", "inside = tangent"),
    ("rates.weights * C.value() + rates.biases", "rates.weights * C.value()"),
    ("rates.weights * C.value()", "rates.weights * E.value()"),
    ("d * inside + phi * s", "phi * s"),
    ("d * inside + phi * s", "d * inside"),
    ("branch * E.value()", "branch * C.value()"),
    ("branch = (architecture.residual or 0.0) ** 2 *", "branch = (architecture.residual or 0.0) *"),
    ("1 + beta * weight * phi", "1 + beta * phi"),
    ("C.plus(E.scaled(beta))", "C.plus(E)"),
    ("rates.readout * C.value()", "rates.readout * tangent"),
    ("+ rates.readout * c for s, c", "+ c for s, c"),
    ("q * q / (size + of_a + of_b)", "0 * q"),
    ("q * q / (size + of_a + of_b)", "q / (size + of_a + of_b)"),
    ("self.D * b_x - a_x * other.D, self.D * b_z", "self.D * b_z - a_z * other.D, self.D * b_x"),
    ("of_b * other.deficit", "of_a * other.deficit"),
    ("((self, 1), (other, -1))", "((self, 1), (other, 1))"),
    ("- deficit + part.deficit * t", "- deficit"),
    ("part.deficit * t) / (2 * v_z)", "part.deficit * t) / v_z"),
    ("(self.v_x / self.v_z) ** 0.5 / 2 * self.dv_z", "(self.v_x / self.v_z) ** 0.5 * self.dv_z"),
    ("theta * square * total", "theta * square * (total + 1e-6)"),
]


@pytest.mark.parametrize(("right", "wrong"), MUTANTS)
def test_a_mutant_of_the_recursion_is_caught(right, wrong, monkeypatch):
    source = Path(layers.__file__).read_text(encoding="utf-8")
    assert right in source
    mutant = types.ModuleType("mutant")
    monkeypatch.setitem(sys.modules, "mutant", mutant)
    exec(compile(source.replace(right, wrong, 1), "mutant", "exec"), mutant.__dict__)
    for name in ("Covariance", "Kernels", "Slopes", "kernels"):
        monkeypatch.setattr(kernels, name, getattr(mutant, name))
    rng = np.random.default_rng(0)
    worst = max(max(errors(A, gap, rng)) for A in (PLAIN[15], ODD) for gap in (1.0, 1e-4))
    assert not worst < 1e-12


def test_recursion_is_what_sympy_derives():
    """The dual activation has the derivative Φ and is (E φ)² at ρ = 0 and E φ² at ρ = 1; Δ' = Φ/g₀."""
    assert sp.simplify(sp.diff(ex.DUAL, ex.rho) - ex.PHI) == 0
    mean = (1 - ex.gamma) / sp.sqrt(2 * sp.pi)  # E φ(A)
    assert sp.simplify(ex.DUAL.subs(ex.rho, 0) - mean**2) == 0
    assert sp.simplify(ex.DUAL.subs(ex.rho, 1) - ex.PHI_MAX) == 0
    slope = sp.diff(ex.DEFICIT_ACTIVATED, ex.DEFICIT)
    assert sp.simplify(slope - (ex.PHI / ex.PHI_MAX).subs(ex.rho, 1 - ex.DEFICIT)) == 0
    for gamma, delta in itertools.product((0.0, 0.4), (1e-3, 0.3, 1.0, 1.9)):
        one = np.array([[1.0]])
        theta = np.array([[math.acos(1 - delta)]])
        E, phi, _ = layers.activated(
            layers.Covariance(one, one, 0 * one, delta * one, theta), Architecture(negative_slope=gamma)
        )
        values = {ex.gamma: gamma, ex.DEFICIT: delta, ex.rho: 1 - delta}
        assert E.deficit[0, 0] == pytest.approx(float(ex.DEFICIT_ACTIVATED.subs(values)), rel=1e-12)
        assert phi[0, 0] == pytest.approx(float(ex.PHI.subs(values)), rel=1e-13)


def test_depth_one_is_the_two_layer_theory():
    rng = np.random.default_rng(1)
    X, Z, y = rng.normal(size=(7, 4)), rng.normal(size=(5, 4)), np.array([1, -1, 1, 1, -1, 1, -1])
    one = Architecture(negative_slope=0.2)
    np.testing.assert_array_equal(deep.phi(X, Z, architecture=one), theory.phi(X, Z, negative_slope=0.2))
    np.testing.assert_allclose(
        deep.ntk(X, Z, architecture=one), theory.ntk(X, Z, negative_slope=0.2), rtol=0, atol=1e-14
    )
    A, B = deep.ntk_gradient(Z, X=X, architecture=one)
    gradient = (A * y) @ X / 7 + (B @ y / 7)[:, None] * Z
    expected = theory.perturbation_direction(Z, X=X, y=y, negative_slope=0.2)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-14)
    assert one.initial_gradient_norm == pytest.approx(math.sqrt((1 + 0.2**2) / 2))


@given(
    seed=st.integers(0, 2**32 - 1),
    architecture=st.sampled_from([*PLAIN, *RESIDUAL, ODD]),
    size=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_a_sample_enters_with_the_sign_of_its_label(seed, architecture, size):
    """A_n(z) ≥ 0 wherever k(x_n, z) ≥ 0: Derivation 17."""
    rng = np.random.default_rng(seed)
    X, Z = size * rng.normal(size=(6, 3)), size * rng.normal(size=(6, 3))
    A, _ = deep.ntk_gradient(Z, X=X, architecture=architecture)
    assert (A[Z @ X.T + 1 >= 0] >= 0).all()


def test_where_k_is_negative_the_sign_can_turn():
    """The hypothesis of the theorem is needed."""
    A, _ = deep.ntk_gradient([3.0, 0.1], X=[[-3.0, 0.1]], architecture=Architecture(depth=1))
    assert A[0] < 0


@pytest.mark.parametrize("architecture", [PLAIN[13], RESIDUAL[0], ODD], ids=str)
def test_torch_differentiates_what_numpy_has_in_closed_form(architecture):
    torch = pytest.importorskip("torch")
    points = torch.tensor(Z, requires_grad=True)
    got = deep.ntk(points, torch.tensor(X), architecture=architecture) @ torch.tensor(WEIGHTS)
    (gradient,) = torch.autograd.grad(got.sum(), points)
    agree(got.detach(), gradient, architecture)


@pytest.mark.parametrize("depth", [1, 3])
def test_directions_that_rounding_makes_count_as_one(depth):
    """Points along one line at 1e20: the angle between them, 1e-20, is rounding, and ∇Θ = g₀ x."""
    architecture = Architecture(depth=depth, negative_slope=0.2)
    for x in 1e20 * np.random.default_rng(0).standard_normal((20, 1, 3)):
        A, B = deep.ntk_gradient(3 * x, X=x, architecture=architecture)
        np.testing.assert_allclose(A * x + B * 3 * x, architecture.half_square * x, rtol=1e-14)


def test_torch_differentiates_angles_that_shrink_below_rounding():
    """θ_50 is 2e-16 here; in torch θ_1 comes from a product, with an error of 1e-16/‖x − z‖."""
    torch = pytest.importorskip("torch")
    x, step = np.array([[1.0, -2.0, 0.5]]), 1e-8 * np.array([[0.3, 0.2, -0.7]])
    point = torch.tensor(x + step, requires_grad=True)
    deep.ntk(point, torch.tensor(x), architecture=SHRINKING[0]).sum().backward()
    A, B = deep.ntk_gradient(x + step, X=x, architecture=SHRINKING[0])
    np.testing.assert_allclose(point.grad.numpy(), A * x + B * (x + step), rtol=1e-6)


def test_jax_compiles_and_differentiates_it():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):

        def product(points):
            return deep.ntk(points, jax.numpy.asarray(X), architecture=ODD) @ WEIGHTS

        values, pull = jax.vjp(jax.jit(product), jax.numpy.asarray(Z))
        agree(values, pull(jax.numpy.ones(len(Z)))[0], ODD)


def agree(values, gradient, architecture):
    """A row of Z is a row of X: there the term of that sample has the derivative that symmetry gives it."""
    expected = kernels.product(Z, X, WEIGHTS, architecture, "tangent")
    np.testing.assert_allclose(np.asarray(values), expected, rtol=1e-12, atol=1e-12)
    expected = kernels.weighted_gradient(Z, X, WEIGHTS, architecture)
    np.testing.assert_allclose(np.asarray(gradient), expected, rtol=1e-11, atol=1e-11)


def test_shapes_dtypes_and_errors():
    A = Architecture(depth=3, rates="all")
    X = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    K = deep.ntk(X, architecture=A)
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_allclose(np.diag(K), kernels.diagonal(X, A).tangent[0], rtol=1e-14)
    assert deep.ntk(X[0], X[1], architecture=A) == K[0, 1]
    np.testing.assert_array_equal(deep.ntk(X[0], X, architecture=A), K[0])
    np.testing.assert_array_equal(deep.ntk(X, X[1], architecture=A), K[:, 1])
    assert deep.ntk(X.astype(np.float32), architecture=A).dtype == np.float32
    small = kernels.product(X, X, np.ones(3), A, "tangent", memory_budget=1 << 20)
    np.testing.assert_allclose(small, K.sum(axis=1), rtol=1e-14)
    with pytest.raises(TypeError, match="must be given by keyword"):
        deep.ntk_gradient(X, X, architecture=A)
    with pytest.raises(ValueError, match="Z must be finite, got nan"):
        deep.ntk(X, X * np.nan, architecture=A)


@pytest.mark.parametrize("budget", [1 << 20, 1 << 24])
@pytest.mark.parametrize(("size", "spread"), [((800, 20), 1.0), ((800, 20), 1e-4), ((150, 784), 1e-4)])
def test_memory_stays_within_its_budget(budget, size, spread):
    """Rows nearly parallel (spread 1e-4) are the worst case: every pair is computed again."""
    points = spread * RNG.normal(size=size)
    v, Z = np.ones(len(points)), points[:100]
    for call in (
        lambda: kernels.product(Z, points, v, ODD, "tangent", memory_budget=budget),
        lambda: kernels.weighted_gradient(Z, points, v, ODD, memory_budget=budget),
    ):
        call()  # starts the threads
        tracemalloc.start()
        result = call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # Near pairs come on top: six arrays of half a MiB a thread.
        assert peak < budget + 2 * result.nbytes + 3 * (1 << 20) * max(1, min(2, budget >> 22))


def test_blocks_of_samples_are_summed():
    """Of rows of 2,000 coordinates the smallest budget takes 16 at a time."""
    rng = np.random.default_rng(6)
    X, Z, v = rng.normal(size=(50, 2000)), rng.normal(size=(3, 2000)), rng.normal(size=(50, 2))
    K = deep.ntk(Z, X, architecture=ODD)
    for added, factor in ((None, 1.0), (0.5, Z @ X.T + 0.5)):
        found = kernels.product(Z, X, v, ODD, "tangent", added, memory_budget=1 << 20)
        np.testing.assert_allclose(found, (K * factor) @ v, rtol=1e-11)
    A, B = deep.ntk_gradient(Z, X=X, architecture=ODD)
    found = kernels.weighted_gradient(Z, X, v[:, 0], ODD, memory_budget=1 << 20)
    np.testing.assert_allclose(found, (A * v[:, 0]) @ X + (B @ v[:, 0])[:, None] * Z, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_of_points_with_themselves_is_that_of_two_sets(kernel, monkeypatch):
    """One triangle of blocks, here of 1 to 3 rows, the diagonal exactly that of equal points."""
    expected = kernel(X, X.copy(), architecture=ODD)
    for cached in (1, 12, 18):
        monkeypatch.setattr(kernels, "_CACHED", cached)
        K = kernel(X, architecture=ODD)
        np.testing.assert_array_equal(K, K.T)
        np.testing.assert_allclose(K, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    "function",
    [
        deep.ntk,
        deep.phi,
        deep.nngp,
        lambda X, **of: deep.ntk_gradient(X, X=X, **of),
        lambda X, **of: deep.initial_covariances(X, X=X, **of),
        lambda X, **of: deep.ntk_enclosure(X[0], X[1], **of),
    ],
)
def test_what_is_no_architecture(function):
    with pytest.raises(TypeError, match=r"architecture must be a theory.deep.Architecture, got str"):
        function(X, architecture="first")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"depth": 0}, "depth must be >= 1, got 0"),
        ({"depth": 2.0}, "depth must be an integer, got 2.0"),
        ({"negative_slope": 1.0}, r"negative_slope must lie in \[0, 1\), got 1.0"),
        ({"weight_variance": 0.0}, "weight_variance must be > 0, got 0.0"),
        ({"bias_variance": -1.0}, "bias_variance must be >= 0, got -1.0"),
        ({"residual": 0.0}, "residual must be > 0, got 0.0"),
        ({"residual": 1.0, "branch_variance": math.nan}, "branch_variance must be finite, got nan"),
        ({"rates": "last"}, "rates must be one of first, all, got 'last'"),
        (
            {"rates": Rates(branches=1.0)},
            "rates.branches must be 0 in a network without residual blocks, got 1.0",
        ),
    ],
)
def test_architectures_that_do_not_exist(fields, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Architecture(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"first": -1.0}, "first must be >= 0, got -1.0"), ({"first": 0.0}, "rates must not all be 0")],
)
def test_rates_that_do_not_exist(fields, message):
    with pytest.raises(ValueError, match=message):
        Rates(**fields)


@pytest.mark.parametrize("architecture", [PLAIN[13], RESIDUAL[0], ODD, Architecture(depth=2)], ids=str)
def test_predictors_of_deep_networks_are_sums_of_their_kernels(architecture):
    y, adv = np.sign(WEIGHTS), np.random.default_rng(9).normal(size=X.shape)
    data = {"X": X, "y": y, "architecture": architecture}
    P, p = deep.phi(Z, X, architecture=architecture), Z @ X.T
    near = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(theory.f_hat(Z, **data), (P * p) @ y / 6, **near)
    np.testing.assert_allclose(
        theory.f_predict(Z, **data), deep.ntk(Z, X, architecture=architecture) @ y / 6, **near
    )
    u = deep.phi(X, architecture=architecture) @ (y[:, None] * X) / 6
    G = deep.phi(Z, adv, architecture=architecture) * (Z @ u.T)
    np.testing.assert_allclose(theory.g_hat(Z, X_adv=adv, **data), G.mean(axis=1), **near)
    A, B = deep.ntk_gradient(Z, X=X, architecture=architecture)
    gradient = (A * y) @ X / 6 + (B @ y / 6)[:, None] * Z
    found = [theory.perturbation_direction(Z, kind=kind, **data) for kind in ("gradient", "paper", "kink")]
    np.testing.assert_allclose(found[0], gradient, **near)
    np.testing.assert_allclose(found[1] + found[2], gradient, **near)
    deviation = np.sqrt(np.diag(deep.nngp(Z, architecture=architecture)))
    np.testing.assert_allclose(theory.initial_deviation(Z, architecture=architecture), deviation, rtol=1e-13)


def test_a_deep_network_has_its_own_slope():
    with pytest.raises(ValueError, match="negative_slope must be left out where architecture is given"):
        theory.f_hat(Z, X=X, y=np.sign(WEIGHTS), negative_slope=0.1, architecture=ODD)
    with pytest.raises(TypeError, match=r"architecture must be a theory.deep.Architecture, got int"):
        theory.initial_deviation(Z, architecture=3)
