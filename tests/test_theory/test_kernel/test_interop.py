"""Φ inside scikit-learn and gpytorch."""

import copy
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.svm import SVC

from theory import phi
from theory.kernel.interop import PhiKernel, gpytorch_kernel

RNG = np.random.default_rng(6)
X, Z = RNG.normal(size=(20, 3)), RNG.normal(size=(7, 3))


def test_calls_are_phi():
    kernel = PhiKernel(0.2, weight_variance=2.0, bias_variance=0.5)
    options = {"negative_slope": 0.2, "weight_variance": 2.0, "bias_variance": 0.5}
    np.testing.assert_array_equal(kernel(X, Z), phi(X, Z, **options))
    np.testing.assert_array_equal(kernel(X), phi(X, **options))
    np.testing.assert_array_equal(kernel.diag(X), np.diag(phi(X, **options)))
    np.testing.assert_allclose(pairwise_kernels(X, Z, metric=kernel), kernel(X, Z), rtol=0, atol=1e-15)


def test_parameters_survive_clone_and_set_params():
    kernel = PhiKernel(0.3, bias_variance=2.0)
    twin = clone(kernel)
    assert twin.get_params() == kernel.get_params()
    assert twin.set_params(negative_slope=0.5).negative_slope == 0.5
    assert twin.clone_with_theta(np.log([0.25])).negative_slope == pytest.approx(0.25)
    assert not kernel.is_stationary()


@pytest.mark.parametrize("slope", [0.05, 0.5, 0.9])
def test_gradient_is_the_derivative_in_log_slope(slope):
    K, gradient = PhiKernel(slope)(X, eval_gradient=True)
    h = 1e-6
    up, down = (phi(X, negative_slope=slope * np.exp(step)) for step in (h, -h))
    # Central differences: h²/6 of a third derivative below 1, and roundings of 1e-16/h.
    np.testing.assert_allclose(gradient[:, :, 0], (up - down) / (2 * h), rtol=0, atol=1e-9)
    assert K.shape == (20, 20)
    assert gradient.shape == (20, 20, 1)


def test_relu_has_nothing_to_optimise():
    assert PhiKernel(0.0).theta.size == 0
    assert PhiKernel(0.0)(X, eval_gradient=True)[1].shape == (20, 20, 0)
    with pytest.raises(ValueError, match="eval_gradient needs Y to be None"):
        PhiKernel(0.1)(X, Z, eval_gradient=True)


