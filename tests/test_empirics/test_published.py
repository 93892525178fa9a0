"""The published grid: its values, learning rates and flow times, and the readings beside it."""

import math
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from empirics import GaussianData, ShiftedGaussianData, published
from empirics.measure import cosines
from empirics.published import BLOCKS, METRICS, Reading, block, cosine_reading, plan_of, points, readings
from empirics.wide import WIDE, config_hash
from theory import flow_time, perturbation_direction, phi

COSINES = {"G T_f", "G d", "MNIST T_f", "MSG T_f", "MSG d"}


def test_every_reading_is_a_point_of_its_block():
    blocks = {block(name).figure: block(name) for name in BLOCKS if block(name).figure}
    compared = 0
    for figure, sweep, x, _series in readings():
        if figure == "cossim":
            assert sweep in COSINES
            continue
        assert x in blocks[figure].sweeps[sweep], (figure, sweep, x)
        compared += 1
    assert compared == 1041
    assert blocks.keys() == {"MSG_a", "G_a", "MNIST_a"}


def test_every_published_cosine_is_found_at_a_point_of_its_block():
    found = [
        cosine_reading(chosen.figure, sweep, x)
        for chosen in map(block, BLOCKS)
        for sweep, experiments in chosen.sweeps.items()
        for x in experiments
    ]
    published_ones = [key for key in readings() if key[3] == "cosine_similarity"]
    assert sum(reading is not None for reading in found) == len(published_ones) == 77
    assert cosine_reading("MSG_a", "T_f", 3) == Reading(0.5, 0.006)
    assert cosine_reading("MSG_a", "N", 10) is cosine_reading("", "d", 100) is None


def test_cosines_and_accuracies_were_published_of_the_same_experiments():
    """Accuracies of f in both figures agree up to the reading errors of both, at all 77 points."""
    found = readings()
    figures = {name: figure for figure, name in published.COSINE_FIGURES.items()}
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
        assert series in METRICS or figure == "cossim"


@pytest.mark.parametrize("solver", ["gd", "flow"])
def test_configurations_of_msg_a_are_460_a_seed(solver):
    """Four pairs of learning rates at 110 points, two at the 10 of T_f, whose f has one rate."""
    own = {"d": 9, "d_logistic": 9, "N": 31, "eps": 10, "m": 27, "slope": 4, "T_g": 19}  # without the base
    made = points("msg-a", solver=solver, seeds=1)
    hashes = {config_hash(config) for point in made for config in point.configs}
    assert len(hashes) == 4 * (1 + sum(own.values())) + 2 * 10 == 460
    assert len(plan_of(made).configs(WIDE)) == len(hashes)


def test_points_have_all_pairs_of_learning_rates_and_seeds():
    (point,) = [p for p in points("msg-a", seeds=3, sweeps=["d"]) if p.x == 50]
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
        assert config.epsilon == pytest.approx(0.001 * math.sqrt(50), rel=1e-5)  # written with 6 digits
    pairs = {(c.T_f, c.T_g, c.seed) for c in point.configs}
    assert pairs == {(f, g, seed) for f in times for g in times for seed in range(3)}


@pytest.mark.parametrize("solver", ["gd", "flow"])
@pytest.mark.parametrize(
    ("sweep", "rates_f", "rates_g"), [("T_f", [0.1], [1, 0.1]), ("T_g", [1, 0.1], [1, 0.1])]
)
def test_epochs_become_flow_times(solver, sweep, rates_f, rates_g):
    for point in points("msg-a", solver=solver, seeds=1, sweeps=[sweep]):
        epochs = {"T_f": 1000, "T_g": 1000} | {sweep: int(point.x)}
        assert {c.T_f for c in point.configs} == {flow_time(r, epochs["T_f"], momentum=0.9) for r in rates_f}
        assert {c.T_g for c in point.configs} == {flow_time(r, epochs["T_g"], momentum=0.9) for r in rates_g}
        assert {c.momentum for c in point.configs} == {0.9 if solver == "gd" else 0.0}


def test_flow_time_of_published_epochs():
    """41.4, 910 and 9,910 per unit rate: the T of 10, 100 and 1000 epochs."""
    values = [flow_time(1.0, epochs, momentum=0.9) for epochs in (10, 100, 1000)]
    assert values == pytest.approx([41.4, 910, 9910], rel=1e-3)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("size", published.SIZES)
