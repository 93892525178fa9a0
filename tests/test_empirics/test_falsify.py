"""The falsifier finds what is false, nothing where there is nothing, and what it writes reproduces."""

import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import theory
from empirics import TwoLayerNet, evaluate, train
from empirics.falsify import (
    Budget,
    Inequality,
    Instance,
    displacement_bound,
    falsify,
    free_share_law,
    measure,
    published_form,
    train_ensemble,
    velocity_bound,
    write_counter_example,
)
from empirics.falsify.moves import complexity, moved, random_instance, simpler
from empirics.falsify.stated import margin_theorem
from tests import warm

ROOT = Path(__file__).parents[2]
SMALL = Budget(evaluations=120, max_width=256, max_dim=12)
# Enough for the published form at d ≤ 22.
NARROW = Budget(max_width=500)
# Of each claim in this file, unless it says otherwise.
ERROR = 1e-3


def instance(**changes):
    fields = {"X": np.array([[1.0, 2.0], [0.5, -1.0]]), "y": np.array([1.0, -1.0]), "z": np.array([1.0, 0.0])}
    return Instance(**(fields | {"T": 2.0, "width": 30, "negative_slope": 0.2, "num_steps": 7} | changes))


def ones(dim, T=1.0, **changes):
    """One sample of norm √d, z = x, ReLU, m = d² T²: where the published form is at its worst."""
    x = np.ones(dim)
    fields = {
        "X": x[None],
        "y": np.ones(1),
        "z": x,
        "T": T,
        "width": round(dim**2 * T**2),
        "negative_slope": 0.0,
    }
    return Instance(**(fields | changes))


def exact_mean(case):
    """Return E[f(z; T) − f(z; 0)]/T − f_b(z) = −(k/(2π)) arctan(k T/(s √m)): N = 1, z = x, y = 1, ReLU."""
    k = case.z @ case.z + 1
    return (
        -k
        / (2 * math.pi)
        * math.atan(k * case.T / (math.sqrt(case.z @ case.z / case.dim + 1) * case.width**0.5))
    )


# Networks ---------------------------------------------------------------------------------------------


def test_an_ensemble_is_networks_trained_one_by_one():
    case, count = instance(momentum=0.5), 5
    networks = train_ensemble(case, np.random.default_rng(3), count)
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((count, 30, 2)) / math.sqrt(2)
    bias, readout = rng.standard_normal((count, 30)), rng.standard_normal((count, 30)) / math.sqrt(30)
    before, after = networks.outputs
    X, y = torch.tensor(case.X), torch.tensor(case.y)
    for i in range(count):
        parameters = (torch.tensor(array[i]) for array in (weight, bias, readout))
        net = TwoLayerNet(*parameters, negative_slope=0.2)
        trained = train(net, X, y, T=2.0, num_steps=7, momentum=0.5)
        # Outputs are sums of 30 numbers of order 1.
        assert before[i] == pytest.approx(evaluate(trained.initial, case.Z)[0], abs=1e-13)
        assert after[i] == pytest.approx(evaluate(trained.final, case.Z)[0], abs=1e-13)


def test_initial_networks_have_the_law_of_the_theory():
    """Mean and variance of f(z; 0) over 20,000 networks, within five standard errors."""
    before, _ = train_ensemble(instance(), np.random.default_rng(0), 20_000).outputs
    deviation = theory.initial_deviation(instance().Z, negative_slope=0.2)[0]
    assert abs(before.mean()) < 5 * deviation / math.sqrt(20_000)
    error = np.std(before**2) / math.sqrt(20_000)
    assert abs(np.mean(before**2) - deviation**2) < 5 * error


@pytest.mark.parametrize(("dim", "T"), [(20, 1.0), (12, 3.0), (5, 0.3)])
def test_the_mean_flip_error_of_one_sample_is_the_closed_form(dim, T):
    """Within five standard errors, 500 networks; at m = d² T² it tends to −.098 d."""
    case = ones(dim, T, num_steps=3)
    before, after = train_ensemble(case, np.random.default_rng(1), 500).outputs
    errors = (after - before) / T - case.f_b
    assert abs(errors.mean() - exact_mean(case)) < 5 * errors.std(ddof=1) / math.sqrt(500)
    if dim == 20:
        assert exact_mean(case) == pytest.approx(-0.107 * 20, rel=0.01)
        assert exact_mean(ones(20_000)) == pytest.approx(
            -math.atan(0.5**0.5) / (2 * math.pi) * 20_000, rel=1e-3
        )
        # And to first order in 1/√m.
        wide = ones(dim, T, width=10**10)
        assert exact_mean(wide) == pytest.approx(-(21**2) / (2 * math.pi * math.sqrt(2) * 1e5), rel=1e-6)


