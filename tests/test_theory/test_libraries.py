"""Predictors on arrays of every library: the kind that comes in goes out, with its derivatives."""

import importlib.metadata
import sys
from functools import partial

import array_api_strict
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.sparse import csr_array

import theory
import theory.testing

RNG = np.random.default_rng(3)
N, DIM, SLOPE = 7, 4, 0.3
X, Z = RNG.normal(size=(N, DIM)), RNG.normal(size=(5, DIM))
Y, Y_ADV = np.resize([1.0, -1.0], N), np.resize([-1.0, -1.0, 1.0], N)
X_ADV = 0.5 * X + 0.1
FRAME = pd.DataFrame(X, columns=list("abcd"))
LIBRARIES = {
    "numpy": np.asarray,
    "torch": torch.as_tensor,
    "jax": jnp.asarray,
    "strict": array_api_strict.asarray,
}
ELSEWHERE = partial(array_api_strict.asarray, device=array_api_strict.Device("device1"))
PREDICTORS = {
    "f_hat": lambda a, z=Z: theory.f_hat(a(z), X=a(X), y=a(Y), negative_slope=SLOPE),
    "f_predict": lambda a, z=Z: theory.f_predict(a(z), X=a(X), y=a(Y), negative_slope=SLOPE),
    "g_predict": lambda a, z=Z: theory.g_predict(a(z), X_adv=a(X_ADV), y_adv=a(Y_ADV), negative_slope=SLOPE),
    "g_hat": lambda a, z=Z: theory.g_hat(a(z), X=a(X), y=a(Y), X_adv=a(X_ADV), negative_slope=SLOPE),
    "ntk": lambda a, z=Z: theory.ntk(a(z), a(X), negative_slope=SLOPE),
    "phi": lambda a, z=Z: theory.phi(a(z), a(X), negative_slope=SLOPE),
    "scale": lambda a, z=Z: theory.preactivation_scale(a(z)),
    "deviation": lambda a, z=Z: theory.initial_deviation(a(z), negative_slope=SLOPE),
    **{
        kind: lambda a, z=Z, kind=kind: theory.perturbation_direction(
            a(z), X=a(X), y=a(Y), kind=kind, negative_slope=SLOPE
        )
        for kind in ("paper", "gradient", "kink")
    },
}


@pytest.fixture(autouse=True)
def _wide():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PREDICTORS)
def test_what_comes_in_goes_out(name, dtype, library):

    def given(values):
        return LIBRARIES[library](values.astype(dtype))

    found, expected = PREDICTORS[name](given), PREDICTORS[name](np.asarray)
    assert isinstance(found, type(given(Z)))
    assert found.dtype == given(Z).dtype
    # Sums of 35 products of numbers below 4, each with a few roundings of a few numbers of that size.
    allowed = 500 * np.finfo(dtype).eps
    np.testing.assert_allclose(np.asarray(found, dtype=np.float64), expected, rtol=0, atol=allowed)
    one = PREDICTORS[name](given, z=Z[2])
    assert tuple(one.shape) == expected.shape[1:]
    np.testing.assert_allclose(np.asarray(one, dtype=np.float64), expected[2], rtol=0, atol=allowed)


@pytest.mark.parametrize("library", LIBRARIES)
def test_chance_of_agreement_in_every_library(library):
    f, g_b, deviation = np.array([1.0, -2.0, 0.0]), np.array([0.3, 0.2, 5.0]), np.array([1.0, 2.0, 0.1])
    made = LIBRARIES[library]
    found = theory.agreement_probability(made(f), made(g_b), made(deviation), T_g=2.0)
    assert isinstance(found, type(made(f)))
    expected = theory.agreement_probability(f, g_b, deviation, T_g=2.0)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-15)


def _of_torch(function, at):
    point = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    function(point).backward()
    return point.grad.numpy()


def _of_jax(function, at):
    return np.asarray(jax.jit(jax.grad(function))(jnp.asarray(at)))


GRADIENTS = [(torch.as_tensor, _of_torch), (jnp.asarray, _of_jax)]


@pytest.mark.parametrize(("made", "gradient"), GRADIENTS, ids=["torch", "jax"])
def test_derivative_in_the_query_point_is_the_direction_of_the_perturbation(made, gradient):
    """∇f_b, and ∇f_b at a training point, where its own kernel has a cone point."""
    for point in (Z[0], X[1]):
        found = gradient(lambda z: theory.f_predict(z, X=made(X), y=made(Y), negative_slope=SLOPE), point)
        expected = theory.perturbation_direction(point, X=X, y=Y, negative_slope=SLOPE)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("made", "gradient"), GRADIENTS, ids=["torch", "jax"])
