"""The published sweeps: readings as in the file, points as published, sizes by the stated rules."""

import csv
import lzma
import math
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from empirics.campaigns import readings
from empirics.campaigns.orthogonal import SERIES, SWEEPS, Part
from empirics.orthogonal import OrthogonalConfig, run_orthogonal
from empirics.sweep import records
from theory.orthogonal import limit_perturbations
from theory.orthogonal.perturbations import NORMS

DOCS = Path(__file__).parents[3] / "docs"


def sweep_of(norm, sweep, *, series="adversarial", seeds=1, scale=1, rule="signal", **options):
    """Return the points of one series of a published sweep."""
    part = Part(
        kind="published", name=norm, sweeps=(sweep,), seeds=seeds, scale=scale, rule=rule, options=options
    )
    return [point for point in part.points() if point.series == series]


def study(name, seeds=1, **options):
    return Part(kind="study", name=name, seeds=seeds, options=options).points()


def test_readings_are_those_of_the_figures():
    found = {key: reading for key, reading in readings().items() if key[0].startswith("paperB")}
    assert len(found) == 2 * 68
    adversarial, control = "acc_adversarial_on_natural", "acc_noise_baseline"
    assert found["paperB_L2_uniform", "N_adv", 100.0, adversarial].value == 0.658
    assert found["paperB_L0_uniform", "d", 10_000.0, adversarial].value == 0.934
    assert found["paperB_L2_uniform", "d", 1000.0, control].value == 0.503
    assert all(0.4 < reading.value <= 1 and reading.error > 0 for reading in found.values())


@pytest.mark.parametrize("norm", NORMS)
def test_every_point_was_published_with_both_series(norm):
    part = Part(kind="published", name=norm, scale=1, seeds=1)
    assert {part.reading(point) is None for point in part.points()} == {norm == "Linf"}