def test_with_one_relu_sample_descent_is_the_flow():
    """Outputs after 1 step and after 64 agree to rounding: the closed form needs no small steps."""
    one, many = (
        train_ensemble(ones(6, num_steps=steps), np.random.default_rng(0), 20).outputs[1] for steps in (1, 64)
    )
    np.testing.assert_allclose(one, many, rtol=0, atol=1e-11)


# The published form -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_published_form_with_constant_one_is_refuted(seed):
    result = falsify(published_form(), seed=seed, budget=NARROW)
    assert result.verdict == "violated"
    case, numbers = result.instance, result.measurement
    assert numbers.lower > 0
    assert numbers.n == 400
    assert abs(numbers.measured) > numbers.bound == 1.0
    assert numbers.excess == pytest.approx(abs(numbers.measured) - 1, rel=1e-12)
    # The hypotheses: norms, the width by a hair, T and the steps.
    assert (np.sum(case.X**2, axis=1) <= case.dim * (1 + 1e-15)).all()
    assert case.z @ case.z <= case.dim * (1 + 1e-15)
    assert case.dim**2 * case.T**2 < case.width <= case.dim**2 * case.T**2 + 1
    assert case.T >= 1
    assert case.num_steps >= 32
    # Shrunk, and to where the closed form says that it is no accident.
    assert complexity(case) < complexity(result.found)
    assert case.N == 1
    assert case.negative_slope == 0
    assert np.array_equal(case.X[0], case.z)
    assert abs(exact_mean(case)) > 1
    assert case.dim >= 9  # the smallest d at which the closed form with γ = 0 exceeds 1
    # With another seed and error probability.
    again = measure(
        result.inequality, case, num_initialisations=1000, seed=999 + seed, error_probability=1e-6
    )
    assert again.violated


def test_nine_is_the_smallest_dimension():
    """By the closed form, whatever T: what the search cannot resolve."""
    for T in (1.0, 3.0, 100.0):
        errors = [-exact_mean(ones(dim, T, width=round(dim**2 * T**2) + 1)) for dim in (8, 9)]
        assert errors[0] < 1 < errors[1]


def test_a_larger_margin_is_not_refuted_within_the_same_sizes():
    """At d ≤ 22 the closed form is below 2.4; a margin of 4 is not reached, which is no proof of it."""
    result = falsify(published_form(margin=4.0), seed=0, budget=replace(NARROW, evaluations=40))
    assert result.verdict == "not found"
    assert result.instance is not None
    assert result.measurement.excess < 0


def test_a_search_is_repeated_by_its_seed():
    first, again = (falsify(displacement_bound(factor=0.8), seed=1, budget=SMALL) for _ in range(2))
    assert first.measurement == again.measurement
    assert str(first) == str(again)
    assert np.array_equal(first.instance.X, again.instance.X)


# What is derived here ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [displacement_bound, free_share_law])
@pytest.mark.parametrize("seed", range(8))
def test_ours_are_not_refuted(make, seed):
    """Probability to fail: below 0.001 each for the law of a mean, none for the displacement."""
    result = falsify(make(), seed=seed, budget=SMALL, error_probability=ERROR)
    assert result.verdict == "not found"
    assert result.evaluations == SMALL.evaluations
    assert result.failed < SMALL.evaluations / 4
    # The search came close: both are tight.
    assert result.measurement.excess > -1e-9


@pytest.mark.parametrize("make", [displacement_bound, free_share_law])
@pytest.mark.parametrize("seed", range(2))
def test_ours_with_a_smaller_constant_are_refuted(make, seed):
    result = falsify(make(factor=0.8), seed=seed, budget=SMALL)
    assert result.verdict == "violated"
    assert (result.instance.N, result.instance.dim) == (1, 1)