def test_derivative_in_a_sample_is_that_in_the_point_as_the_kernel_is_symmetric(made, gradient):
    one = made(np.ones(1))
    for function in (theory.f_hat, theory.f_predict):
        in_sample = gradient(
            lambda x, f=function: f(made(Z[0]), X=x[None], y=one, negative_slope=SLOPE), X[0]
        )
        in_point = gradient(lambda z, f=function: f(z, X=made(X[:1]), y=one, negative_slope=SLOPE), Z[0])
        swapped = gradient(lambda z, f=function: f(z, X=made(Z[:1]), y=one, negative_slope=SLOPE), X[0])
        np.testing.assert_allclose(in_sample, swapped, rtol=0, atol=1e-14)
        assert np.abs(in_sample - in_point).max() > 0.01


@pytest.mark.parametrize(("made", "gradient"), GRADIENTS, ids=["torch", "jax"])
@pytest.mark.parametrize("name", ["f_hat", "g_hat", "direction"])
def test_derivative_in_the_slope_is_the_difference_quotient(made, gradient, name):
    """Φ is of second degree in γ, and so is f̂, whose central differences are exact; ĝ is of fourth."""

    def value(slope, a=made):
        if name == "direction":
            return theory.perturbation_direction(a(Z), X=a(X), y=a(Y), negative_slope=slope).sum()
        more = {"X_adv": a(X_ADV)} if name == "g_hat" else {}
        return getattr(theory, name)(a(Z), X=a(X), y=a(Y), negative_slope=slope, **more).sum()

    def difference(h):
        return (value(SLOPE + h, np.asarray) - value(SLOPE - h, np.asarray)) / (2 * h)

    # Richardson's extrapolation is exact up to the fourth degree.
    expected = (4 * difference(0.05) - difference(0.1)) / 3
    assert gradient(value, SLOPE) == pytest.approx(expected, rel=1e-12)


def _loss_mp(numbers):
    """f̂(z)² + ĝ(z) of two samples in the plane, X_adv = X/2 + z: numbers z, X and γ."""
    z, a, b, slope = mp.matrix(numbers[:2]), mp.matrix(numbers[2:4]), mp.matrix(numbers[4:6]), numbers[6]

    def inner(u, v):
        return u[0] * v[0] + u[1] * v[1]

    def kernel(u, v):
        p, q, r = (inner(*pair) / 2 + 1 for pair in ((u, u), (v, v), (u, v)))
        theta = mp.acos(min(mp.mpf(1), r / mp.sqrt(p * q)))
        return slope + (1 - slope) ** 2 * (mp.pi - theta) / (2 * mp.pi)

    f_hat = (kernel(a, z) * inner(a, z) - kernel(b, z) * inner(b, z)) / 2
    g_hat = mp.mpf(0)
    for x in (a, b):
        total = kernel(x, a) * inner(a, z) - kernel(x, b) * inner(b, z)
        g_hat += kernel(x / 2 + z, z) * total / 4
    return f_hat**2 + g_hat


def _loss(numbers):
    z, X, slope = numbers[:2], numbers[2:6].reshape(2, 2), numbers[6]
    options = {"X": X, "y": [1.0, -1.0], "negative_slope": slope}
    return theory.f_hat(z, **options) ** 2 + theory.g_hat(z, **options, X_adv=X / 2 + z)