@pytest.mark.parametrize("rule", ["signal", "per-root"])
@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("norm", NORMS)
def test_a_smaller_size_keeps_what_its_rule_says(norm, sweep, rule):
    full = {point.x: point for point in sweep_of(norm, sweep)}
    for point in sweep_of(norm, sweep, scale=20, rule=rule):
        small, large = point.configs[0], full[point.x].configs[0]
        assert small.dim / small.num_train == large.dim / large.num_train
        assert small.num_adv == (large.num_adv // 20 if rule == "signal" else large.num_adv)
        ratio = _length(small) / _length(large) * (1 if rule == "signal" else math.sqrt(20))
        assert ratio == pytest.approx(1, rel=1e-5)  # six digits are written


def _length(config):
    """Return the length of a perturbation of 0 along quantiles of |normal|, in the box of an L0 attack."""
    s = stats.halfnorm.ppf((np.arange(config.dim) + 0.5) / config.dim)
    asked = {**config.perturbation, "box": config.box if config.norm == "L0" else None}
    return np.linalg.norm(limit_perturbations(np.zeros((1, config.dim)), s, [1], steps="published", **asked))


def test_the_length_of_an_l0_perturbation_is_that_of_its_coordinates():
    # At full size all but the last of 500 coordinates end at the box: ρ is near √500, and for ε = .001
    # k = 10 have moved .3 (11 − j) s_(j)/s_(1), cut at 1.
    full = {point.x: point.configs[0] for point in sweep_of("L0", "eps")}
    assert 0.98 * math.sqrt(500) < _length(full[0.05]) < math.sqrt(500)
    top = stats.halfnorm.ppf((np.arange(10_000)[::-1][:10] + 0.5) / 10_000)
    steps = np.minimum(0.3 * np.arange(10, 0, -1) * top / top[0], 1)
    assert _length(full[0.001]) == pytest.approx(np.linalg.norm(steps), rel=1e-12)


def test_the_full_size_is_the_published_base():
    config = sweep_of("L2", "d", seeds=2)[-1].configs[1]
    assert (config.dim, config.num_train, config.num_adv, config.epsilon) == (10_000, 1000, 10_000, 0.78)
    assert (config.seed, config.negative_slope, config.attack, config.box) == (1, 0.01, "published", 1.0)
    controls = sweep_of("L0", "eps", seeds=2, series="control")
    assert controls[0].configs[1].attack == "none"
    assert len({config for p in controls for config in p.configs}) == 2  # ε does not act
    sizes = sweep_of("L0", "eps", seeds=2)
    assert len({config for p in sizes for config in p.configs}) == 2 * len(sizes)
    # ε/√d is kept along the published sweep over d, up to two digits.
    for point in sweep_of("L2", "d"):
        assert point.configs[0].epsilon == pytest.approx(0.0078 * math.sqrt(point.x), rel=0.03)


def test_points_too_small_for_the_scale_are_left_out():
    found = [point.x for point in sweep_of("L2", "N_adv", scale=1000)]
    assert found == [1000, 1500, 2500, 5000, 7500, 10_000]
    # No coordinate of d = 500 to move below ε = 1/500.
    for options in ({}, {"amplitude": 2.0}):
        part = Part(kind="published", name="L0", sweeps=("eps",), scale=20, options=options)
        assert [point.x for point in part.points() if point.series == "adversarial"][:2] == [0.002, 0.004]


def test_the_reduced_curve_follows_the_published_one():
    # d = 100, N = 10, 20 seeds: 200 samples a point, standard error at most .036; published readings ± .006.
    # The score is kept, not its corrections; five standard errors and .02 for those.
    options = {"max_steps": 400, "width": 6, "negative_slope": 0.5}
    part = Part(kind="published", name="L2", sweeps=("N_adv",), scale=100, seeds=20, options=options)
    accuracies = []
    for point in part.points():
        if point.series == "control" or point.x not in {500, 2500}:
            continue
        share = np.mean([row["accuracy_g"] for row in records(part.experiment(), point.configs)])
        published = part.reading(point).value
        error = math.sqrt(published * (1 - published) / 200)
        assert share == pytest.approx(published, abs=5 * error + 0.02)
        accuracies.append(share)
    assert accuracies[1] > accuracies[0] + 0.05


@pytest.mark.parametrize(
    ("norm", "epsilon", "c"),
    [
        ("L2", 0.5, 1.0),
        ("Linf", 0.012, math.sqrt(2 / math.pi)),
        ("L0", 0.05, 2 * stats.norm.pdf(stats.norm.isf(0.025)) / 0.05),
    ],
)
def test_the_stated_score_is_that_of_nearly_orthogonal_samples(norm, epsilon, c):
    # (15.12), for perturbations along s itself, its signs, and signs of the largest.  20 seeds × 20 samples:
    # standard error of the share .020 at .8; five of them, which for the binomial at .81 is a two-sided
    # probability below 1e-6, the cross terms (√(N/d) = .1) left out.
    dim, count, amplitude = 2000, 20, 0.1
    config = OrthogonalConfig(
        dim=dim,
        num_train=count,
        num_adv=count,
        epsilon=epsilon,
        norm=norm,
        amplitude=amplitude,
        f="limit",
        g="limit",
        attack="limit",
        num_test=5,
    )
    shares = [run_orthogonal(replace(config, seed=seed)).record["accuracy_mean_g"] for seed in range(20)]
    moved = epsilon * dim if norm == "L0" else dim
    length = {"L2": epsilon, "Linf": epsilon * math.sqrt(dim), "L0": amplitude * math.sqrt(moved)}[norm]
    score = c * math.sqrt(moved / count) / math.sqrt(1 + dim / 3 / (count * length**2))
    expected = stats.norm.cdf(score)
    assert 0.7 < expected < 0.85
    assert np.mean(shares) == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / 400))


def test_studies_vary_what_they_say():
    points = study("turning", dim=50, num_train=4, counts=(2, 5, 2), seeds=3, width=4)
    assert [(point.series, point.x) for point in points] == [
        ("trained", 2),
        ("trained", 5),
        ("limit", 2),
        ("limit", 5),
    ]
    assert all(config.num_adv == point.x for point in points for config in point.configs)
    assert {config.attack for config in points[0].configs} == {"gradient"}
    assert {(config.f, config.g) for config in points[-1].configs} == {("limit", "limit")}
    points = study("orthogonality", dim=20, ratios=(0.01, 0.1, 0.5), slopes=(0.3, 0.3000001, 0.3), seeds=2)
    assert [(point.series, point.x) for point in points] == [
        ("slope 0.3", 0.1),
        ("slope 0.3", 0.5),
        ("slope 0.3000001", 0.1),
        ("slope 0.3000001", 0.5),
    ]  # .01 · 20 and .1 · 20 are both two samples
    assert [config.seed for config in points[0].configs] == [0, 1]
    assert {config.g for point in points for config in point.configs} == {"none"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "other"}, "kind must be one of published, study, data"),
        ({"name": "L1"}, "published must be one of L2, Linf, L0, got 'L1'"),
        ({"sweeps": ("m",)}, "sweeps must be one of d, N, N_adv, eps"),
        ({"sweeps": ("N", "N")}, "sweeps must name at least one, each once, got N,N"),
        ({"rule": "both"}, "rule must be one of signal, per-root"),
        ({"scale": 0}, "scale must be >= 1, got 0"),
        ({"scale": 20_000, "sweeps": ("N",)}, "scale must leave at least one sample"),
        (
            {"name": "L0", "scale": 1000},
            "scale must leave at least .* one coordinate to move for L0, got 1000",
        ),
        ({"seeds": 0}, "seeds must be >= 1, got 0"),
        ({"options": {"dim": 3}}, "'dim' is set by what is run"),
        ({"options": {"breadth": 3}}, "'breadth' is no field"),
        ({"options": {"width": 3}}, "width must be even"),
        ({"kind": "data"}, "sizes must be those of the data, dim, num_train"),
        ({"kind": "study"}, "study must be one of turning, orthogonality"),
        ({"kind": "study", "name": "turning", "options": {"counts": []}}, "counts must have at least one"),
        ({"kind": "study", "name": "turning", "options": {"ratios": [1]}}, "'ratios' is no field"),
        *(
            ({"kind": "study", "name": "orthogonality", "options": options}, message)
            for options, message in (
                ({"ratios": [0.0]}, "ratios must be > 0, got 0"),
                ({"slopes": [0.0]}, r"negative_slope must lie in \(0, 1\)"),
                ({"slopes": []}, "slopes must have at least one number, got none"),
            )
        ),
    ],
)
def test_bad_parts_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Part(**{"kind": "published", "name": "L2", **fields})


