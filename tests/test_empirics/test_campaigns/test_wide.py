"""The published grid: its values, learning rates and flow times, and the readings beside it."""

import math
import tomllib
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from empirics import GaussianData, ShiftedGaussianData
from empirics.campaigns import Reading, campaign, readings
from empirics.campaigns.files import SIZES
from empirics.campaigns.orthogonal import SERIES
from empirics.campaigns.wide import BLOCKS, COSINE_FIGURES, METRICS, Part, cosine_reading
from empirics.measure import cosines
from empirics.wide import config_hash
from theory import flow_time, perturbation_direction, phi


def part(name, **options):
    return Part(kind="published", name=name, **options)


@pytest.mark.parametrize("name", [name for name in BLOCKS if campaign(name).figure])
def test_every_reading_is_a_point_of_its_block(name):
    chosen = part(name, seeds=1)
    known = {(point.sweep, float(point.x)) for point in chosen.points()}
    read = {(sweep, x) for figure, sweep, x, _ in readings() if figure == chosen.figure}
    assert read
    assert read <= known


def test_every_published_cosine_is_found_at_a_point_of_its_block():
    figures = {campaign(name).figure: name for name in BLOCKS if campaign(name).figure}
    assert figures.keys() == COSINE_FIGURES.keys()
    assert Counter(figure for figure, *_ in readings() if figure in figures).total() == 1041
    found = [
        cosine_reading(figure, point.sweep, point.x)
        for figure, name in figures.items()
        for point in part(name, seeds=1).points()
    ]
    published_ones = [key for key in readings() if key[3] == "cosine_similarity"]
    assert sum(reading is not None for reading in found) == len(published_ones) == 77
    assert cosine_reading("MSG_a", "T_f", 3) == Reading(0.5, 0.006)
    assert cosine_reading("MSG_a", "N", 10) is cosine_reading("", "d", 100) is None


def test_cosines_and_accuracies_were_published_of_the_same_experiments():
    """Accuracies of f in both figures agree up to the reading errors of both, at all 77 points."""
    found = readings()
    figures = {name: figure for figure, name in COSINE_FIGURES.items()}
    apart = []
    for (figure, sweep, x, series), reading in found.items():
        if figure == "cossim" and series == "acc_f":
            name, _, axis = sweep.partition(" ")
            other = found[figures[name], axis, x, "acc_f"]
            apart.append(abs(reading.value - other.value) - reading.error - other.error)
    assert len(apart) == 77
    assert max(apart) <= 0


@pytest.mark.parametrize("shared", [True, False], ids=["draws shared by all pairs", "draws of each pair"])
@pytest.mark.parametrize(
    ("data", "largest"),
    [
        (ShiftedGaussianData(dim=30, num_train=400, num_test=1, shift=0.3), 6e-5),
        (GaussianData(dim=400, num_train=400, num_test=1), 1.2e-3),
    ],
    ids=["shifted", "random labels"],
)
def test_monte_carlo_kernel_lowers_a_cosine_by_half_the_squared_error_across(data, largest, shared):
    """1000 draws; R deviates from u by a random part. Measured: 1e-5 to 3e-5, 3.7e-4, 1.04e-3.

    Fixed seeds; over draws the difference to the formula has a deviation of up to 3e-5 (measured).
    """
    dataset, rng, draws = data.load(seed=0), np.random.default_rng(0), 1000
    X, y = dataset.X, dataset.y
    N, dim = X.shape
    u = perturbation_direction(X=X, y=y, kind="paper", negative_slope=0.0)
    units = u / np.linalg.norm(u, axis=1, keepdims=True)
    if shared:
        active = (X @ rng.normal(size=(dim, draws)) / math.sqrt(dim) + rng.normal(size=draws) > 0) * 1.0
        sampled = active @ active.T / draws
    else:
        sampled = rng.binomial(draws, phi(X, negative_slope=0.0)) / draws
    u_hat = (sampled * y) @ X / N
    R = units + 0.3 * rng.normal(size=X.shape) / math.sqrt(dim)
    share = 1 - np.abs(cosines(R, u_hat)).mean() / np.abs(cosines(R, u)).mean()
    error = u_hat - u
    across = error - (error * units).sum(axis=1, keepdims=True) * units
    formula = ((across**2).sum(axis=1) / (2 * (u**2).sum(axis=1))).mean()
    assert abs(share - formula) < 1.5e-4
    assert formula > (1e-6 if largest < 1e-3 else 2e-4)  # the noise is there
    assert max(share, formula) < largest < min(r.error for k, r in readings().items() if k[0] == "cossim")


