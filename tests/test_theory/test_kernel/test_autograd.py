"""Φ in torch and jax: library, dtype and device kept; derivatives right, and finite at the cone points."""

import importlib

import array_api_compat
import numpy as np
import pytest
import torch

from theory import phi
from theory.kernel import rows
from theory.kernel.arrays import reference

RNG = np.random.default_rng(12)
X, Z = torch.from_numpy(RNG.normal(size=(4, 3))), torch.from_numpy(RNG.normal(size=(5, 3)))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("bias_variance", "weight_variance"), [(1.0, 1.0), (0.25, 4.0), (0.0, 1.0)])
def test_torch_derivatives_match_differences(bias_variance, weight_variance):
    def compute(a, b):
        return phi(a, b, negative_slope=0.2, bias_variance=bias_variance, weight_variance=weight_variance)

    inputs = (X.clone().requires_grad_(), Z.clone().requires_grad_())
    # Backward, forward, and both under vmap.
    modes = ("check_forward_ad", "check_batched_grad", "check_batched_forward_grad")
    assert torch.autograd.gradcheck(compute, inputs, eps=1e-6, atol=1e-8, **dict.fromkeys(modes, True))
    assert torch.autograd.gradgradcheck(compute, inputs, eps=1e-6, atol=1e-6, check_fwd_over_rev=True)


def test_angles_of_tensors_by_one_product_keep_their_digits():
    """As on a GPU in float64: equal, near, antipodal and far pairs, to roundings of the unit rows."""
    U = RNG.normal(size=(40, 6))
    V = np.concatenate([U[:10], U[:10] + 1e-9 * RNG.normal(size=(10, 6)), 1e-5 - U[:10], U[20:] ** 2])
    U, V = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (U, V))
    xp = array_api_compat.array_namespace(X)
    found = rows.angles_by_product(xp, torch.from_numpy(U), torch.from_numpy(V)).numpy()
    np.testing.assert_allclose(found, rows.angles_of_units(U, V), rtol=0, atol=8 * np.finfo(float).eps)
    assert np.array_equal(np.diagonal(found)[:10], np.zeros(10))


def by_arccosine(a, b):
    """Return Φ for γ = 0.2, σ_w² = 2, σ_b² = 0.5 in torch's own operations."""
    u, v = (torch.nn.functional.pad((4 / p.shape[1]) ** 0.5 * p, (0, 1), value=1.0) for p in (a, b))
    rho = u @ v.T / u.norm(dim=1)[:, None] / v.norm(dim=1)
    return 0.2 + 0.8**2 * (torch.pi - torch.acos(rho)) / (2 * torch.pi)