def test_gaussian_process_finds_the_slope_that_made_the_data():
    """A sample from the process itself: the likelihood of the fit is at least that of the truth."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(80, 2))
    truth = PhiKernel(0.1) + WhiteKernel(1e-4, "fixed")
    values = np.linalg.cholesky(truth(inputs)) @ rng.normal(size=80)
    process = GaussianProcessRegressor(PhiKernel(0.6) + WhiteKernel(1e-4, "fixed"), alpha=0.0)
    process.fit(inputs, values)
    likelihood = process.log_marginal_likelihood_value_
    assert likelihood >= process.log_marginal_likelihood(np.log([0.1])) - 1e-6
    assert likelihood > process.log_marginal_likelihood(np.log([0.6]))


@pytest.mark.parametrize(
    ("points", "found"),
    [
        (sparse.csr_array(X), "a dense array, got a sparse one"),
        ([["1.0"]], "an array of real numbers, got dtype <U3"),
        (1j * X, "an array of real numbers, got dtype complex128"),
    ],
)
@pytest.mark.parametrize("call", [PhiKernel(), PhiKernel().diag, lambda points: PhiKernel()(X, points)])
def test_points_are_checked_as_by_phi(call, points, found):
    with pytest.raises(TypeError, match=f"^[XY] must be {found}$"):
        call(points)


def test_support_vector_machine_separates_with_it():
    labels = np.sign(X[:, 0])
    machine = SVC(kernel=PhiKernel(0.1), C=1e3).fit(X, labels)
    assert machine.score(X, labels) == 1


@pytest.fixture(params=["gpytorch", "stand-in"])
def torch(request, monkeypatch):
    """Return torch; the base class is that of gpytorch, where installed, or the part of it in use."""
    torch = pytest.importorskip("torch")
    if request.param == "gpytorch":
        pytest.importorskip("gpytorch")
    else:
        base = SimpleNamespace(kernels=SimpleNamespace(Kernel=torch.nn.Module))
        monkeypatch.setitem(sys.modules, "gpytorch", base)
    return torch


def test_gpytorch_kernel_survives_pickle_and_copy(torch):
    options = {"negative_slope": 0.2, "weight_variance": 2.0, "bias_variance": 0.5}
    kernel = gpytorch_kernel(**options).eval()
    points = torch.from_numpy(X)
    for twin in (pickle.loads(pickle.dumps(kernel)), copy.deepcopy(kernel)):
        np.testing.assert_array_equal(twin.forward(points, points), phi(X, **options))
        np.testing.assert_array_equal(twin.forward(points, points[:7]), phi(X, X[:7], **options))
        assert not twin.training


def test_gpytorch_kernel_is_phi():
    pytest.importorskip("gpytorch")
    torch = pytest.importorskip("torch")
    kernel = gpytorch_kernel(negative_slope=0.2)
    a, b = torch.from_numpy(X), torch.from_numpy(Z)
    np.testing.assert_allclose(
        kernel(a, b).to_dense().detach().numpy(), phi(X, Z, negative_slope=0.2), rtol=0, atol=1e-15
    )
    batch = kernel(torch.stack([a, a + 1]), b).to_dense()
    assert batch.shape == (2, 20, 7)
    np.testing.assert_array_equal(kernel(a, a, diag=True).detach().numpy(), np.full(20, (1 + 0.04) / 2))


def test_gpytorch_kernel_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpytorch", None)
    with pytest.raises(ImportError, match="pip install gpytorch"):
        gpytorch_kernel()


def test_mixed_precisions_as_scikit_learn_allows():
    labels = X[:, 0] > 0
    for fitted, asked in ((np.float32, np.float64), (np.float64, np.float32)):
        model = SVC(kernel=PhiKernel(0.1)).fit(X.astype(fitted), labels)
        assert model.predict(Z.astype(asked)).shape == (len(Z),)
    with pytest.raises(ValueError, match="X must have shape"):
        PhiKernel()(np.arange(5.0))


def test_a_gpytorch_process_is_trained_and_differentiated_as_by_hand():
    """The mean is K(z, X) (K + σ²)⁻¹ y at the noise σ² that training finds, and so is its derivative in z."""
    gpytorch, torch = pytest.importorskip("gpytorch"), pytest.importorskip("torch")
    points, values = torch.from_numpy(X), torch.sin(torch.from_numpy(X[:, 0]))

    class Process(gpytorch.models.ExactGP):
        mean_module, covar_module = None, None

        def forward(self, x):
            return gpytorch.distributions.MultivariateNormal(torch.zeros_like(x[:, 0]), kernel(x))

    kernel = gpytorch_kernel(negative_slope=0.1)
    noise = gpytorch.likelihoods.GaussianLikelihood().double()
    process = Process(points, values, noise).double()
    likelihood = gpytorch.mlls.ExactMarginalLogLikelihood(noise, process)
    optimiser = torch.optim.Adam(noise.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        losses.append(-likelihood(process(points), values))
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    process.eval(), noise.eval()
    queries = torch.from_numpy(Z).requires_grad_()
    mean = noise(process(queries)).mean
    (gradient,) = torch.autograd.grad(mean.sum(), queries)
    weights = np.linalg.solve(phi(X, negative_slope=0.1) + noise.noise.item() * np.eye(20), values.numpy())
    np.testing.assert_allclose(mean.detach(), phi(Z, X, negative_slope=0.1) @ weights, rtol=0, atol=1e-12)
    h = 1e-6  # central differences: h² of a third derivative, and roundings over h
    steps = h * np.eye(3)[:, None, :]
    up, down = (np.stack([phi(Z + s * step, X, negative_slope=0.1) for step in steps]) for s in (1, -1))
    expected = ((up - down) @ weights / (2 * h)).T
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-8)