def digits(value):
    return f"{value:.3f}".removeprefix("0")


def accuracies_of(norm):
    """Return those of g in the runs that are kept, by sweep, x and scale."""
    accuracies = defaultdict(list)
    with lzma.open(DOCS / "data" / f"{norm}.csv.xz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["series"] == "adversarial":
                accuracies[row["sweep"], float(row["x"]), row["scale"]].append(float(row["accuracy_g"]))
    return accuracies


def published(norm, sweep, x):
    """Return the reading, None where there is none."""
    return readings().get((f"paperB_{norm}_uniform", sweep, x, SERIES["adversarial"]))


@pytest.mark.parametrize(("norm", "scales"), [("L0", "5 1"), ("L2", "20 10"), ("Linf", "20")])
def test_the_documented_table_is_that_of_the_runs(norm, scales):
    def cell(values):
        return f"{digits(np.mean(values))} ({digits(min(values))} to {digits(max(values))})" if values else ""

    accuracies, text = accuracies_of(norm), (DOCS / "results.md").read_text(encoding="utf-8")
    points = {key[:2] for key in accuracies}
    assert {sweep for sweep, _ in points} == set(SWEEPS)
    for sweep, x in points:
        reading = published(norm, sweep, x)
        cells = ["" if reading is None else digits(reading.value)]
        cells += [cell(accuracies[sweep, x, scale]) for scale in scales.split()]
        line = f"| {'ε' if sweep == 'eps' else sweep} = {x:g} | {' | '.join(cells)} |\n".replace(
            "|  |", "| |"
        )
        assert line in text


def test_the_documented_tables_have_no_other_rows():
    lines = re.findall(
        r"^\| (?:ε|d|N|N_adv) = ", (DOCS / "results.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(lines) == sum(len({key[:2] for key in accuracies_of(norm)}) for norm in ("L0", "L2", "Linf"))


@pytest.mark.parametrize(
    ("norm", "scale", "most", "largest", "mean", "within"),
    [
        ("L0", "5", {"eps": 0.02, "d": 0, "N": 0, "N_adv": 0}, 0.026, 0.003, (5, 30)),
        ("L2", "20", None, 0.075, 0.023, (13, 27)),
        ("L2", "10", None, 0.032, 0.019, (3, 5)),
        ("L2", "20", {"eps": 0, "d": 0, "N": 10_000, "N_adv": 10_000}, 0.037, 0.017, (13, 27)),
    ],
)
def test_distances_from_published_values_are_those_that_the_page_says(
    norm, scale, most, largest, mean, within
):
    ends = {("d", 10_000), ("N", 1000), ("N_adv", 10_000)}  # the point that ends the sweep over ε, too
    runs = {key[:2]: of for key, of in accuracies_of(norm).items() if key[2] == scale and key[:2] not in ends}
    read = {point: published(norm, *point) for point in runs}
    gaps = [
        np.mean(runs[point]) - read[point].value
        for point in runs
        if most is None or most[point[0]] >= point[1]
    ]
    assert -1e-9 < largest - np.abs(gaps).max() < 1e-3  # rounded up, but for rounding of decimals
    assert digits(np.mean(gaps)) == digits(mean)
    inside = [
        min(runs[point]) - one.error <= one.value <= max(runs[point]) + one.error
        for point, one in read.items()
    ]
    assert (sum(inside), len(inside)) == within