@pytest.mark.parametrize("delta", [0.05, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_margin_theorem_is_not_refuted(seed, delta):
    """Probability to fail: below 1e-6 each, from the exact limit of a probability."""
    result = falsify(margin_theorem(delta=delta), seed=seed, budget=SMALL, error_probability=1e-6)
    assert result.verdict == "not found"
    assert result.failed < SMALL.evaluations / 4


def test_the_margin_theorem_is_as_loose_as_measured():
    """A tenth of the bound is crossed too often; the search says where."""
    result = falsify(margin_theorem(factor=0.1), seed=0, budget=SMALL, error_probability=1e-6)
    assert result.verdict == "violated"
    case = result.instance
    limit = theory.margin_bound(case.Z, X=case.X, y=case.y, setting=case.setting, delta=0.1).value[0]
    assert result.measurement.bound == pytest.approx(0.1 * limit, rel=1e-12)
    assert result.inequality.recipe == "margin_theorem(factor=0.1, delta=0.1)"


def test_the_margin_theorem_refuses_bad_constants():
    with pytest.raises(ValueError, match="factor must be > 0, got 0"):
        margin_theorem(factor=0.0)
    with pytest.raises(ValueError, match=r"delta must lie in \(0, 1\), got 0"):
        margin_theorem(delta=0.0)


def test_a_bound_of_the_velocity_is_added_in_three_lines():
    """E[error²] is at most the variance; Chebyshev is right, a tenth of it wrong."""

    def deviation(case):
        # f(z; 0)/T and, one neuron bounded by κ² α⁴, three times κ²/m, flips included with a factor 4.
        initial = theory.initial_deviation(case.Z, negative_slope=case.negative_slope)[0] / case.T
        return initial + 4 * math.sqrt(3 / case.width) * theory.kappa(case.Z, X=case.X)[0] + flips(case)

    def flips(case):
        # The mean: at most 2 κ, as φ' changes by at most 1.
        return 2 * theory.kappa(case.Z, X=case.X)[0]

    def inequality(factor):
        return velocity_bound(
            lambda case: factor * deviation(case) / math.sqrt(0.1), delta=0.1, name="Chebyshev", statement="…"
        )

    assert falsify(inequality(1.0), seed=0, budget=SMALL).verdict == "not found"
    assert falsify(inequality(0.1), seed=0, budget=SMALL).verdict == "violated"


# Statistics -------------------------------------------------------------------------------------------


def noise(mean=0.0, *, delta=None, bound=0.0, n=16):
    """Return an inequality about a normal variable that no instance changes."""
    return Inequality(
        name="noise",
        statement="…",
        measure=lambda case, rng, count: (rng.normal(mean, 1, count), bound),
        delta=delta,
        num_initialisations=n,
    )


def test_a_search_does_not_claim_noise():
    """100 searches of 50 tries at an edge, E measured = 0 = bound, error probability 0.2 each."""
    budget = Budget(evaluations=50, restarts=2, shrinks=5)
    results = [falsify(noise(n=64), seed=seed, budget=budget, error_probability=0.2) for seed in range(100)]
    claims = sum(result.verdict == "violated" for result in results)
    # Probability to fail: 1e-6, by the exact test.
    assert stats.binomtest(claims, 100, 0.2, alternative="greater").pvalue > 1e-6
    # Without fresh seeds nearly every search would have claimed something.
    naive = [
        max(
            measure(
                noise(n=64), instance(), num_initialisations=16, seed=100 * seed + i, error_probability=0.2
            ).lower
            for i in range(50)
        )
        for seed in range(20)
    ]
    assert sum(lower > 0 for lower in naive) >= 19


@pytest.mark.parametrize(
    ("mean", "bound", "violated"), [(0.3, 0.1, True), (-0.3, 0.1, True), (0.3, 0.3, False)]
)
def test_a_mean_is_judged_by_its_interval(mean, bound, violated):
    result = measure(
        noise(mean, bound=bound), instance(), num_initialisations=2000, seed=0, error_probability=1e-6
    )
    values = np.random.default_rng(0).normal(mean, 1, 2000)
    interval = stats.t.interval(1 - 1e-6, 1999, abs(values.mean()), values.std(ddof=1) / math.sqrt(2000))
    assert result.violated == violated
    assert result.lower == pytest.approx(interval[0] - bound, abs=1e-12)
    assert result.crossed == np.sum(np.abs(values) > bound)


def rare(share, *, support=(0.0, 1.0)):
    """Return the inequality E measured ≤ share for a variable that is 1 with that probability, else 0."""
    return Inequality(
        name="rare",
        statement="…",
        measure=lambda case, rng, count: ((rng.random(count) < share).astype(float), share),
        support=support,
    )


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.999])
def test_the_limit_of_a_bounded_mean_is_valid_and_useful(share):
    """Above the mean in at most a tenth of 500 samples; probability to fail 1e-9, by the exact test."""
    lowers = [
        measure(rare(share), instance(), num_initialisations=100, seed=seed, error_probability=0.2).lower
        for seed in range(500)
    ]
    wrong = sum(lower > 0 for lower in lowers)
    assert stats.binomtest(wrong, 500, 0.1, alternative="greater").pvalue > 1e-9
    assert np.median(lowers) > -0.03 - 3 * math.sqrt(share * (1 - share) / 100)