def test_readings_parse():
    found = readings()
    assert found["MSG_a", "d", 10.0, "acc_f"] == Reading(0.836, 0.012)
    assert found["MSG_a", "eps", 0.01, "acc_f"] == Reading(1.0, 0.014)  # written "~1.0"
    assert found["MSG_a", "m", 2.0, "acc_g"] == Reading(None, 0.011)  # written "<0.4"
    for (figure, _, x, series), reading in found.items():
        assert math.isfinite(x)
        assert 0 < reading.error < 0.1
        assert reading.value is None or 0 <= reading.value <= 1
        assert series in METRICS or figure == "cossim" or series in SERIES.values()


@pytest.mark.parametrize("solver", ["gd", "flow"])
def test_configurations_of_msg_a_are_460_a_seed(solver):
    """Four pairs of learning rates at 110 points, two at the 10 of T_f, whose f has one rate."""
    own = {"d": 9, "d_logistic": 9, "N": 31, "eps": 10, "m": 27, "slope": 4, "T_g": 19}  # without the base
    made = part("msg-a", solver=solver, seeds=1).points()
    hashes = {config_hash(config) for point in made for config in point.configs}
    assert len(hashes) == 4 * (1 + sum(own.values())) + 2 * 10 == 460
    assert len(part("msg-a", solver=solver, seeds=1).configs()) == len(hashes)


def test_points_have_all_pairs_of_learning_rates_and_seeds():
    (point,) = [p for p in part("msg-a", seeds=3, sweeps=("d",)).points() if p.x == 50]
    assert len(point.configs) == 4 * 3
    times = [flow_time(rate, 1000, momentum=0.9) for rate in (1.0, 0.1)]
    for config in point.configs:
        assert (config.data.dim, config.data.num_train, config.data.shift) == (50, 1000, 0.3)
        assert (config.solver, config.momentum, config.num_steps, config.num_steps_g) == (
            "gd",
            0.9,
            1000,
            1000,
        )
        assert config.epsilon == 0.007  # .001 √50 = .00707
    pairs = {(c.T_f, c.T_g, c.seed) for c in point.configs}
    assert pairs == {(f, g, seed) for f in times for g in times for seed in range(3)}


@pytest.mark.parametrize("solver", ["gd", "flow"])
@pytest.mark.parametrize(
    ("sweep", "rates_f", "rates_g"), [("T_f", [0.1], [1, 0.1]), ("T_g", [1, 0.1], [1, 0.1])]
)
def test_epochs_become_flow_times(solver, sweep, rates_f, rates_g):
    for point in part("msg-a", solver=solver, seeds=1, sweeps=(sweep,)).points():
        epochs = {"T_f": 1000, "T_g": 1000} | {sweep: int(point.x)}
        assert {c.T_f for c in point.configs} == {flow_time(r, epochs["T_f"], momentum=0.9) for r in rates_f}
        assert {c.T_g for c in point.configs} == {flow_time(r, epochs["T_g"], momentum=0.9) for r in rates_g}
        assert {c.momentum for c in point.configs} == {0.9 if solver == "gd" else 0.0}


def test_flow_time_of_published_epochs():
    """41.4, 910 and 9,910 per unit rate: the T of 10, 100 and 1000 epochs."""
    values = [flow_time(1.0, epochs, momentum=0.9) for epochs in (10, 100, 1000)]
    assert values == pytest.approx([41.4, 910, 9910], rel=1e-3)


def test_small_sizes_keep_ratios():
    for name in ("g-a", "g-b"):
        full, small = (
            next(p.configs[0] for p in part(name, size=size, seeds=1).points() if p.sweep == "m")
            for size in SIZES
        )
        assert full.data.num_train == full.data.dim == 25 * small.data.num_train == 25 * small.data.dim
        assert full.epsilon == pytest.approx(5 * small.epsilon)
    sizes = [part("msg-b", size=size, seeds=1, sweeps=("m",)).points()[0].configs[0] for size in SIZES]
    assert [config.data.num_train for config in sizes] == [10_000, 10_000]
    assert [config.epsilon for config in sizes] == [0.7, 0.1]  # .01 √d, cut


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("size", SIZES)
def test_other_data_than_the_published_are_named_and_not_compared(name, size):
    chosen = part(name, size=size, seeds=1, sweeps=("slope",))
    digits = chosen.configs()[0].data.name == "digits"
    assert digits == (size == "small" and name.startswith(("mnist", "fmnist")))
    images = "Fashion-MNIST" if name.startswith("fmnist") else "MNIST"
    assert chosen.stand_in == (f"bundled digits (8x8) in place of {images}" if digits else "")
    assert bool(chosen.figure) == (name == "msg-a" or (size == "full" and name in {"g-a", "mnist-a"}))