def test_every_block_makes_points_of_both_sizes(name, size):
    if name.startswith(("mnist", "fmnist")) and size == "full":
        made = block(name, size=size)  # its data are not here, so no configuration is hashed
        assert made.base.source["source"] in {"mnist", "fashion-mnist"}
        return
    made = points(name, size=size, seeds=1, solver="flow")
    assert {point.sweep for point in made} == set(block(name, size=size).sweeps)
    assert {point.block for point in made} == {name}


def test_small_sizes_keep_ratios():
    for name in ("g-a", "g-b"):
        full, small = block(name).base, block(name, size="small").base
        assert full.num_train / full.dim == small.num_train / small.dim
        assert full.epsilon_per_root == small.epsilon_per_root
    assert block("msg-b").base.num_train == block("msg-b", size="small").base.num_train


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("size", published.SIZES)
def test_other_data_than_the_published_are_named(name, size):
    named = published.stand_in(name, size=size)
    digits = block(name, size=size).base.source["source"] == "digits"
    assert digits == (size == "small" and name.startswith(("mnist", "fmnist")))
    images = "Fashion-MNIST" if name.startswith("fmnist") else "MNIST"
    assert named == (f"bundled digits (8x8) in place of {images}" if digits else "")


def test_logistic_sweep_of_msg_b_has_five_rates_each():
    for size in published.SIZES:
        chosen = block("msg-b", size=size)
        assert chosen.sweeps["d_logistic"].keys() == chosen.sweeps["d"].keys()
    made = points("msg-b", size="small", solver="flow", seeds=1, sweeps=["d_logistic"])
    rates = (10, 5, 1, 0.1, 0.01)
    times = {flow_time(rate, 1000, momentum=0.9) for rate in rates}
    for point in made:
        assert {(c.T_f, c.T_g) for c in point.configs} == {(f, g) for f in times for g in times}
        assert {(c.loss, c.solver, c.scenario) for c in point.configs} == {("logistic", "gd", "b")}
        assert all(c.epsilon == pytest.approx(0.01 * math.sqrt(point.x), rel=1e-5) for c in point.configs)


@pytest.mark.parametrize("name", ["mnist", "fmnist"])
def test_logistic_epsilon_of_images_goes_to_1_4_in_scenario_b_only(name):
    for scenario, largest in (("a", 0.14), ("b", 1.4)):
        sweep = block(f"{name}-{scenario}").sweeps["eps_logistic"]
        assert list(sweep) == [pytest.approx(largest * i / 10) for i in range(11)]
        assert {experiment.loss for experiment in sweep.values()} == {"logistic"}
        for x, experiment in sweep.items():
            assert experiment.epsilon_per_root * 28 == pytest.approx(x)
        # The small size keeps ε over the norm of a sample: three times as much per √d.
        small = block(f"{name}-{scenario}", size="small").sweeps["eps_logistic"]
        assert max(small) == pytest.approx(3 * largest / 28 * 8)


def test_balanced_targets_are_asked_for():
    made = points("msg-a", seeds=1, sweeps=["slope"], balanced=True)
    assert {config.targets for point in made for config in point.configs} == {"balanced"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "msg-c"}, "block must be one of msg-a, .* got 'msg-c'"),
        ({"name": "msg-a", "size": "tiny"}, "size must be one of full, small, got 'tiny'"),
        ({"name": "msg-a", "solver": "adam"}, "solver must be one of gd, flow, got 'adam'"),
        ({"name": "msg-a", "seeds": 0}, "seeds must be >= 1, got 0"),
        ({"name": "msg-a", "sweeps": ["q"]}, "sweep must be one of d, d_logistic, .* got 'q'"),
    ],
)
def test_points_reject(arguments, message):
    with pytest.raises(ValueError, match=message):
        points(arguments.pop("name"), **arguments)


def test_wheel_contains_the_readings():
    """The build takes whole packages, and the file lies in one."""
    root = Path(__file__).parents[2]
    build = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert "empirics" in build["packages"]
    assert not any("csv" in pattern for pattern in build["exclude"])
    assert resources.files("empirics").joinpath("published_curves.csv").is_file()