@pytest.mark.parametrize("gradient", [_of_torch, _of_jax], ids=["torch", "jax"])
def test_training_loops_in_points_samples_and_slope_match_mpmath(gradient):
    """Three steps of descent, with derivatives by differences of 60 digits; ĝ in X as well."""
    found = np.array([0.7, -0.4, 1.1, 0.3, -0.2, 0.9, 0.3])
    with mp.workdps(60):
        exact, step = [mp.mpf(number) for number in found], mp.mpf(10) ** -20
        for _ in range(3):
            found = found - 0.5 * gradient(_loss, found)
            slopes = []
            for k in range(7):
                ends = [[n + sign * step * (j == k) for j, n in enumerate(exact)] for sign in (1, -1)]
                slopes.append((_loss_mp(ends[0]) - _loss_mp(ends[1])) / (2 * step))
            exact = [number - slope / 2 for number, slope in zip(exact, slopes, strict=True)]
    np.testing.assert_allclose(found, np.array(exact, dtype=float), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", PREDICTORS)
def test_jax_without_x64_is_float32(name):
    expected = PREDICTORS[name](np.asarray)

    def value(z):
        found = PREDICTORS[name](lambda v: z if v is Z else jnp.asarray(v))
        return found.sum(), found

    with jax.enable_x64(False):
        slopes, found = jax.jit(jax.grad(value, has_aux=True))(jnp.asarray(Z))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=500 * np.finfo(np.float32).eps)
        assert np.isfinite(slopes).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_integers_are_floats_and_what_overflows_is_not_known(library):
    made = LIBRARIES[library]
    X, Z, y = (made(np.array(values)) for values in ([[1, 0], [0, 2]], [[1, 1]], [1, -1]))
    expected = theory.f_hat([[1.0, 1.0]], X=[[1.0, 0.0], [0.0, 2.0]], y=[1, -1])
    found = theory.f_hat(Z, X=X, y=y)
    assert found.dtype == made(np.zeros(1)).dtype
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-15)
    huge = {"X": made(np.array([[1e200, 0.0], [0.0, 2e200]])), "y": y}
    at = made(np.array([[1e200, 1e200]]))
    for name in ("f_hat", "f_predict"):
        assert np.isnan(np.asarray(getattr(theory, name)(at, **huge))).all()
    assert np.isnan(np.asarray(theory.perturbation_direction(at, **huge))).any()
    assert np.isnan(np.asarray(theory.ntk(at, huge["X"]))).all()
    assert np.isfinite(np.asarray(theory.phi(at, huge["X"]))).all()
    lost = made(np.array([[np.nan, 1.0]]))
    if library in ("numpy", "torch"):  # there are values: refused
        with pytest.raises(ValueError, match="must be finite, got"):
            theory.f_hat(lost, X=made(np.eye(2)), y=y)
    else:
        assert np.isnan(np.asarray(theory.f_hat(lost, X=made(np.eye(2)), y=y))).all()


def test_numbers_of_mpmath_are_for_enclosures():
    with pytest.raises(TypeError, match="Z must be an array of real numbers, got dtype object"):
        theory.f_hat([[mp.mpf(1), mp.mpf(2)]], X=[[1.0, 0.0]], y=[1])
    with pytest.raises(TypeError, match="negative_slope must be a real number, got mpf"):
        theory.phi(X, negative_slope=mp.mpf("0.1"))
    ball = theory.f_hat_enclosure([mp.mpf(1), mp.mpf(2)], X=[[1.0, 0.0]], y=[1], negative_slope=mp.mpf("0.1"))
    assert ball.midpoint == pytest.approx(theory.f_hat([1.0, 2.0], X=[[1.0, 0.0]], y=[1], negative_slope=0.1))


def test_jax_maps_over_points_and_torch_over_samples():
    expected = theory.f_hat(Z, X=X, y=Y)
    mapped = jax.vmap(lambda z: theory.f_hat(z, X=jnp.asarray(X), y=jnp.asarray(Y)))(jnp.asarray(Z))
    np.testing.assert_allclose(np.asarray(mapped), expected, rtol=0, atol=1e-14)
    jacobian = torch.func.jacrev(lambda z: theory.f_hat(z, X=torch.as_tensor(X), y=torch.as_tensor(Y)))(
        torch.as_tensor(Z)
    )
    assert jacobian.shape == (5, 5, DIM)
    assert not jacobian[0, 1].any()


@pytest.mark.parametrize("kernel", [theory.phi, theory.ntk])
def test_kernel_of_two_points_is_a_number(kernel):
    for dtype in (np.float64, np.float32):
        found = kernel(X[0].astype(dtype), Z[0].astype(dtype))
        assert type(found) is dtype
        assert abs(found - kernel(X, Z)[0, 0]) <= 4 * np.finfo(dtype).eps * abs(found)
    assert kernel(X[0], Z).shape == (len(Z),)
    assert kernel(X, Z[0]).shape == (len(X),)