F, vmap = torch.func, torch.vmap
TRANSFORMS = {
    "jvp": lambda k: F.jvp(k, (X, Z), (X**2, Z**2))[1],
    "jvp in Z": lambda k: F.jvp(lambda b: k(X, b), (Z,), (Z**2,))[1],
    "jacrev": lambda k: F.jacrev(k, 1)(X, Z),
    "jacfwd": lambda k: F.jacfwd(k)(X, Z),
    "grad of square": lambda k: F.grad(lambda a: (k(a, Z) ** 2).sum())(X),
    "hessian": lambda k: F.hessian(lambda b: (k(X, b) ** 3).sum())(Z),
    "reverse twice": lambda k: F.jacrev(F.jacrev(k))(X, Z),
    "forward twice": lambda k: F.jacfwd(F.jacfwd(k))(X, Z),
    "forward thrice": lambda k: F.jacfwd(F.jacfwd(F.jacfwd(k, 1), 1), 1)(X[:2], Z),
    "reverse over forward": lambda k: F.jacrev(F.jacfwd(k))(X, Z),
    "vmap in X": lambda k: vmap(lambda a: k(a[None], Z)[0])(X),
    "vmap in Z, last axis": lambda k: vmap(lambda b: k(X, b[None]), in_dims=1)(Z.T),
    "vmap in both": lambda k: vmap(lambda a, b: k(a[None], b[None])[0, 0])(X, Z[:4]),
    "vmap twice": lambda k: vmap(lambda a: vmap(lambda b: k(a[None], b[None])[0, 0])(Z))(X),
    "a gradient for each pair": lambda k: vmap(F.grad(lambda a, b: k(a[None], b[None])[0, 0]))(X, Z[:4]),
    "grad of vmap": lambda k: F.grad(lambda a: vmap(lambda row: k(row[None], Z)[0])(a).square().sum())(X),
    "off-diagonal of a batch": lambda k: F.jacfwd(vmap(lambda p: k(p, None)[0, 1]))(torch.stack([X, 2 * X])),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", TRANSFORMS)
def test_torch_transformations_are_those_of_plain_operations(name):
    def ours(a, b):
        return phi(a, b, negative_slope=0.2, weight_variance=2.0, bias_variance=0.5)

    found = TRANSFORMS[name](ours)
    expected = TRANSFORMS[name](lambda a, b: by_arccosine(a, a if b is None else b))
    assert expected.abs().max() > 0.01
    # Angles here have a sine above 0.03: a third derivative loses its fifth power of roundings at most.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 if "thrice" not in name else 1e-9)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_torch_transformations_are_zero_at_the_cone_points():
    for jacobian in (F.jacfwd, F.jacrev):
        assert not jacobian(lambda a: phi(a, X).diagonal())(X).any()
        assert not jacobian(lambda a: phi(a).diagonal())(X).any()
    assert not vmap(F.grad(lambda a, b: phi(a[None], b[None]).sum()))(X, X).any()


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_torch_dual_numbers_keep_their_tangents_without_a_graph():
    dual = torch.autograd.forward_ad
    with torch.no_grad(), dual.dual_level():
        tangent = dual.unpack_dual(phi(dual.make_dual(X, Z[:4]))).tangent
    np.testing.assert_allclose(tangent, F.jvp(phi, (X,), (Z[:4],))[1], rtol=0, atol=0)
    step = 1e-6
    differences = (phi(X + step * Z[:4]) - phi(X - step * Z[:4])) / (2 * step)
    np.testing.assert_allclose(tangent, differences, rtol=0, atol=1e-9)


def test_torch_values_are_checked_within_transformations():
    with pytest.raises(ValueError, match="X must be finite, got 12 entries that are not"):
        vmap(lambda a: phi(a[None], Z))(X / 0)
    with pytest.raises(ValueError, match="Z must have no zero row"):
        F.jacrev(lambda b: phi(X, b, bias_variance=0.0))(0 * Z)


def _of_inference_mode(points):
    with torch.inference_mode():
        return points.clone()


@pytest.mark.parametrize(
    "form",
    [
        lambda p: torch.complex(p, -p).conj().imag,  # a lazy minus
        torch._neg_view,
        lambda p: p[:1].expand(len(p), -1),
        lambda p: p.T.contiguous().T,
        _of_inference_mode,
    ],
    ids=["conjugate", "negative", "expanded", "transposed", "inference mode"],
)
def test_torch_reads_every_kind_of_view(form):
    plain = torch.from_numpy(np.array(form(X).tolist()))
    found, expected = Z.clone().requires_grad_(), Z.clone().requires_grad_()
    for points, leaf in ((form(X), found), (plain, expected)):
        K = phi(points, leaf)
        np.testing.assert_array_equal(K.detach(), phi(plain.numpy(), Z.numpy()))
        K.sum().backward()
    np.testing.assert_allclose(found.grad, expected.grad, rtol=0, atol=1e-16)


def test_torch_symmetric_derivatives_match_differences():
    """Off the diagonal, whose points are cone points: there the derivative is 0 by symmetry."""
    weights = torch.from_numpy(RNG.normal(size=(4, 4)))
    assert torch.autograd.gradcheck(
        lambda a: (phi(a) * weights).sum(), X.clone().requires_grad_(), eps=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_derivatives_are_finite_and_zero_at_the_cone_points(dtype):
    x = X.to(dtype).clone().requires_grad_()
    # z = x, and without bias z = −x.
    for other, bias_variance in ((x.detach().clone(), 1.0), (-x.detach(), 0.0), (3 * x.detach(), 0.0)):
        own = phi(x, other, bias_variance=bias_variance).diagonal().sum()
        (gradient,) = torch.autograd.grad(own, x, create_graph=True)
        assert (gradient.abs() <= 1e-6).all()
        (second,) = torch.autograd.grad(gradient.sum(), x)
        assert torch.isfinite(second).all()


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12])
def test_torch_derivative_beside_the_cone_point_keeps_its_length(gap):
    """∇_z Φ has length cos-independent limit (1 − γ)²/(2π) |d direction/dz| beside x; it must not blow up."""
    x = torch.tensor([[0.3, -1.2]], dtype=torch.float64)
    step = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    z = (x + gap * step).requires_grad_()
    phi(x, z).sum().backward()
    # The derivative along `step`: −(1/2π) dθ/dt, and θ ≈ t |P step|/(√d s) with P the tangent projection.
    u = torch.cat([x / 2**0.5, torch.ones(1, 1)], dim=1)
    moved = torch.cat([step / 2**0.5, torch.zeros(1, 1)], dim=1)
    tangent = moved - (moved @ u.T) / (u @ u.T) * u
    expected = -float(tangent.norm() / u.norm()) / (2 * np.pi)
    got = float((z.grad * step).sum())
    # Rounding of the points, 1e-16, against their distance; curvature of order gap.
    assert abs(got / expected - 1) < 10 * gap + 1e-15 / gap


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_keeps_dtype_and_needs_no_graph(dtype):
    K = phi(X.to(dtype))
    assert K.dtype == dtype
    assert not K.requires_grad
    np.testing.assert_array_equal(K.numpy(), phi(X.to(dtype).numpy()))
    assert phi(torch.tensor([[1, 2]])).dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((X, Z.float()), ValueError, "Z must have the dtype of X, torch.float64, got torch.float32"),
        ((X, Z[:, :2]), ValueError, "Z must have the columns of X"),
        ((X, Z.numpy()), TypeError, "Z must be an array of the library of X, torch, got numpy"),
        ((X.to(torch.complex128),), TypeError, "X must be float32, float64 or integers"),
        ((X.half(),), TypeError, "X must be float32, float64 or integers"),
        ((X.to(torch.float8_e4m3fn),), TypeError, "X must be float32, float64 or integers"),
        ((X > 0,), TypeError, "X must be float32, float64 or integers, got dtype torch.bool"),
        ((X, Z.to_sparse()), TypeError, "Z must be a dense tensor, got layout torch.sparse_coo"),
        ((X.to("meta"),), ValueError, "X must have values, got a tensor on the device meta"),
        ((X[None],), ValueError, r"X must have shape \(n, d\)"),
        ((X / 0,), ValueError, "X must be finite, got 12 entries that are not"),
        ((X, Z.to("meta")), ValueError, "Z must be on the device of X, cpu, got meta"),
    ],
)
def test_torch_rejects_bad_input(arguments, error, match):
    with pytest.raises(error, match=match):
        phi(*arguments)


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor])
def test_a_zero_row_without_bias_has_no_direction(convert):
    with pytest.raises(ValueError, match="Z must have no zero row when bias_variance is 0"):
        phi(convert([[1.0]]), convert([[0.0]]), bias_variance=0.0)


