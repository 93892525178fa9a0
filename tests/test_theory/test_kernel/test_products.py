"""Products with Φ and Θ against the matrices, whatever the blocks; memory stays within its budget."""

import subprocess
import sys
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st
from threadpoolctl import threadpool_limits

from theory import f_predict, ntk, ntk_product, phi, phi_product
from theory.kernel import products

RNG = np.random.default_rng(3)
X, Z = RNG.normal(size=(23, 4)), RNG.normal(size=(9, 4))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1), st.floats(0, 0.9))
def test_products_are_those_of_the_matrix(height, width, columns, slope):
    v = RNG.normal(size=(23, 3)) if columns else RNG.normal(size=23)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_block_shape", lambda *_: (height, width))
        got = phi_product(Z, X=X, v=v, negative_slope=slope)
        tangent = ntk_product(Z, X=X, v=v, negative_slope=slope)
    # 23 terms of size |v| and |v k|, each with a rounding or two.
    np.testing.assert_allclose(got, phi(Z, X, negative_slope=slope) @ v, rtol=0, atol=1e-13)
    np.testing.assert_allclose(tangent, ntk(Z, X, negative_slope=slope) @ v, rtol=0, atol=1e-12)


def test_variances_are_passed_on():
    v = np.ones(23)
    options = {"weight_variance": 3.0, "bias_variance": 0.5, "negative_slope": 0.1}
    np.testing.assert_allclose(phi_product(Z, X=X, v=v, **options), phi(Z, X, **options) @ v, rtol=1e-14)


def test_tangent_kernel_is_phi_times_the_augmented_inner_product():
    np.testing.assert_allclose(ntk(X), phi(X) * (X @ X.T + 1), rtol=1e-15)
    y = np.sign(X[:, 0])
    np.testing.assert_allclose(f_predict(Z, X=X, y=y), ntk(Z, X) @ y / 23, rtol=1e-13)


@pytest.mark.parametrize("budget", [1 << 20, 1 << 24])
@pytest.mark.parametrize("spread", [1.0, 1e-4])
def test_memory_stays_within_its_budget(budget, spread):
    """Rows nearly parallel (spread 1e-4) are the worst case: every pair is computed again."""
    rng = np.random.default_rng(0)
    points = spread * rng.normal(size=(3000, 20))
    product = partial(phi_product, points[:2000], X=points, v=np.ones(3000), memory_budget=budget)
    product()  # starts the threads, and loads what is compiled
    tracemalloc.start()
    product()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Near pairs one by one come on top: six arrays of half a MiB a thread.
    assert peak < budget + 8 * 2000 + 3 * (1 << 20) * max(1, min(2, budget >> 22))


@pytest.mark.parametrize("limit", [1, 8])
def test_many_threads_and_long_rows_share_the_budget(limit):
    """All pairs near, d = 784: 15 and 19 MiB were measured with 1 and 8 threads."""
    points = 1e-4 * np.random.default_rng(0).normal(size=(600, 784))
    budget = 1 << 24
    with threadpool_limits(limit, user_api="blas"):
        tracemalloc.start()
        phi_product(points, X=points, v=np.ones(600), memory_budget=budget)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < budget + 3 * (1 << 20) * min(limit, budget >> 22)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: phi_product(Z, X=X, v=np.ones(22)), r"v must have shape \(23,\) or \(23, K\), got \(22,\)"),
        (lambda: phi_product(Z, X=X, v=np.full(23, np.nan)), "v must be finite"),
        (lambda: f_predict(Z, X=X, y=np.sign(X[:, 0]), memory_budget=10), "memory_budget must be >= 1048576"),
        (
            lambda: phi_product(Z, X=X, v=np.ones(23), memory_budget=10),
            "memory_budget must be >= 1048576, got 10",
        ),
        (lambda: phi_product(Z, X=X, v=np.ones(23), bias_variance=-1), "bias_variance must be >= 0, got -1"),
        (lambda: ntk_product(Z[:, :2], X=X, v=np.ones(23)), "Z must have 4 columns"),
        (lambda: ntk(X, Z[:, :2]), "Z must have 4 columns"),
    ],
)
def test_bad_input_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read in the units of Linux")
def test_sixty_thousand_images_need_less_than_a_gibibyte_beyond_the_data():
    """f_predict at 500 points, N = 60,000, d = 784: the matrix of all pairs of samples would take 27 GiB."""
    program = """
import resource, sys
import numpy as np
from threadpoolctl import threadpool_limits

from theory import f_predict
rng = np.random.default_rng(0)
X = rng.normal(size=(60_000, 784))
y = np.sign(X[:, 0])
f_predict(X[:5], X[:5], y[:5])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
f_predict(X[:500], X, y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.0


def test_complex_weights_are_refused():
    with pytest.raises(TypeError, match="v must be an array of real numbers, got dtype complex128"):
        phi_product(Z, X=X, v=1j * np.ones(23))


def test_products_that_overflow_are_not_known(monkeypatch):
    """Also those of threads, whose error state is their own."""
    monkeypatch.setattr("theory.kernel.products._THREAD", 1 << 17)
    X, Z = np.full((300, 2), 1e160), np.resize([[1e160, -1e160], [1.0, 1.0]], (400, 2))
    found = ntk_product(Z, X=X, v=np.resize([1e300, -1e300], 300), memory_budget=1 << 20)
    assert np.isnan(found).all()
    assert np.isnan(phi_product(Z, X=X, v=np.full((300, 2), 1e308))).all()
