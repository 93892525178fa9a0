"""Φ in torch and jax: library, dtype and device kept; derivatives right, and finite at the cone points."""

import importlib

import numpy as np
import pytest
import torch

from theory import phi
from theory.kernel.arrays import reference

RNG = np.random.default_rng(12)
X, Z = torch.from_numpy(RNG.normal(size=(4, 3))), torch.from_numpy(RNG.normal(size=(5, 3)))


@pytest.mark.parametrize(("bias_variance", "weight_variance"), [(1.0, 1.0), (0.25, 4.0), (0.0, 1.0)])
def test_torch_derivatives_match_differences(bias_variance, weight_variance):
    def compute(a, b):
        return phi(a, b, negative_slope=0.2, bias_variance=bias_variance, weight_variance=weight_variance)

    inputs = (X.clone().requires_grad_(), Z.clone().requires_grad_())
    assert torch.autograd.gradcheck(compute, inputs, eps=1e-6, atol=1e-8)
    assert torch.autograd.gradgradcheck(compute, inputs, eps=1e-6, atol=1e-6)


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
        ((X[0],), ValueError, r"X must have shape \(n, d\)"),
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
    pairs = jax.vmap(lambda a: phi(a[None], z, negative_slope=0.3)[0])(x)
    np.testing.assert_allclose(pairs, K, rtol=0, atol=1e-15)
    leaf = X.clone().requires_grad_()
    phi(leaf, Z, negative_slope=0.3).sum().backward()
    gradient = jax.grad(lambda a: phi(a, z, negative_slope=0.3).sum())(x)
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


def test_jax_rejects_complex_numbers(jax):
    with pytest.raises(TypeError, match="must be arrays of real numbers"):
        phi(jax.numpy.asarray([[1j]]))


def test_blocks_of_the_definition_fit_together(monkeypatch):
    whole = reference(X.numpy(), Z.numpy())
    monkeypatch.setattr("theory.kernel.arrays._BLOCK", 40)
    np.testing.assert_array_equal(reference(X.numpy(), Z.numpy()), whole)


def test_importing_phi_does_not_import_other_libraries():
    assert importlib.util.find_spec("theory.kernel.autograd") is not None
    source = importlib.util.find_spec("theory.kernel.autograd").loader.get_source("theory.kernel.autograd")
    assert "import torch" not in source