def test_variances_must_make_a_direction():
    with pytest.raises(ValueError, match="must not both be 0"):
        phi([[1.0]], weight_variance=0, bias_variance=0)
    with pytest.raises(ValueError, match="weight_variance must be >= 0, got -1"):
        phi([[1.0]], weight_variance=-1)


def test_variances_rescale_the_inputs():
    """σ_w, σ_b act as x → σ_w x/σ_b."""
    scaled = phi(X.numpy() * 2.0 / 0.5, Z.numpy() * 2.0 / 0.5)
    np.testing.assert_allclose(
        phi(X.numpy(), Z.numpy(), weight_variance=4.0, bias_variance=0.25), scaled, rtol=0, atol=1e-15
    )


# jax ------------------------------------------------------------------------------------------------


@pytest.fixture
def jax():
    module = pytest.importorskip("jax")
    with module.enable_x64(True):
        yield module


def test_jax_jit_grad_and_vmap(jax):
    jnp = jax.numpy
    x, z = jnp.asarray(X.numpy()), jnp.asarray(Z.numpy())
    K = phi(x, z, negative_slope=0.3)
    np.testing.assert_allclose(K, phi(X.numpy(), Z.numpy(), negative_slope=0.3), rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        jax.jit(lambda a, b: phi(a, b, negative_slope=0.3))(x, z), K, rtol=0, atol=1e-15
    )
    pairs = jax.jit(jax.vmap(lambda a: phi(a[None], z, negative_slope=0.3)[0]))(x)
    np.testing.assert_allclose(pairs, K, rtol=0, atol=1e-15)
    leaf = X.clone().requires_grad_()
    phi(leaf, Z, negative_slope=0.3).sum().backward()
    gradient = jax.jit(jax.grad(lambda a: phi(a, z, negative_slope=0.3).sum()))(x)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=0, atol=1e-14)


def test_jax_keeps_dtype_and_is_finite_at_the_cone_points(jax):
    jnp = jax.numpy
    x = jnp.asarray(X.numpy())
    assert phi(x.astype(jnp.float32)).dtype == jnp.float32
    assert phi(jnp.asarray([[1, 2]])).dtype == jnp.float64
    gradient = jax.grad(lambda a: jnp.diag(phi(a, x)).sum())(x)
    np.testing.assert_array_equal(gradient, np.zeros((4, 3)))
    opposite = jax.grad(lambda a: jnp.diag(phi(a, -x, bias_variance=0.0)).sum())(x)
    np.testing.assert_array_equal(opposite, np.zeros((4, 3)))