@pytest.mark.parametrize("module", [theory, theory.testing, theory.deep, theory.orthogonal])
def test_dir_has_no_helpers(module):
    names = [name for name in dir(module) if not name.startswith("__")]
    assert set(names) <= {*module.__all__}
    assert not [name for name in names if name.startswith("_")]


# Bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (
            {"a": "Float64"},
            "X must be a data frame of numbers, got columns of Float64, float64: convert them",
        ),
        ({"a": bool}, "X must be a data frame of numbers, got columns of bool, float64: convert them"),
    ],
)
def test_frames_that_are_no_numbers_say_their_columns(kinds, message):
    frame = pd.DataFrame(X).rename(columns=lambda k: "abcdefghij"[k])
    with pytest.raises(TypeError, match=message):
        theory.f_hat(Z, X=frame.astype(kinds), y=Y)


@pytest.mark.parametrize("name", ["Z", "X"])
@pytest.mark.parametrize("predictor", [theory.f_hat, theory.f_predict, theory.perturbation_direction])
def test_tensor_that_is_not_finite_is_named(predictor, name):
    given = {"Z": torch.as_tensor(Z), "X": torch.as_tensor(X), "y": torch.as_tensor(Y)}
    given[name] = given[name].clone()
    given[name][0, 0] = torch.nan
    with pytest.raises(ValueError, match=f"^{name} must be finite, got 1 of [0-9]+ entries"):
        predictor(given.pop("Z"), **given)


def test_sparse_points_are_refused():
    with pytest.raises(TypeError, match="X must be a dense array, got a sparse one"):
        theory.f_hat(Z, X=csr_array(X), y=Y)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: theory.f_hat(*(X, Z, Y)),
            TypeError,
            r"all but Z must be given by keyword, f_hat\(Z, X=X, y=y\), got 3 by position",
        ),
        (
            lambda: theory.gradient_bound(*(X, Y, None, 0.1)),
            TypeError,
            r"all arguments must be given by keyword, gradient_bound\(X=X, y=y, setting=setting, delta=d",
        ),
        (
            lambda: theory.certify(*(Z, X, Y)),
            TypeError,
            r"certify\(Z, X=X, y=y, setting=setting, delta=delta\), got 3 by position",
        ),
        (
            lambda: theory.f_hat(Z, X=X, y=Y, gamma=0.1),
            TypeError,
            "f_hat must be given negative_slope, the paper's γ, got gamma",
        ),
        (
            lambda: theory.f_hat(torch.as_tensor(Z), X=X, y=Y),
            TypeError,
            "X must be an array of the library of Z, torch, got numpy",
        ),
        (
            lambda: theory.f_hat(torch.as_tensor(Z), X=torch.as_tensor(X), y=torch.zeros(N)),
            ValueError,
            "y must be -1 or \\+1, got 0",
        ),
        (
            lambda: theory.f_hat(torch.as_tensor(Z).half(), X=torch.as_tensor(X).half(), y=torch.ones(N)),
            TypeError,
            "X must be float32, float64 or integers, got dtype torch.float16",
        ),
        (
            lambda: theory.f_hat(torch.as_tensor(Z), X=torch.as_tensor(X), y=torch.as_tensor(Y) * 1j),
            TypeError,
            "y must be real numbers, got dtype torch.complex128",
        ),
        (
            lambda: theory.f_hat(torch.as_tensor(Z).float(), X=torch.as_tensor(X), y=torch.ones(N)),
            ValueError,
            "X must have the dtype of Z, torch.float32, got torch.float64",
        ),
        (lambda: theory.f_hat(None, X=X, y=Y), TypeError, "Z must be an array, got None"),
        (
            lambda: theory.f_hat(torch.as_tensor(Z), X=torch.as_tensor(X), y=Y),
            TypeError,
            "y must be an array of the library of Z, torch, got numpy",
        ),
        (
            lambda: theory.f_hat(torch.as_tensor(Z), X=torch.as_tensor(X), y=torch.ones(N, device="meta")),
            ValueError,
            "y must be on the device of X, cpu, got meta",
        ),
        (
            lambda: theory.f_hat(ELSEWHERE(Z), X=ELSEWHERE(X), y=array_api_strict.asarray(Y)),
            ValueError,
            "y must be on the device of X, array_api_strict.*device1.*, got array_api_strict.*CPU_DEVICE",
        ),
        (
            lambda: theory.f_hat(torch.as_tensor(Z), X=torch.as_tensor(X), y=torch.ones(N), memory_budget=9),
            ValueError,
            "memory_budget must be >= 1048576, got 9",
        ),
        (
            lambda: theory.agreement_probability([1.0], [1.0], [1.0], T_g=torch.tensor(1.0)),
            TypeError,
            "T_g must be an array of the library of f, numpy, got torch",
        ),
        (
            lambda: theory.agreement_probability(*torch.ones(3, 1), T_g=torch.tensor(-1.0)),
            ValueError,
            "T_g must be >= 0, got -1",
        ),
        (
            lambda: theory.f_hat(FRAME[list("badc")], X=FRAME, y=Y),
            ValueError,
            r"Z must have the columns of X, in their order, got \['b'\] at place 0",
        ),
        (
            lambda: theory.phi(FRAME, FRAME[list("abc")]),
            ValueError,
            r"Z must have the columns of X, in their order, got \[\] at place 3",
        ),
        (
            lambda: theory.certify(FRAME.iloc[0][::-1], X=FRAME, y=Y, setting=None, delta=0.1),
            ValueError,
            r"Z must have the columns of X, in their order, got \['d'\] at place 0",
        ),
        (
            lambda: theory.f_hat(FRAME, X=FRAME, y=FRAME["a"][1:]),
            ValueError,
            r"y must have the index of X, in their order, got \[1\] at place 0",
        ),
        (
            lambda: theory.agreement_probability(*torch.tensor([[1.0], [0.5], [-1.0]]), T_g=2.0),
            ValueError,
            "deviation must be > 0, got -1",
        ),
        (
            lambda: theory.agreement_probability([1.0, 2.0], [1.0, 1.0, 1.0], [1.0], T_g=1.0),
            ValueError,
            r"f, g_b and deviation must have one shape, got \(2,\), \(3,\), \(1,\)",
        ),
        (
            lambda: theory.f_hat(Z.astype(np.float16), X=X, y=Y),
            TypeError,
            "Z must be of float32, float64 or integers, got float16",
        ),
        (
            lambda: theory.phi(torch.as_tensor(X), negative_slope=torch.tensor(1.0)),
            ValueError,
            r"negative_slope must lie in \[0, 1\), got 1.0",
        ),
        (
            lambda: theory.phi(torch.as_tensor(X), negative_slope=torch.zeros(2)),
            ValueError,
            r"negative_slope must be a number, got shape \(2,\)",
        ),
    ],
)
def test_bad_input_is_one_error(call, error, message):
    with pytest.raises(error, match=message):
        call()