def test_student_does_not_judge_what_is_nearly_constant():
    """The false claim that a search for a violation of the free-share law once made: 400 ones, mean .999."""
    options = {"num_initialisations": 400, "error_probability": ERROR}
    results = [measure(rare(0.999), instance(), seed=seed, **options) for seed in range(20)]
    assert any(result.measured == 1 for result in results)
    assert not any(result.violated for result in results)
    without = [measure(rare(0.999, support=None), instance(), seed=seed, **options) for seed in range(20)]
    assert [result.lower for result in without if result.measured == 1].count(-math.inf) >= 1
    assert not any(result.violated for result in without)


def test_values_outside_the_support_are_unknown():
    result = measure(
        rare(0.5, support=(0.0, 0.9)), instance(), num_initialisations=50, seed=0, error_probability=0.1
    )
    assert math.isnan(result.lower)
    assert math.isnan(result.excess)
    negative = replace(
        rare(0.5, support=(-1.0, 0.0)),
        measure=lambda case, rng, n: (-(rng.random(n) < 0.9).astype(float), 0.5),
    )
    assert measure(negative, instance(), num_initialisations=400, seed=0, error_probability=0.1).violated


@pytest.mark.parametrize(("delta", "violated"), [(0.05, True), (0.1, False), (0.2, False)])
def test_a_probability_is_judged_by_its_interval(delta, violated):
    """|normal| is beyond 1.645 with probability 0.1; failure probability 1e-6 each."""
    result = measure(
        noise(delta=delta, bound=stats.norm.isf(0.05)),
        instance(),
        num_initialisations=4000,
        seed=0,
        error_probability=1e-6,
    )
    assert result.violated == violated
    share = stats.binomtest(result.crossed, 4000).proportion_ci(1 - 2e-6, method="exact").low
    assert result.lower == pytest.approx(share - delta, abs=1e-9)
    # At the (1 − δ)-quantile.
    assert (result.excess > 0) == (result.crossed > delta * 4000)


def test_always_means_always():
    """One crossing among many is enough; none is not."""
    inequality = noise(delta=0.0, bound=4.0)
    options = {"num_initialisations": 20_000, "error_probability": ERROR}
    seeds = [measure(inequality, instance(), seed=seed, **options) for seed in range(8)]
    assert [result.violated for result in seeds] == [result.crossed > 0 for result in seeds]
    assert any(result.violated for result in seeds)
    assert not all(result.crossed > 10 for result in seeds)


def test_initialisations_are_counted_across_parts():
    parts = []

    def value(case, rng, count):
        parts.append(count)
        return np.zeros(count), 1.0

    inequality = Inequality(name="parts", statement="…", measure=value)
    wide = instance(width=400_000)
    result = measure(inequality, wide, num_initialisations=10, seed=0, error_probability=0.1)
    assert (sum(parts), result.n) == (10, 10)
    assert len(parts) > 1


def test_nan_is_unknown_and_never_a_violation():
    for values, bound in [(np.nan, 0.0), (1.0, np.nan), (np.inf, 0.0)]:
        for delta in (None, 0.0):
            inequality = Inequality(
                name="nan",
                statement="…",
                measure=lambda case, rng, count, v=values, b=bound: (np.full(count, v), b),
                delta=delta,
            )
            with np.errstate(invalid="ignore"):
                result = measure(inequality, instance(), num_initialisations=9, seed=0, error_probability=0.1)
            assert math.isnan(result.lower)
            assert not result.violated
            search = falsify(inequality, seed=0, budget=Budget(evaluations=5))
            assert (search.verdict, search.instance, search.failed) == ("unknown", None, 5)


def test_networks_that_are_too_wide_or_diverge_are_unknown():
    result = falsify(published_form(constant=1e9), seed=0, budget=Budget(evaluations=10))
    assert (result.verdict, result.failed) == ("unknown", 10)

    def diverge(case, rng, count):
        raise FloatingPointError

    inequality = Inequality(name="diverges", statement="…", measure=diverge)
    assert falsify(inequality, seed=0, budget=Budget(evaluations=10)).verdict == "unknown"


# Instances --------------------------------------------------------------------------------------------


def test_moves_stay_within_the_budget_and_change_everything():
    rng, budget = np.random.default_rng(0), Budget(max_dim=5, max_samples=3, max_width=64)
    seen = set()
    case = random_instance(rng, budget)
    for _ in range(4000):
        case = moved(case, rng, budget) if rng.random() < 0.9 else random_instance(rng, budget)
        assert case.N <= 3
        assert case.dim <= 5
        assert case.width <= 64
        seen.add((case.N, case.dim, case.negative_slope > 0, case.num_steps))
    assert len(seen) == 3 * 5 * 2 * 3


