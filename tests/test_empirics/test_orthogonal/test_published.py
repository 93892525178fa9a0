"""The published sweeps: readings as in the file, points as published, sizes by the stated rules."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from empirics.orthogonal import (
    OrthogonalConfig,
    orthogonality_study,
    published_sweep,
    readings,
    records,
    run_orthogonal,
    turning_study,
)

NORMS, SWEEPS = ("L2", "Linf", "L0"), ("d", "N", "N_adv", "eps")


def test_readings_are_those_of_the_figures():
    found = readings()
    assert len(found) == 2 * 68
    assert found["L2", "N_adv", 100.0, "adversarial"].value == 0.658
    assert found["L0", "d", 10_000.0, "adversarial"].value == 0.934
    assert found["L2", "d", 1000.0, "control"].value == 0.503
    assert all(0.4 < reading.value <= 1 and reading.error > 0 for reading in found.values())


@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("norm", ["L2", "L0"])
def test_every_point_was_published_with_both_series(norm, sweep):
    for point in published_sweep(norm, sweep, scale=1, num_seeds=1):
        assert point.published("adversarial") is not None
        assert point.published("control") is not None
    assert published_sweep("Linf", "d", num_seeds=1)[0].published("adversarial") is None


@pytest.mark.parametrize("rule", ["signal", "per-root"])
@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("norm", NORMS)
def test_a_smaller_size_keeps_what_its_rule_says(norm, sweep, rule):
    full = {point.x: point for point in published_sweep(norm, sweep, scale=1, num_seeds=1)}
    for point in published_sweep(norm, sweep, scale=20, rule=rule, num_seeds=1):
        small, large = point.adversarial[0], full[point.x].adversarial[0]
        assert small.dim / small.num_train == large.dim / large.num_train
        assert small.num_adv == (large.num_adv // 20 if rule == "signal" else large.num_adv)
        ratio = (_length(small) / _length(large)) ** 2 * (1 if rule == "signal" else 20)
        # L0 rounds the number of coordinates up; ε is written with six digits.
        most = 1 + 1 / (small.epsilon * small.dim) if norm == "L0" else 1 + 1e-5
        assert 1 - 1e-5 <= ratio <= most


def _length(config):
    if config.norm == "L0":
        return config.amplitude * math.sqrt(math.ceil(config.epsilon * config.dim - 1e-9))
    return config.epsilon * (math.sqrt(config.dim) if config.norm == "Linf" else 1.0)


def test_the_full_size_is_the_published_base():
    point = published_sweep("L2", "d", scale=1, num_seeds=2, negative_slope=0.01)[-1]
    config = point.adversarial[1]
    assert (config.dim, config.num_train, config.num_adv, config.epsilon) == (10_000, 1000, 10_000, 0.78)
    assert (config.seed, config.negative_slope, config.attack) == (1, 0.01, "gradient")
    assert point.control[1].attack == "none"
    sizes = published_sweep("L0", "eps", scale=1, num_seeds=2)
    assert len({config for p in sizes for config in p.control}) == 2  # ε does not act
    assert len({config for p in sizes for config in p.adversarial}) == 2 * len(sizes)
    # ε/√d is kept along the published sweep over d.
    first = published_sweep("L2", "d", scale=1, num_seeds=1)[0].adversarial[0]
    assert first.epsilon == pytest.approx(0.78 / 10)


def test_points_too_small_for_the_scale_are_left_out():
    assert [point.x for point in published_sweep("L2", "N_adv", scale=1000, num_seeds=1)] == [
        1000,
        2500,
        5000,
        10_000,
    ]


def test_the_reduced_curve_follows_the_published_one():
    # d = 100, N = 10, 20 seeds: 200 samples a point, standard error at most .036; published readings ± .006.
    # The score is kept, not its corrections; five standard errors and .02 for those.
    points = [
        point
        for point in published_sweep("L2", "N_adv", scale=100, num_seeds=20, max_steps=400, width=6)
        if point.x in (500, 2500)
    ]
    accuracies = []
    for point in points:
        rows = records(point.adversarial)
        share = np.mean([row["accuracy_g"] for row in rows])
        published = point.published("adversarial").value
        error = math.sqrt(published * (1 - published) / 200)
        assert share == pytest.approx(published, abs=5 * error + 0.02)
        accuracies.append(share)
    assert accuracies[1] > accuracies[0] + 0.05


@pytest.mark.parametrize(
    ("norm", "epsilon", "factor"), [("L2", 0.5, 1.0), ("Linf", 0.012, math.sqrt(2 / math.pi))]
)
def test_the_stated_score_is_that_of_nearly_orthogonal_samples(norm, epsilon, factor):
    # 20 seeds × 20 samples: standard error of the share .020 at .8; five of them, which for the binomial
    # at .81 is a two-sided probability below 1e-6, the cross terms (√(N/d) = .1) left out.
    config = OrthogonalConfig(
        dim=2000, num_train=20, num_adv=20, epsilon=epsilon, norm=norm, f="limit", g="limit", attack="limit"
    )
    shares = [
        run_orthogonal(replace(config, seed=seed, num_test=5)).record["accuracy_mean_g"] for seed in range(20)
    ]
    length = epsilon * (math.sqrt(2000) if norm == "Linf" else 1.0)
    expected = stats.norm.cdf(factor * length * math.sqrt(3))
    assert 0.7 < expected < 0.85
    assert np.mean(shares) == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / 400))


def test_studies_vary_what_they_say():
    points = turning_study(dim=50, num_train=4, counts=(2, 5), num_seeds=3, width=4)
    assert [(point.series, point.x) for point in points] == [
        ("trained", 2),
        ("trained", 5),
        ("limit", 2),
        ("limit", 5),
    ]
    assert all(config.num_adv == point.x for point in points for config in point.configs)
    assert {config.attack for config in points[0].configs} == {"gradient"}
    assert {(config.f, config.g) for config in points[-1].configs} == {("limit", "limit")}
    points = orthogonality_study(dim=20, ratios=(0.01, 0.1, 0.5), slopes=(0.3, 0.8), num_seeds=2)
    assert [(point.series, point.x) for point in points] == [
        ("slope 0.3", 0.1),
        ("slope 0.3", 0.5),
        ("slope 0.8", 0.1),
        ("slope 0.8", 0.5),
    ]  # .01 · 20 and .1 · 20 are both two samples
    points = orthogonality_study(dim=20, ratios=(0.5,), slopes=(0.3, 0.3000001, 0.3), num_seeds=2)
    assert [point.series for point in points] == ["slope 0.3", "slope 0.3000001"]
    assert [point.x for point in turning_study(counts=(2, 2, 5), num_seeds=1)] == [2, 5, 2, 5]
    assert [config.seed for config in points[0].configs] == [0, 1]
    assert {config.g for point in points for config in point.configs} == {"none"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: published_sweep("L1", "d"), "norm must be one of"),
        (lambda: published_sweep("L2", "m"), "sweep must be one of d, N, N_adv, eps"),
        (lambda: published_sweep("L2", "d", rule="both"), "rule must be one of signal, per-root"),
        (lambda: published_sweep("L2", "d", scale=0), "scale must be >= 1, got 0"),
        (lambda: published_sweep("L2", "d", num_seeds=0), "num_seeds must be >= 1, got 0"),
        (lambda: turning_study(num_seeds=0), "num_seeds must be >= 1, got 0"),
        (lambda: orthogonality_study(ratios=(0.0,)), "ratios must be > 0, got 0"),
        (lambda: orthogonality_study(ratios=()), "ratios must have at least one number, got none"),
        (lambda: turning_study(counts=()), "counts must have at least one number, got none"),
        (lambda: orthogonality_study(slopes=(0.0,)), r"negative_slope must lie in \(0, 1\)"),
    ],
)
def test_bad_arguments_get_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