SLOPED = [
    each
    for each in theory.__all__
    if "negative_slope" in getattr(getattr(theory, each), "__annotations__", ())
]


@pytest.mark.parametrize("name", SLOPED)
def test_every_function_of_a_slope_knows_the_name_of_the_paper(name):
    with pytest.raises(TypeError, match=f"{name} must be given negative_slope, the paper's γ, got gamma"):
        getattr(theory, name)(gamma=0.1)


@pytest.mark.parametrize("name", ["phi_product", "ntk_product", "lazy_weights", "gradient_bound", "kappa"])
def test_data_are_not_taken_by_position(name):
    with pytest.raises(TypeError, match=rf"must be given by keyword, {name}\(.*X=X"):
        getattr(theory, name)(Z, X, Y)


def test_frames_are_arrays_whose_names_agree():
    y = pd.Series(Y)
    expected = theory.f_hat(X, X=X, y=Y)
    np.testing.assert_array_equal(theory.f_hat(FRAME, X=FRAME, y=y), expected)
    assert theory.f_hat(FRAME.iloc[1], X=FRAME, y=y) == pytest.approx(expected[1], rel=1e-14)
    of_torch = theory.f_hat(torch.as_tensor(X), X=FRAME, y=y)
    np.testing.assert_allclose(of_torch.numpy(), expected, rtol=0, atol=1e-14)