def test_logistic_sweep_of_msg_b_has_five_rates_each():
    made = part("msg-b", size="small", solver="flow", seeds=1, sweeps=("d_logistic",)).points()
    rates = (10, 5, 1, 0.1, 0.01)
    times = {flow_time(rate, 1000, momentum=0.9) for rate in rates}
    for point in made:
        assert {(c.T_f, c.T_g) for c in point.configs} == {(f, g) for f in times for g in times}
        assert {(c.loss, c.solver, c.scenario) for c in point.configs} == {("logistic", "gd", "b")}
        assert all(0 <= 0.01 * math.sqrt(point.x) - c.epsilon < 0.001 for c in point.configs)


@pytest.mark.parametrize(
    ("name", "by_dim"),
    [
        ("msg-a", {10: 0.0031, 20: 0.0044, 50: 0.007, 90: 0.0094, 100: 0.01}),
        ("msg-b", {10: 0.031, 100: 0.1, 400: 0.2, 900: 0.3, 1000: 0.31, 5000: 0.7}),
        ("g-a", {100: 0.01, 900: 0.03, 1000: 0.031, 10_000: 0.1}),
        ("g-b", {100: 1.0, 1000: 3.1, 2000: 4.4, 10_000: 10.0}),
    ],
)
def test_epsilon_is_cut_to_two_digits(name, by_dim):
    points = {point.x: point.configs for point in part(name, seeds=1, sweeps=("d",)).points()}
    assert {dim: {config.epsilon for config in points[dim]} for dim in by_dim} == {
        dim: {epsilon} for dim, epsilon in by_dim.items()
    }


TENTHS = [i / 10 for i in range(11)]
DIMS = [*range(10, 100, 10), *range(100, 1000, 100), *range(1000, 5001, 1000)]


@pytest.mark.parametrize(
    ("name", "sweep", "values"),
    [
        ("msg-b", "d", DIMS),
        ("msg-b", "d_logistic", DIMS),
        ("msg-b", "eps", [0.7 * share for share in TENTHS]),
        ("g-b", "d_logistic", [*range(100, 1000, 100), *range(1000, 10_001, 1000)]),
        ("g-b", "eps", [10 * share for share in TENTHS]),
        ("fmnist-b", "eps_logistic", [1.4 * share for share in TENTHS]),
        ("mnist-a", "m", [*range(10, 100, 10), *range(100, 1001, 100)]),
        ("msg-b", "m", [*range(1, 10), *range(10, 100, 10), *range(100, 1001, 100)]),
    ],
)
def test_sweeps_take_the_published_steps(name, sweep, values):
    assert [p.x for p in part(name, seeds=1, sweeps=(sweep,)).points()] == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize("name", ["mnist", "fmnist"])
@pytest.mark.parametrize(("scenario", "largest"), [("a", 0.14), ("b", 1.4)])
def test_logistic_epsilon_of_images_goes_to_1_4_in_scenario_b_only(name, scenario, largest):
    for size, factor in (("full", 1), ("small", 3 * 8 / 28)):  # three times as much per √d
        made = part(f"{name}-{scenario}", size=size, seeds=1, sweeps=("eps_logistic",)).points()
        assert [p.x for p in made] == [pytest.approx(factor * largest * i / 10) for i in range(11)]
        assert all(c.epsilon == p.x and c.loss == "logistic" for p in made for c in p.configs)


def test_balanced_targets_are_asked_for():
    made = part("msg-a", seeds=1, sweeps=("slope",), balanced=True).points()
    assert {config.targets for point in made for config in point.configs} == {"balanced"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "msg-c"}, "published must be one of msg-a, .* got 'msg-c'"),
        ({"name": "msg-a", "kind": "block"}, "kind must be one of published, study"),
        ({"name": "msg-a", "kind": "study"}, "study must be one of dimension, .* got 'msg-a'"),
        ({"name": "msg-a", "size": "tiny"}, "size must be one of full, small, got 'tiny'"),
        ({"name": "msg-a", "solver": "adam"}, "solver must be one of gd, flow, got 'adam'"),
        ({"name": "msg-a", "seeds": 0}, "seeds must be >= 1, got 0"),
        ({"name": "msg-a", "sweeps": ("q",)}, "sweeps must be one of d, d_logistic, .* got 'q'"),
        ({"name": "msg-a", "sweeps": ()}, "sweeps must name at least one, each once, got none"),
        ({"name": "msg-a", "sweeps": ("d", "d")}, "sweeps must name at least one, each once, got d,d"),
    ],
)
def test_bad_parts_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Part(**{"kind": "published", **arguments})


def test_wheel_contains_plans_and_readings():
    """The build takes whole packages, and the files lie in one."""
    root = Path(__file__).parents[3]
    build = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert "empirics" in build["packages"]
    assert not any("csv" in pattern or "toml" in pattern for pattern in build["exclude"])
    assert resources.files("empirics.campaigns").joinpath("published_curves.csv").is_file()
