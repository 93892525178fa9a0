"""Speed of Φ beside the matrix product it needs, in one run: `make bench`.

Read the table at the end: medians as multiples of the first row of the group, worst errors against 45 digits
on a sample of pairs, peak memory beyond the arguments.  The naive formula and Monte Carlo are there to be
compared with; so is neural-tangents, in an environment of its own: NEURAL_TANGENTS=/path/to/its/python.
"""

import os
import subprocess
import tracemalloc

import numpy as np
import pytest

from tests.test_theory.test_kernel.make_reference import exact
from theory import f_hat, g_hat, phi
from theory.deep import Architecture, ntk
from theory.kernel import gram

DEEP = Architecture(depth=3, rates="all")
SIZES = {"5000x784": (5000, 784), "2000x100": (2000, 100)}


def product(X, Z):
    return X @ Z.T


def naive(X, Z):
    dim = X.shape[1]
    s_x = np.sqrt((X**2).sum(axis=1) / dim + 1)
    s_z = np.sqrt((Z**2).sum(axis=1) / dim + 1)
    rho = np.clip((X @ Z.T / dim + 1) / np.outer(s_x, s_z), -1, 1)
    return 1 / 4 + np.arcsin(rho) / (2 * np.pi)


def monte_carlo(X, Z, draws=1000):
    rng = np.random.default_rng(0)
    dim = X.shape[1]
    v = (rng.normal(size=(dim, draws)) / np.sqrt(dim)).astype(X.dtype)
    a = rng.normal(size=draws).astype(X.dtype)
    return ((X @ v + a > 0).astype(X.dtype) @ (Z @ v + a > 0).astype(X.dtype).T) / draws


def by_numpy_alone(compute):
    def computed(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gram, "_COMPILED", np.inf)
            return compute(*arguments)

    return computed


COMPUTE = {
    "product X Zᵀ": product,
    "phi(X, Z)": phi,
    "phi(X)": lambda X, _: phi(X),
    "phi(X, Z) by numpy alone": by_numpy_alone(phi),
    "phi(X) by numpy alone": by_numpy_alone(lambda X, _: phi(X)),
    "naive formula": naive,
    "Monte Carlo, 1000 draws": monte_carlo,
}


def peak(function, *arguments):
    """Return the peak of memory in MiB; numpy tells tracemalloc of every array."""
    tracemalloc.start()
    function(*arguments)
    _, size = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 2**20


def error(K, X, Z, pairs):
    return max(abs(float(exact(X[i], Z[j], 0) - float(K[i, j]))) for i, j in pairs)


@pytest.mark.parametrize("name", COMPUTE)
@pytest.mark.parametrize("near", [False, True], ids=["generic", "one near pair a row"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_gram(benchmark, size, dtype, near, name):
    rows, dim = SIZES[size]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, dim)).astype(dtype)
    Z = (X * (1 + 1e-6) if near else rng.normal(size=(rows, dim))).astype(dtype)
    if name.startswith("phi(X)"):
        Z = X
    benchmark.group = f"{size} {dtype} {'near' if near else 'generic'}"
    K = benchmark.pedantic(COMPUTE[name], (X, Z), rounds=5, warmup_rounds=1)
    benchmark.extra_info["peak_mib"] = peak(COMPUTE[name], X, Z)
    if not name.startswith("product"):
        pairs = [(i, i if i % 2 else (i * 7) % rows) for i in range(0, rows, rows // 20)]
        benchmark.extra_info["worst_error"] = error(K, X, Z, pairs)
        assert np.isfinite(K).all()


@pytest.mark.parametrize("name", ["product X Zᵀ", "Θ(X, Z)", "Θ(X)", "Θ(X, Z) by numpy alone"])
def test_deep(benchmark, name):
    """Θ at L = 3, all layers learning, in float64."""
    rng = np.random.default_rng(0)
    X, Z = (rng.normal(size=(5000, 784)) for _ in range(2))
    benchmark.group = "Θ of three layers, 5000x784"
    if name.startswith("product"):
        function = product
    else:
        function = lambda X, Z: ntk(X, Z if "Z" in name else None, architecture=DEEP)  # noqa: E731
    function = by_numpy_alone(function) if "numpy" in name else function
    K = benchmark.pedantic(function, (X, Z), rounds=3, warmup_rounds=1)
    benchmark.extra_info["peak_mib"] = peak(function, X, Z)
    assert np.isfinite(K).all()


@pytest.mark.parametrize("how", ["closed form", "numpy alone", "Monte Carlo, 1000 draws"])
def test_decision_map(benchmark, how):
    """f̂ and ĝ on 160,000 points, N = 1000, d = 100."""
    rng = np.random.default_rng(1)
    X, Z = rng.normal(size=(1000, 100)), rng.normal(size=(160_000, 100))
    X_adv, y = 0.1 * rng.normal(size=(1000, 100)), np.sign(X[:, 0])

    def closed():
        return f_hat(Z, X=X, y=y), g_hat(Z, X=X, y=y, X_adv=X_adv)

    def sampled():
        U = (monte_carlo(X, X) * y) @ X / 1000
        parts = [slice(i, i + 8000) for i in range(0, len(Z), 8000)]
        f = [(monte_carlo(Z[p], X) * (Z[p] @ X.T)) @ y / 1000 for p in parts]
        g = [np.sum((monte_carlo(Z[p], X_adv) @ U) * Z[p], axis=1) / 1000 for p in parts]
        return np.concatenate(f), np.concatenate(g)

    benchmark.group = "f̂ and ĝ on 160,000 points"
    function = {"closed form": closed, "numpy alone": by_numpy_alone(closed)}.get(how, sampled)
    f, _ = benchmark.pedantic(function, rounds=3, warmup_rounds=1)
    benchmark.extra_info["peak_mib"] = peak(function)
    assert np.isfinite(f).all()


NEURAL_TANGENTS = """
import sys, time
import jax, numpy as np
from neural_tangents import stax
rows, dim = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
X, Z = (jax.numpy.asarray(rng.normal(size=(rows, dim)).astype("float32")) for _ in range(2))
_, _, kernel = stax.serial(stax.Dense(1, W_std=1.0, b_std=1.0), stax.Relu(), stax.Dense(1))
functions = {
    "product": jax.jit(lambda X, Z: X @ Z.T),
    "kernel": jax.jit(lambda X, Z: kernel(X, Z, "ntk")),
}
for name, function in functions.items():
    function(X, Z).block_until_ready()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function(X, Z).block_until_ready()
        times.append(time.perf_counter() - start)
    print(name, sorted(times)[2])
"""


@pytest.mark.skipif("NEURAL_TANGENTS" not in os.environ, reason="NEURAL_TANGENTS names no interpreter")
@pytest.mark.parametrize("size", SIZES)
def test_neural_tangents(size, record_property):
    """The tangent kernel, of which Φ is a factor, beside the product of the same library."""
    command = [os.environ["NEURAL_TANGENTS"], "-c", NEURAL_TANGENTS, *map(str, SIZES[size])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    record_property(
        "neural-tangents", f"{size} float32: {seconds['kernel'] / seconds['product']:.2f} × its product"
    )
    assert min(seconds.values()) > 0