def test_lists_follow_the_arrays():
    found = theory.f_hat(Z.tolist(), X=torch.as_tensor(X).float(), y=Y.tolist())
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), theory.f_hat(Z, X=X, y=Y), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [*PREDICTORS, "chance"])
def test_autocast_and_inference_mode_of_torch_change_nothing(name):
    def chance(made):
        return theory.agreement_probability(made(Z[:, 0]), made(Z[:, 1]), made(Z[:, 2] ** 2 + 1), T_g=1.0)

    compute = PREDICTORS.get(name, chance)

    def made(values):
        return torch.tensor(values, dtype=torch.float32)

    expected = compute(made)
    with torch.autocast("cpu"):
        assert torch.equal(compute(made), expected)
    with torch.inference_mode():
        assert torch.equal(compute(made), expected)
        kept = {id(values): made(values) for values in (X, Y, X_ADV, Y_ADV)}
    if name != "chance":  # tensors of inference mode among others
        point = made(Z).requires_grad_()
        compute(lambda values: kept.get(id(values), point)).sum().backward()
        assert torch.isfinite(point.grad).all()


def test_time_of_g_may_be_differentiated():
    f, g_b, deviation = Z[:, 0], Z[:, 1], Z[:, 2] ** 2 + 1

    def chance(T, made):
        return theory.agreement_probability(*map(made, (f, g_b, deviation)), T_g=T).sum()

    # The normal density at the argument, times its derivative.
    reach = np.sign(f) * g_b / deviation
    expected = np.sum(reach * stats.norm.pdf(2 * reach))
    for made, gradient in GRADIENTS:
        assert gradient(lambda T, m=made: chance(T, m), 2.0) == pytest.approx(expected, rel=1e-14)
    assert np.isnan(jax.jit(lambda T: chance(T, jnp.asarray))(-1.0))


BOUNDS = {
    "certify": lambda a, s: theory.certify(a(Z), X=a(X), y=a(Y), setting=s, delta=0.1).margin,
    "agreement": lambda a, s: theory.certify_agreement_a_priori(
        a(Z), X=a(X), y=a(Y), y_adv=a(Y_ADV), setting=s, delta=0.1
    ).g.margin,
    "gradient": lambda a, s: theory.gradient_bound(X=a(X), y=a(Y), setting=s, delta=0.1).value,
    "published": lambda a, s: theory.compare_published(
        a(Z), X=a(X), y=a(Y), X_adv=a(X_ADV), y_adv=a(Y_ADV), setting=s, delta=0.1, shares=()
    ).ours_g,
    "conditions": lambda a, s: theory.conditions.evaluate(
        a(Z), X=a(X), y=a(Y), X_adv=a(X_ADV), setting=s
    )["b"].lhs,
    "kappa": lambda a, s: theory.kappa(a(Z), X=a(X)),
    "weighted": lambda a, s: theory.weighted_kappa(a(Z), X=a(X), weights=a(Y**2)),
    "moved": lambda a, s: theory.displacement_bound(a(Z), X=a(X), T=1.0, loss="logistic"),
    "lazy": lambda a, s: theory.lazy_predict(a(Z), X=a(X), y=a(Y), T=1.0, loss="squared"),
    "range": lambda a, s: theory.lazy_range(a(Z), X=a(X), y=a(Y), T=0.1, loss="logistic")[0],
    "product": lambda a, s: theory.phi_product(a(Z), X=a(X), v=a(Y)),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_and_certificates_take_tensors_and_single_points(name):
    setting = theory.Setting(dim=DIM, N=N, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=SLOPE)
    expected = BOUNDS[name](np.asarray, setting)
    of_torch = BOUNDS[name](lambda values: torch.tensor(values, requires_grad=True), setting)
    np.testing.assert_array_equal(of_torch, expected)
    if name != "gradient":
        one = BOUNDS[name](lambda values: values[2] if values is Z else values, setting)
        assert np.size(one) == 1
        np.testing.assert_allclose(one, expected[2], rtol=1e-12)


def _of_labels(labels):
    return theory.f_hat(jnp.asarray(Z), X=jnp.asarray(X), y=labels)


def test_what_cannot_be_checked_yet_is_not_known_rather_than_wrong():
    """Under `jit` arrays that are in hand are checked; traced ones give NaN where they break their rule."""
    wrong = jnp.asarray((Y > 0) * 1.0)
    with pytest.raises(ValueError, match="y must be -1 or"):
        jax.jit(lambda z: theory.f_hat(z, X=jnp.asarray(X), y=wrong))(jnp.asarray(Z))
    assert np.isnan(jax.jit(_of_labels)(wrong)).all()
    np.testing.assert_allclose(jax.jit(_of_labels)(jnp.asarray(Y)), _of_labels(jnp.asarray(Y)), rtol=1e-14)
    slopes = jax.jit(lambda slope: theory.initial_deviation(jnp.asarray(Z), negative_slope=slope))
    assert np.isnan(slopes(1.5)).all()
    np.testing.assert_allclose(slopes(0.3), theory.initial_deviation(Z, negative_slope=0.3), rtol=1e-15)
    rows = torch.as_tensor(np.stack([Y, Y > 0]))
    found = torch.func.vmap(lambda y: theory.f_hat(torch.as_tensor(Z), X=torch.as_tensor(X), y=y))(rows)
    np.testing.assert_allclose(found[0].numpy(), theory.f_hat(Z, X=X, y=Y), rtol=0, atol=1e-14)
    assert torch.isnan(found[1]).all()


def test_float32_sums_beyond_its_range_are_not_known():
    with np.errstate(over="raise"):
        found = theory.f_hat(*[(Z * 1e30).astype("f4")], X=(X * 1e30).astype("f4"), y=Y)
    assert found.dtype == np.float32
    assert np.isnan(found).all()


# Answers ------------------------------------------------------------------------------------------------


def test_verdicts_are_an_array_that_counts():
    proof = theory.certify(
        [[2.0, 1.0], [0.1, 5.0], [-2.0, 0.0]],
        X=[[3.0, 0.0], [-3.0, 0.0]],
        y=[1, -1],
        setting=theory.Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3),
        delta=0.01,
    )
    verdicts = proof.verdicts
    assert repr(verdicts) == str(verdicts) == "<3 verdicts: 1 positive, 1 unknown, 1 negative>"
    assert repr(proof) == f"Certificate({verdicts!r})"
    assert (verdicts == "unknown").tolist() == [False, True, False]
    assert type(verdicts == "unknown") is np.ndarray
    assert verdicts[proof.certified].tolist() == ["positive", "negative"]


