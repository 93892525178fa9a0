"""Every backend present against the frozen table: 1e-15 in float64, 3e-7 in float32."""

import csv
import importlib.util
import math
from collections import defaultdict

import mpmath as mp
import numpy as np
import pytest

from tests.test_theory.test_kernel import make_reference as table
from theory import phi
from theory.kernel import arrays

TOLERANCE = {"float64": 1e-15, "float32": 3e-7}


def groups():
    """Pairs of one dtype, dimension and slope, as matrices whose rows are the points."""
    found = defaultdict(list)
    with mp.workdps(50), table.TABLE.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            case = (row["dtype"], int(row["dim"]), row["family"], float(row["gap"]), float(row["norm"]))
            found[(case[0], case[1], float(row["slope"]))].append((case, mp.mpf(row["phi"])))
    return found


GROUPS = groups()


def worst(compute):
    """Largest |error| / tolerance over the table."""
    result = 0.0
    for (dtype, _, slope), rows in GROUPS.items():
        pairs = [table.pair(*case) for case, _ in rows]
        X, Z = (np.stack(points) for points in zip(*pairs, strict=True))
        values = np.diag(compute(X, Z, slope))
        assert values.dtype == dtype
        with mp.workdps(50):
            errors = [abs(mp.mpf(float(v)) - e) for v, (_, e) in zip(values, rows, strict=True)]
        result = max(result, float(max(errors)) / TOLERANCE[dtype])
    return result