def test_what_is_simpler_than_the_simplest_is_nothing():
    """Shrinking ends: no proposal is below one sample, z = x = 1, m = 1, one step."""
    least = Instance(X=np.ones((1, 1)), y=np.ones(1), z=np.ones(1), T=1.0, width=1, num_steps=1)
    assert not [other for other in simpler(least) if complexity(other) < complexity(least)]
    assert [other for other in simpler(instance()) if complexity(other) < complexity(instance())]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"z": np.ones((1, 2))}, r"z must have shape \(d,\), got \(1, 2\)"),
        ({"z": np.ones(3)}, "z must have 2 columns"),
        ({"X": np.ones(2)}, r"X must have shape \(n, d\)"),
        ({"y": np.ones(3)}, r"y must have shape \(2,\)"),
        ({"T": 0.0}, "T must be > 0, got 0"),
        ({"width": 0}, "width must be >= 1, got 0"),
        ({"negative_slope": 1.0}, "negative_slope must lie in"),
        ({"num_steps": 0}, "num_steps must be >= 1, got 0"),
        ({"momentum": 1.0}, "momentum must lie in"),
    ],
)
def test_an_instance_rejects_bad_fields(changes, match):
    with pytest.raises(ValueError, match=match):
        instance(**changes)


def test_other_bad_input_is_refused():
    options = {"num_initialisations": 9, "seed": 0, "error_probability": 0.1}
    for changes, match in [
        ({"num_initialisations": 1}, "num_initialisations must be >= 2, got 1"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"error_probability": 1.0}, r"error_probability must lie in \(0, 1\), got 1.0"),
    ]:
        with pytest.raises(ValueError, match=match):
            measure(noise(), instance(), **(options | changes))
    with pytest.raises(ValueError, match=r"delta must lie in \[0, 1\), got 1"):
        noise(delta=1)
    with pytest.raises(ValueError, match=r"support must be an interval .*, got \(1.0, 0.0\)"):
        rare(0.5, support=(1.0, 0.0))
    with pytest.raises(ValueError, match="num_initialisations must be >= 16, got 15"):
        noise(n=15)
    with pytest.raises(ValueError, match="restarts must be >= 1, got 0"):
        Budget(restarts=0)
    with pytest.raises(ValueError, match="shrinks must be >= 0, got -1"):
        Budget(shrinks=-1)
    with pytest.raises(ValueError, match="margin must be > 0, got 0"):
        published_form(margin=0.0)
    with pytest.raises(ValueError, match="error_probability must lie in"):
        falsify(noise(), seed=0, error_probability=0.0)


# The file ---------------------------------------------------------------------------------------------


def execute(path, *arguments):
    return warm.run(
        [sys.executable, "-W", "error", path, *arguments],
        capture_output=True,
        text=True,
        cwd=path.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        timeout=100,
        check=False,
    )


def test_a_counter_example_is_a_file_that_reproduces_it(tmp_path):
    result = falsify(published_form(), seed=1, budget=NARROW)
    path = tmp_path / "new" / "counter_example.py"
    write_counter_example(result, path)
    done = execute(path)
    assert done.stderr == ""
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == result.inequality.statement
    # Bit for bit the measurement of the claim, in the same order.
    assert lines[1:-1] == str(result).splitlines()[2:-1]
    assert lines[1].startswith(f"measured {result.measurement.measured:+.6g}")
    assert lines[3].startswith(f"excess   {result.measurement.excess:+.6g}")
    assert lines[-1] == "violated"
    # In networks a hundred times as wide nothing is violated, and the file says so.
    text = path.read_text(encoding="utf-8")
    wide = path.with_name("wide.py")
    line = f"    width={result.instance.width},\n"
    assert line in text
    wide.write_text(
        text.replace(line, "    width=20_000,\n").replace("num_initialisations=400", "num_initialisations=20")
    )
    done = execute(wide, "5")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "not reproduced"


def test_only_a_counter_example_with_a_recipe_is_written(tmp_path):
    path = tmp_path / "counter_example.py"
    nothing = falsify(displacement_bound(), seed=0, budget=Budget(evaluations=5))
    with pytest.raises(
        ValueError, match="falsification must have a counter-example, got the verdict 'not found'"
    ):
        write_counter_example(nothing, path)
    unnamed = falsify(noise(9.0), seed=0, budget=Budget(evaluations=5))
    assert unnamed.verdict == "violated"
    with pytest.raises(ValueError, match=r"inequality must have a recipe to be written, got none \(noise\)"):
        write_counter_example(unnamed, path)
    assert not path.exists()
