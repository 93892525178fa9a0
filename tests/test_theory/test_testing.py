"""Strategies give the geometries they name; a check of a bound decides rightly, or not at all."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import find, given, settings as profile, strategies as st
from hypothesis.errors import NoSuchExample
from scipy import stats

import theory
from theory import Setting, kappa, phi, preactivation_scale, testing
from theory.testing import GEOMETRIES, NEAR, activations, check_bound, data_sets, settings

ROOT = Path(__file__).parents[2]
# Of every check below: the probability that a verdict is wrong, or that an edge is decided.
ERROR = 1e-6
# Of Φ, as its docstring has it.
ROUNDING = 1e-15


def test_examples_and_recipe_give_what_they_say():
    found = doctest.testmod(testing)
    assert found.failed == 0
    assert found.attempted >= 28


def normal(rng):
    return rng.standard_normal()


def crossed_with(probability):
    """Return the bound that a standard normal crosses with exactly this probability."""
    return stats.norm.isf(probability / 2)


# Strategies -------------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(GEOMETRIES))
def test_sets_have_the_sizes_asked_for(data, geometry):
    X, y = data.draw(data_sets([geometry], min_samples=2, max_samples=4, min_dim=3, max_dim=5))
    assert 2 <= len(X) <= 4
    assert X.shape[1] == 50 if geometry == "high-dimensional" else 3 <= X.shape[1] <= 5
    assert y.shape == (len(X),)
    assert X.dtype == y.dtype == np.float64
    assert np.isfinite(X).all()
    assert set(y.tolist()) <= {-1.0, 1.0}


@given(data_sets(["duplicated"], min_samples=2))
def test_duplicated_sets_have_equal_rows(data):
    assert len(np.unique(data[0], axis=0)) < len(data[0])


@given(data_sets(["collinear"]))
def test_collinear_sets_lie_on_a_line_through_the_origin(data):
    singular = np.linalg.svd(data[0], compute_uv=False)
    assert (singular[1:] <= 1e-14 * singular[0]).all()


@given(data_sets(["near-orthogonal"], max_samples=10))
def test_near_orthogonal_sets_are(data):
    X, _ = data
    units = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert len(X) <= X.shape[1]
    assert (np.abs(units @ units.T - np.diag(np.diag(units @ units.T))) <= NEAR).all()


@given(data_sets(["clustered"]))
def test_clustered_sets_have_at_most_three_clusters(data):
    rest, clusters = data[0], 0
    while len(rest):
        reach = 2.2 * NEAR * max(np.linalg.norm(rest[0]), np.finfo(float).tiny)  # twice NEAR/(1 − NEAR)
        rest = rest[np.linalg.norm(rest - rest[0], axis=1) > reach]
        clusters += 1
    assert clusters <= 3


@pytest.mark.parametrize(("geometry", "low", "high"), [("huge", 0, 20), ("tiny", -20, 0), ("mixed", -20, 20)])
def test_norms_reach_where_they_are_said_to(geometry, low, high):
    sets = data_sets([geometry], max_samples=2, max_exponent=20)

    @given(sets)
    def inside(data):
        logs = np.log10(np.linalg.norm(data[0], axis=1))
        assert (logs >= low - 1e-12).all()
        assert (logs <= high + 1e-12).all()

    inside()
    far = low if low else high
    found, _ = find(
        sets, lambda data: bool(np.any(np.abs(np.log10(np.linalg.norm(data[0], axis=1)) - far) < 5))
    )
    assert found.shape


def test_special_cases_are_drawn():
    """Opposite labels on equal points, opposite points, both slopes at the ends."""
    X, y = find(
        data_sets(["duplicated"], min_samples=2),
        lambda s: bool((s[0][0] == s[0][1]).all() and s[1][0] != s[1][1]),
    )
    assert np.array_equal(X[0], X[1])
    assert y[0] != y[1]
    find(data_sets(["collinear"], min_samples=2), lambda s: bool((s[0][0] * s[0][1]).min() < -1e-3))
    assert find(activations(), lambda slope: slope == 0) == 0
    assert find(activations(), lambda slope: slope > 0.999) < 1


@given(activations())
def test_slopes_are_slopes(slope):
    assert 0 <= slope < 1


@given(settings(dim=7, T_f=st.floats(1, 2), loss="identity"))
def test_settings_take_values_and_strategies(setting):
    assert isinstance(setting, Setting)
    assert setting.dim == 7
    assert 1 <= setting.T_f <= 2
    assert setting.loss == "identity"


@given(data_sets(max_exponent=75), activations())
def test_the_theory_stands_what_is_drawn(data, slope):
    X, _ = data
    K = phi(X, negative_slope=slope)
    assert K.min() >= slope - ROUNDING
    assert K.max() <= (1 + slope**2) / 2 + ROUNDING
    assert np.isfinite(kappa(X, X=X)).all()
    assert (preactivation_scale(X) >= 1).all()


def test_a_property_that_is_false_somewhere_is_found_out():
    """Data sets that break a rule which random Gaussian data keep: distinct rows."""
    with pytest.raises(NoSuchExample):
        find(
            data_sets(["generic"]), lambda s: len(s[0]) > 8, settings=profile(max_examples=50, database=None)
        )
    X, _ = find(data_sets(), lambda s: len(np.unique(s[0], axis=0)) < len(s[0]))
    assert X.shape == (2, 1)  # the smallest such set


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"geometries": []}, "geometries must name at least one geometry"),
        ({"geometries": ["round"]}, "geometry must be one of generic, .*, got 'round'"),
        ({"max_samples": 0}, "max_samples must be >= 1, got 0"),
        ({"min_dim": 4, "max_dim": 3}, "max_dim must be >= 4, got 3"),
        ({"max_exponent": 151}, "max_exponent must be <= 150, got 151"),
        (
            {"geometries": ["near-orthogonal"], "min_samples": 4, "max_dim": 3},
            "near-orthogonal sets need N <= d",
        ),
    ],
)
def test_data_sets_rejects_bad_input(arguments, match):
    with pytest.raises(ValueError, match=match):
        data_sets(**arguments)


def test_settings_rejects_an_unknown_field():
    with pytest.raises(TypeError, match=r"settings takes the fields of Setting \(dim, N, .*\), got 'depth'"):
        settings(depth=3)


# Probabilistic bounds ---------------------------------------------------------------------------------


def test_a_true_bound_holds():
    check = check_bound(
        crossed_with(0.05), normal, delta=0.1, num_samples=2000, error_probability=ERROR, seed=0
    )
    assert check.verdict == "holds"
    assert check.upper <= 0.1
    assert check.lower <= 0.05 <= check.upper
    assert check.num_points == 1


def test_a_wrong_bound_is_refuted():
    check = check_bound(
        crossed_with(0.2), normal, delta=0.1, num_samples=2000, error_probability=ERROR, seed=0
    )
    assert check.verdict == "violated"
    assert check.lower > 0.1
    assert check.reason == f"the lower limit {check.lower:.3g} is above δ = 0.1"


@pytest.mark.parametrize("seed", range(5))
def test_a_bound_at_the_edge_stays_unknown(seed):
    """P(violation) = δ exactly: each verdict but unknown has probability at most 5e-7 a seed."""
    check = check_bound(
        crossed_with(0.1), normal, delta=0.1, num_samples=1000, error_probability=ERROR, seed=seed
    )
    assert check.verdict == "unknown"
    assert check.lower <= 0.1 < check.upper


def test_a_small_sample_without_violations_does_not_hold():
    few = check_bound(1e9, normal, delta=0.01, num_samples=1443, error_probability=ERROR, seed=0)
    assert few.verdict == "unknown"
    assert few.reason.endswith("1443 realisations cannot show that it holds, 1444 could")
    enough = check_bound(1e9, normal, delta=0.01, num_samples=1444, error_probability=ERROR, seed=0)
    assert enough.verdict == "holds"


@given(st.integers(0, 30), st.integers(1, 30), st.floats(1e-9, 0.5))
def test_the_interval_is_that_of_clopper_and_pearson(k, n, error):
    k = min(k, n)
    values = iter([2.0] * k + [0.0] * (n - k))
    check = check_bound(
        1, lambda rng: next(values), delta=0.3, num_samples=n, error_probability=error, seed=0
    )
    assert check.violations == k
    # By definition: at a limit, the observed count or a more extreme one has half of the error probability.
    rounding = {"rel": 1e-9, "abs": 1e-13}
    assert k == check.lower == 0 or stats.binom.sf(k - 1, n, check.lower) == pytest.approx(
        error / 2, **rounding
    )
    assert n - k == 1 - check.upper == 0 or stats.binom.cdf(k, n, check.upper) == pytest.approx(
        error / 2, **rounding
    )


def test_wrong_verdicts_are_as_rare_as_stated():
    """At an edge with error probability 0.2, each wrong verdict comes in at most a tenth of 1000 checks."""
    verdicts = [
        check_bound(
            0.7, lambda rng: rng.random(), delta=0.3, num_samples=40, error_probability=0.2, seed=seed
        ).verdict
        for seed in range(1000)
    ]
    for wrong in ("violated", "holds"):
        # Probability to fail: 1e-9, by the exact test.
        assert stats.binomtest(verdicts.count(wrong), 1000, 0.1, alternative="greater").pvalue > 1e-9
        assert verdicts.count(wrong) > 0  # and the limits are not far off either


# Many points ------------------------------------------------------------------------------------------


def test_each_point_is_tested_for_itself():
    """Each of 40 points crosses with probability .02, some point with .55: true pointwise, false together."""
    options = {"delta": 0.1, "num_samples": 2000, "error_probability": ERROR, "seed": 1}

    def points(rng):
        return rng.standard_normal((4, 10))

    bound = np.full(10, crossed_with(0.02))
    pointwise = check_bound(bound, points, **options)
    assert (pointwise.verdict, pointwise.num_points) == ("holds", 40)
    together = check_bound(bound, points, simultaneous=True, **options)
    assert (together.verdict, together.num_points) == ("violated", 1)
    assert together.lower < 1 - 0.98**40 < together.upper


def test_one_bad_point_among_many_is_refuted():
    """Also if the share over all points together is below δ."""
    bound = np.full(30, 100.0)
    bound[17] = crossed_with(0.3)
    check = check_bound(bound, lambda rng: rng.standard_normal(30), delta=0.1, num_samples=1000, seed=0)
    assert check.verdict == "violated"
    assert check.violations / (30 * check.num_samples) < 0.02


def test_dependent_points_do_not_count_as_independent():
    """1000 copies of one value are 20 realisations, not 20,000."""
    check = check_bound(5, lambda rng: np.full(1000, normal(rng)), delta=0.05, num_samples=20, seed=0)
    assert check.verdict == "unknown"


# Looseness and what is not finite ---------------------------------------------------------------------


def test_ratios_say_how_loose_a_bound_is():
    sharp = crossed_with(0.02)
    check = check_bound(10 * sharp, normal, delta=0.02, num_samples=20_000, seed=0)
    # The quantile's share is binomial: five standard deviations of it.
    low, high = (crossed_with(0.02 + sign * 5 * np.sqrt(0.02 * 0.98 / 20_000)) for sign in (1, -1))
    assert low / (10 * sharp) < check.ratios[0.98] < high / (10 * sharp)
    assert list(check.ratios) == [0.5, 0.9, 0.98, 0.99, 1.0]
    assert list(check.ratios.values()) == sorted(check.ratios.values())


def test_a_vacuous_bound_holds_and_shows_it():
    check = check_bound(np.inf, normal, delta=0.5, num_samples=100, seed=0)
    assert check.verdict == "holds"
    assert set(check.ratios.values()) == {0.0}


def test_a_bound_of_zero_is_attained_by_zero():
    check = check_bound(0, lambda rng: 0, delta=0.5, num_samples=100, seed=0)
    assert check.verdict == "holds"
    assert set(check.ratios.values()) == {1.0}


@pytest.mark.parametrize(
    ("bound", "value", "reason"),
    [
        (np.nan, 0.0, "the bound is NaN"),
        (9.0, np.nan, "1 of 500 realisations are not finite"),
        (np.inf, np.inf, "1 of 500 realisations are not finite"),
        ([9.0, np.nan], 0.0, "the bound is NaN"),
    ],
)
def test_what_is_not_finite_is_unknown_and_never_holds(bound, value, reason):
    values = iter([value] + [0.0] * 499)
    check = check_bound(bound, lambda rng: np.full(2, next(values)), delta=0.1, num_samples=500, seed=0)
    assert (check.verdict, check.reason) == ("unknown", reason)
    assert np.isnan([check.lower, check.upper]).all()


def test_a_seed_repeats_a_check():
    first, again, other = (
        check_bound(1, normal, delta=0.3, num_samples=500, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first.ratios != other.ratios


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"delta": 0}, r"delta must lie in \(0, 1\), got 0"),
        ({"delta": np.nan}, "delta must be finite, got nan"),
        ({"error_probability": 1.0}, r"error_probability must lie in \(0, 1\), got 1.0"),
        ({"num_samples": 0}, "num_samples must be >= 1, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"bound": [1, -2]}, "bound must be >= 0, got -2"),
        ({"bound": [1, 2, 3]}, r"bound must broadcast to the shape of a realisation, \(2,\), got \(3,\)"),
        ({"sampler": lambda rng: []}, "sampler must give at least one value, got an empty array"),
    ],
)
def test_check_bound_rejects_bad_input(changes, match):
    arguments = {"bound": 1, "sampler": lambda rng: np.zeros(2), "delta": 0.1, "num_samples": 2, "seed": 0}
    arguments |= changes
    with pytest.raises(ValueError, match=match):
        check_bound(arguments.pop("bound"), arguments.pop("sampler"), **arguments)


def test_realisations_must_have_one_shape():
    shapes = iter([2, 3])
    with pytest.raises(ValueError, match=r"sampler must give one shape throughout, got \(2,\) and \(3,\)"):
        check_bound(1, lambda rng: np.zeros(next(shapes)), delta=0.1, num_samples=2, seed=0)


# Imports ----------------------------------------------------------------------------------------------


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=100,
        check=False,
    )


def test_theory_does_not_import_hypothesis():
    done = run("import sys, theory; print('hypothesis' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_without_hypothesis_the_extra_is_named():
    hide = "import sys, importlib.util as u; find = u.find_spec; "
    hide += "u.find_spec = lambda name, *rest: None if name == 'hypothesis' else find(name, *rest); "
    done = run(hide + "import theory.testing")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert (
        last == "ImportError: theory.testing needs hypothesis: pip install '.[testing]' in the source folder"
    )


# False statements -----------------------------------------------------------------------------------------


def _off_diagonal(X):
    return theory.phi(X)[~np.eye(len(X), dtype=bool)]


# What holds on ordinary data and not in general, at γ = 0.
FALSE = {
    "Φ is at least .1": lambda X, y: theory.phi(X).min() >= 0.1,
    "Φ is at least .01": lambda X, y: theory.phi(X).min() >= 0.01,
    "Φ is positive": lambda X, y: theory.phi(X).min() > 0,
    "Φ of two samples is below .499": lambda X, y: (_off_diagonal(X) < 0.499).all(),
    "Φ is invertible": lambda X, y: np.linalg.matrix_rank(theory.phi(X)) == len(X),
    "samples are independent if there are fewer than dimensions": lambda X, y: (
        len(X) > X.shape[1] or np.linalg.matrix_rank(X / np.abs(X).max(initial=1e-300)) == len(X)
    ),
    "inner products are at most d": lambda X, y: np.abs(X @ X.T).max() <= X.shape[1],
    "κ is at most 10": lambda X, y: theory.kappa(X, X=X).max() <= 10,
    "s is at least 1.01": lambda X, y: theory.preactivation_scale(X).min() >= 1.01,
    "f̂ has the signs of the labels": lambda X, y: (y * theory.f_hat(X, X=X, y=y) >= 0).all(),
    "both classes are there": lambda X, y: abs(y.mean()) < 1,
    "angles are acute": lambda X, y: theory.phi(X).min() >= 0.25,
}


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(s, marks=pytest.mark.slow) for s in range(2, 20))])
@pytest.mark.parametrize("statement", FALSE)
def test_a_false_statement_fails_within_100_examples(statement, seed):
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=100, phases=[hypothesis.Phase.generate], database=None, derandomize=False, deadline=None
    )
    @given(data_sets())
    def holds(sets):
        X, y = sets
        assert FALSE[statement](X, y)

    with pytest.raises(AssertionError):
        holds()