def test_the_table_is_what_its_script_makes():
    with mp.workdps(50):
        for rows in list(GROUPS.values())[::5]:
            case, value = rows[len(rows) // 2]
            slope = next(s for (t, d, s), other in GROUPS.items() if other is rows)
            assert abs(table.exact(*table.pair(*case), slope) - value) < mp.mpf(10) ** -43


@pytest.fixture(params=["numpy", "compiled"])
def passes(request, monkeypatch):
    """Take numpy or what is compiled, whatever the size."""
    monkeypatch.setattr("theory.kernel.gram._COMPILED", 1 if request.param == "compiled" else math.inf)


@pytest.mark.usefixtures("passes")
def test_numpy_matches_the_table():
    assert worst(lambda X, Z, slope: phi(X, Z, negative_slope=slope)) < 1


@pytest.mark.usefixtures("passes")
def test_numpy_around_centres_matches_the_table(monkeypatch):
    monkeypatch.setattr("theory.kernel.gram._MANY", 1)
    assert worst(lambda X, Z, slope: phi(X, Z, negative_slope=slope)) < 1


def test_the_definition_matches_the_table():
    assert worst(lambda X, Z, slope: arrays.reference(X, Z, negative_slope=slope)) < 1


def test_torch_matches_the_table():
    torch = pytest.importorskip("torch")

    def compute(X, Z, slope):
        X, Z = torch.from_numpy(X), torch.from_numpy(Z)
        plain = phi(X, Z, negative_slope=slope)
        with_graph = phi(X.requires_grad_(), Z, negative_slope=slope)
        # The second path adds two roundings of values below 1.
        assert float((plain - with_graph).detach().abs().max()) <= 4 * torch.finfo(X.dtype).eps
        return plain.numpy()

    assert worst(compute) < 1


@pytest.mark.slow  # compiles for every shape
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_matches_the_table():
    jax = importlib.import_module("jax")
    most = max(len(rows) for rows in GROUPS.values())

    def compute(X, Z, slope):
        """All groups at one number of rows: jax compiles for every shape."""
        count = len(X)
        X, Z = (jax.numpy.asarray(np.resize(points, (most, points.shape[1]))) for points in (X, Z))
        return np.asarray(phi(X, Z, negative_slope=slope))[:count, :count]

    with jax.enable_x64(True):
        assert worst(compute) < 1


@pytest.mark.usefixtures("passes")
@pytest.mark.parametrize("spread", [1e-1, 1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("base", [0.0, 1.0, 300.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sets_of_nearly_parallel_rows(spread, base, dtype, monkeypatch):
    """Small perturbations alone cluster around the bias axis; perturbed samples around their centre, ±."""
    monkeypatch.setattr("theory.kernel.gram._MANY", 100)
    rng = np.random.default_rng(4)
    centre = base * rng.normal(size=20)
    signs = rng.choice([-1.0, 1.0], size=(60, 1))
    X, Z = ((signs * centre + spread * rng.normal(size=(60, 20))).astype(dtype) for _ in range(2))
    K, own = phi(X, Z), phi(X)
    for i, j in rng.integers(60, size=(40, 2)):
        assert abs(table.exact(X[i], Z[j], 0) - mp.mpf(float(K[i, j]))) < TOLERANCE[dtype]
        assert abs(table.exact(X[i], X[j], 0) - mp.mpf(float(own[i, j]))) < TOLERANCE[dtype]


@pytest.mark.usefixtures("passes")
@pytest.mark.parametrize(("dtype", "dim"), [("float64", 961), ("float32", 900)])
def test_long_rows_of_one_sign(dtype, dim):
    """Just beyond near, |ρ| < 0.98: a plain sum of d squares of one sign would lose digits here."""
    signs = np.where(np.arange(dim) % 2, 1.0, -1.0)
    signs[-1] *= dim % 2 == 0
    x = np.full((1, dim), 1000.0).astype(dtype)
    for step in (205.0, 213.0, 300.0):
        z = (x + step * signs).astype(dtype)
        assert abs(table.exact(x[0], z[0], 0) - mp.mpf(float(phi(x, z)[0, 0]))) < TOLERANCE[dtype]


@pytest.mark.parametrize("factor", [1e-300, 1e80, 1e300])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_only_the_ratio_of_the_variances_counts(factor, dtype):
    X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]).astype(dtype)
    expected = phi(X, weight_variance=0.5, bias_variance=1.0)
    np.testing.assert_array_equal(phi(X, weight_variance=0.5 * factor, bias_variance=factor), expected)
    alone = phi(X, weight_variance=factor, bias_variance=0.0)
    np.testing.assert_array_equal(alone, phi(X, weight_variance=1.0, bias_variance=0.0))


def formula(
    X, Z, g, *, bias=1.0, dims=0, front=None, start=None, turn=np.arcsin, rho=lambda r: r, norm=np.sqrt
):
    """Φ written out, with every piece replaceable by a wrong one."""
    d = X.shape[1] + dims
    scale_x, scale_z = (norm((P**2).sum(axis=1) / d + bias) for P in (X, Z))
    correlation = rho((X @ Z.T / d + bias) / np.outer(scale_x, scale_z))
    slope = (1 - g) ** 2 / (2 * np.pi) if front is None else front(g)
    return ((1 + g) ** 2 / 4 if start is None else start(g)) + slope * turn(np.clip(correlation, -1, 1))


MUTANTS = {
    "sign of the arcsine": {"front": lambda g: -((1 - g) ** 2) / (2 * np.pi)},
    "1 + γ for 1 − γ": {"front": lambda g: (1 + g) ** 2 / (2 * np.pi)},
    "no square": {"front": lambda g: (1 - g) / (2 * np.pi)},
    "1 − γ² for (1 − γ)²": {"front": lambda g: (1 - g**2) / (2 * np.pi)},
    "π for 2π": {"front": lambda g: (1 - g) ** 2 / np.pi},
    "4π for 2π": {"front": lambda g: (1 - g) ** 2 / (4 * np.pi)},
    "π to six digits": {"front": lambda g: (1 - g) ** 2 / (2 * 3.141593)},
    "start: 1 − γ": {"start": lambda g: (1 - g) ** 2 / 4},
    "start: 1 + γ²": {"start": lambda g: (1 + g**2) / 4},
    "start: half": {"start": lambda g: (1 + g) ** 2 / 2},
    "start: none": {"start": lambda _: 0.0},
    "arccosine": {"turn": np.arccos},
    "arctangent": {"turn": np.arctan},
    "no arcsine": {"turn": lambda r: r},
    "arcsine of the square": {"rho": lambda r: r**2},
    "arcsine of the size": {"rho": np.abs},
    "no bias": {"bias": 0.0},
    "bias of 2": {"bias": 2.0},
    "d − 1 for d": {"dims": -1},
    "d + 1 for d": {"dims": 1},
    "no square root": {"norm": lambda s: s},
    "bias of 1 + 1e-12": {"bias": 1 + 1e-12},
}


def _generic_error(**pieces):
    result = 0.0
    for (dtype, dim, slope), rows in GROUPS.items():
        chosen = [
            (case, value) for case, value in rows if case[2] in ("generic", "opposite") and case[4] == 1
        ]
        if dtype != "float64" or dim not in (2, 30) or not chosen:
            continue
        X, Z = (np.stack(points) for points in zip(*(table.pair(*case) for case, _ in chosen), strict=True))
        with np.errstate(all="ignore"):
            values = np.diag(formula(X, Z, slope, **pieces))
        exact = np.array([float(value) for _, value in chosen])
        result = max(result, np.abs(values - exact)[np.isfinite(values)].max())
    return result


def test_the_formula_itself_passes():
    # The plain formula: a few roundings where sin θ is about 0.2.
    assert _generic_error() < 3e-15


@pytest.mark.parametrize("name", MUTANTS)
def test_the_table_catches_a_wrong_formula(name):
    assert _generic_error(**MUTANTS[name]) > 1e-14
