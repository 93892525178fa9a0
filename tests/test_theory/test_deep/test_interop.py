"""Deep kernels inside scikit-learn and gpytorch."""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor

from theory import deep
from theory.deep import Architecture
from theory.deep.interop import DeepKernel, gpytorch_kernel

A = Architecture(depth=3, negative_slope=0.1, rates="all")
RNG = np.random.default_rng(4)
X, Z = RNG.normal(size=(12, 3)), RNG.normal(size=(5, 3))


@pytest.mark.parametrize(
    ("kind", "function"), [("tangent", deep.ntk), ("covariance", deep.nngp), ("phi", deep.phi)]
)
def test_the_kernel_object_is_the_function(kind, function):
    kernel = clone(DeepKernel(A, kind))
    np.testing.assert_array_equal(kernel(X, Z), function(X, Z, architecture=A))
    np.testing.assert_allclose(kernel.diag(X), np.diag(kernel(X)), rtol=1e-14)


def test_a_gaussian_process_interpolates_with_it():
    """The mean of the process is K(z, X) K(X, X)⁻¹ y."""
    y = np.sin(X[:, 0])
    process = GaussianProcessRegressor(DeepKernel(A), alpha=1e-10).fit(X, y)
    K = deep.ntk(X, architecture=A) + 1e-10 * np.eye(len(X))
    expected = deep.ntk(Z, X, architecture=A) @ np.linalg.solve(K, y)
    np.testing.assert_allclose(process.predict(Z), expected, rtol=1e-6)


def test_gpytorch_kernel_is_the_function(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setitem(
        sys.modules, "gpytorch", SimpleNamespace(kernels=SimpleNamespace(Kernel=torch.nn.Module))
    )
    kernel = pickle.loads(pickle.dumps(gpytorch_kernel(A)))
    points = torch.tensor(X)
    np.testing.assert_allclose(
        kernel.forward(points, points[:4]), deep.ntk(X, X[:4], architecture=A), rtol=1e-14
    )
    diagonal = kernel.forward(points, points, diag=True)
    np.testing.assert_allclose(diagonal, DeepKernel(A).diag(X), rtol=1e-14)


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="kind must be one of covariance, tangent, phi, got 'ntk'"):
        gpytorch_kernel(A, "ntk")