@pytest.mark.parametrize("dtype", ["complex64", "float16", "bfloat16", "bool"])
def test_jax_rejects_other_numbers(jax, dtype):
    points = jax.numpy.ones((2, 3), dtype)
    for arguments, name in (((points,), "X"), ((jax.numpy.ones((2, 3)), points), "Z")):
        with pytest.raises(
            TypeError, match=f"{name} must be float32, float64 or integers, got dtype {dtype}"
        ):
            phi(*arguments)


@pytest.mark.parametrize(
    ("dtype", "factor"), [("float32", 1.0), ("float64", 1.0), ("float32", 3.0), ("float64", -1.0)]
)
def test_jax_derivative_at_a_cone_point_is_zero_however_it_is_computed(jax, dtype, factor):
    """The roundings between u and v are others in each of these, and were taken for a direction."""
    x = jax.numpy.asarray(RNG.normal(size=(4, 3)), dtype)
    bias_variance = 1.0 if factor == 1 else 0.0

    def pair(a, b):
        return phi(a[None], factor * b[None], bias_variance=bias_variance)[0, 0]

    def batch(b):
        own = jax.grad(lambda a: jax.numpy.diag(phi(a, factor * b, bias_variance=bias_variance)).sum())
        return own(b)

    # Operation by operation, where each is compiled alone, and as a whole.
    for compute in (batch, jax.jit(batch), jax.jit(lambda b: jax.vmap(jax.grad(pair))(b, b))):
        np.testing.assert_array_equal(compute(x), np.zeros((4, 3)))


def test_jax_second_derivatives_are_finite_where_squares_underflow(jax):
    x, z = (jax.numpy.full((1, 1), value, "float32") for value in (1e-20, 2e-20))
    assert float(jax.jit(jax.hessian(lambda a: phi(a, z)[0, 0]))(x).sum()) == 0


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e-40), ("float64", 1e-310)])
def test_jax_subnormal_rows_keep_their_direction(jax, dtype, size):
    """XLA takes them for 0 on a CPU; mixed with a normal number they decide the angle as well."""
    x, z = (size * np.random.default_rng(0).normal(size=(2, 4, 3))).astype(dtype)
    z[0] *= 1000
    expected = phi(x.astype("float64"), z.astype("float64"), bias_variance=0.0)
    for compute in (phi, jax.jit(phi, static_argnames="bias_variance")):
        found = compute(jax.numpy.asarray(x), jax.numpy.asarray(z), bias_variance=0.0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("size", [1e-38, 1e-30])
def test_jax_derivative_at_a_tiny_row(jax, size):
    """∇Φ(x) = 2⁶⁰ ∇Φ(2⁶⁰ x) without bias; 1e-38 is subnormal."""
    x, z = ((size * RNG.uniform(0.5, 1, size=(2, 3))).astype("float32") for _ in range(2))
    gradient = jax.jit(jax.grad(lambda a, b: phi(a, b, bias_variance=0.0).sum()))
    found, scaled = (
        np.asarray(gradient(*map(jax.numpy.asarray, pair)), dtype=np.float64)
        for pair in ((x, z), (2.0**60 * x, 2.0**60 * z))
    )
    # Roundings of float32, over the sines of these angles, above 0.05.
    np.testing.assert_allclose(found, 2.0**60 * scaled, rtol=1e-5)


def test_jax_integers_take_the_widest_floats_there_are():
    jax = pytest.importorskip("jax")
    for x64, dtype in ((True, "float64"), (False, "float32")):
        with jax.enable_x64(x64):
            K = phi(jax.numpy.asarray([[1, 2], [3, 4]]), jax.numpy.asarray([[1, 2]], "int8"))
            assert K.dtype == dtype
            expected = phi([[1, 2], [3, 4]], [[1, 2]])
            np.testing.assert_allclose(K, expected, rtol=0, atol=np.finfo(dtype).eps)


def test_blocks_of_the_definition_fit_together(monkeypatch):
    whole = reference(X.numpy(), Z.numpy())
    monkeypatch.setattr("theory.kernel.rows._BLOCK", 40)
    np.testing.assert_array_equal(reference(X.numpy(), Z.numpy()), whole)


def test_importing_phi_does_not_import_other_libraries():
    assert importlib.util.find_spec("theory.kernel.autograd") is not None
    source = importlib.util.find_spec("theory.kernel.autograd").loader.get_source("theory.kernel.autograd")
    assert "import torch" not in source