def test_results_are_tables():
    data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    setting = theory.Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    Z, adv = [[2.0, 1.0], [0.1, 5.0]], {"X_adv": [[1.0, 0.0], [1.0, 0.0]]}
    proof = theory.certify(Z, **data, setting=setting, delta=0.01)
    frame = proof.to_frame()
    assert frame.columns.tolist() == ["predictor", "bound", "margin", "verdict"]
    assert frame["verdict"].tolist() == ["positive", "unknown"]
    np.testing.assert_array_equal(frame["margin"], proof.margin)
    terms = proof.bound.to_frame()
    np.testing.assert_allclose(terms.drop(columns="bound").sum(axis=1), proof.bound.value, rtol=1e-15)
    assert proof._repr_html_().startswith("<table><tr><th>predictor</th><th>bound</th>")
    assert f"<td>{proof.margin[1]:.4g}</td><td>unknown</td></tr></table>" in proof._repr_html_()
    assert proof._repr_latex_().startswith(r"$$\begin{array}{rrrr}\text{predictor} & \text{bound}")
    beside = theory.compare_published(Z, **data, **adv, y_adv=[1, 1], setting=setting, delta=0.01, shares=())
    assert r"\text{f\_hat}" in beside._repr_latex_()
    assert beside.to_frame().shape == (2, 6)
    both = theory.certify_agreement(
        [[9.0, 1.0]] * 30, **data, **adv, y_adv=[1, 1], setting=setting, delta=0.01
    )
    assert both.to_frame().loc[0].tolist() == ["positive", "positive", "agree"]
    assert both._repr_html_().endswith("<tr><td>10 more</td><td></td><td></td></tr></table>")
    holds = theory.conditions.evaluate(Z, **data, **adv, setting=setting)["width"].to_frame()
    assert holds["verdict"].tolist() == ["holds"]
    signs = theory.f_hat_enclosure(Z, **data).to_frame()["sign"].tolist()
    assert signs == ["positive", "positive"]


def test_frames_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas: pip install pandas"):
        theory.Condition("a", "b", np.ones(1), np.zeros(1)).to_frame()


def test_printed_derivation_is_the_derivation():
    derivation = theory.derive_phi("polar")
    assert str(derivation) == derivation.to_text()
    assert repr(derivation) == f"Derivation('polar', 10 steps, result {derivation.result})"
    assert derivation._repr_latex_().startswith("\\begin{enumerate}")


def test_version_is_that_of_the_distribution():
    assert theory.__version__ == importlib.metadata.version("perturblearn")
    with pytest.raises(AttributeError, match="phy"):
        theory.phy  # noqa: B018
