"""What a report runs: every preset with every data source, and options that make no sense."""

import itertools
import math

import numpy as np
import pytest

import theory
from empirics import (
    BreastCancerData,
    DigitsData,
    ExperimentConfig,
    FileData,
    GaussianData,
    ShiftedGaussianData,
)
from reports.presets import DEFAULT_DATA, PRESETS, Series, series, source

OPTIONS = {
    "classes": ("3", "5"),
    "dim": 7,
    "num_train": 9,
    "num_test": 4,
    "shift": 0.25,
    "standardise": "none",
    "test_fraction": 0.5,
}
SYNTHETIC, REAL = {"dim", "num_train", "num_test"}, {"standardise", "test_fraction"}
APPLY = {
    "digits": (DigitsData, REAL | {"classes"}),
    "shifted-gaussian": (ShiftedGaussianData, SYNTHETIC | {"shift"}),
    "gaussian": (GaussianData, SYNTHETIC),
    "breast-cancer": (BreastCancerData, REAL),
    "some/file.csv": (FileData, REAL | {"classes"}),
    "some/file.npz": (FileData, REAL | {"classes"}),
}


@pytest.fixture
def data_file(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "own.npz"
    np.savez(path, X=rng.normal(size=(12, 4)), y=np.resize([-1.0, 1.0], 12))
    return path


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [*list(APPLY)[:4], "own file"])
def test_every_preset_runs_every_source(preset, name, data_file):
    data = source(str(data_file) if name == "own file" else name, preset=preset)
    chosen = series(data, preset=preset)
    assert len(chosen.seeds) >= 2
    assert chosen.base.data == data
    dataset = data.load(0)
    setting = chosen.base.setting(dataset)
    assert (setting.N, setting.dim) == dataset.X.shape
    pairs = [(config.width, config.seed) for config in chosen.configs()]
    assert pairs == list(itertools.product(chosen.widths, chosen.seeds))  # small widths first


@pytest.mark.parametrize("preset", ["quick", "lazy"])
def test_wide_presets_span_the_decade_that_the_rate_needs(preset):
    for name in DEFAULT_DATA:
        chosen = series(source(name, preset=preset), preset=preset)
        assert chosen.base.loss == "identity"
        assert chosen.widths[-1] / chosen.widths[-3] >= 10


@pytest.mark.parametrize(("name", "option"), list(itertools.product(APPLY, OPTIONS)))
def test_option_is_used_or_refused(name, option):
    kind, allowed = APPLY[name]
    value = OPTIONS[option]
    if option in allowed:
        data = source(name, **{option: value})
        assert isinstance(data, kind)
        assert getattr(data, option) == value
    else:
        with pytest.raises(ValueError, match=f"^{option.replace('_', '-')} does not apply to data '{name}'"):
            source(name, **{option: value})


def test_unknown_names_are_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=r"data must be digits, .*, got 'mnist'"):
        source("mnist")
    with pytest.raises(ValueError, match="preset must be one of quick, lazy, published, got 'slow'"):
        source("digits", preset="slow")
    with pytest.raises(ValueError, match="preset must be one of quick, lazy, published, got 'slow'"):
        series(DigitsData(), preset="slow")


@pytest.mark.parametrize("num_seeds", [1, 0, -3])
def test_fewer_than_two_seeds_have_no_spread(num_seeds):
    with pytest.raises(ValueError, match=f"seeds must be >= 2, got {num_seeds}"):
        series(DigitsData(), num_seeds=num_seeds)


def test_seeds_are_counted_from_zero():
    assert series(DigitsData(), num_seeds=3).seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("widths", "error", "message"),
    [
        ((100, 10), ValueError, "widths must increase, got 100, 10"),
        ((10, 10), ValueError, "widths must increase, got 10, 10"),
        ((), ValueError, "widths and seeds must not be empty"),
        ((0, 10), ValueError, "widths must be >= 1, got 0"),
        ((1.5,), TypeError, "widths must be an integer, got 1.5"),
    ],
)
def test_widths_must_increase(widths, error, message):
    base = ExperimentConfig(data=GaussianData(dim=2, num_train=4), width=1)
    with pytest.raises(error, match=message):
        Series(base=base, widths=widths, seeds=(0, 1))


def test_series_needs_a_seed():
    base = ExperimentConfig(data=GaussianData(dim=2, num_train=4), width=1)
    with pytest.raises(ValueError, match="widths and seeds must not be empty"):
        Series(base=base, widths=(1,), seeds=())


def test_published_flow_time_is_that_of_the_published_schedule():
    base = series(source("shifted-gaussian", preset="published"), preset="published").base
    # Each of 1000 steps of rate 1 adds 10 (1 − 0.9^k): 10 (1000 − 9) up to 0.9^1000 = 2e-46.
    assert base.T_f == base.T_g == theory.flow_time(1, 1000, momentum=0.9) == pytest.approx(9910, rel=1e-12)
    assert (base.num_steps, base.momentum) == (1000, 0.9)
    rate = theory.learning_rate_for(base.T_f, base.num_steps, momentum=base.momentum)
    assert rate == pytest.approx(1.0, rel=1e-12)
    assert base.epsilon == pytest.approx(0.001 * math.sqrt(100))
    assert (base.data.dim, base.data.num_train, base.data.shift) == (100, 1000, 0.3)


def test_published_schedule_of_images_has_its_own_rate_and_epsilon():
    base = series(source("digits", preset="published"), preset="published").base
    assert base.T_f == pytest.approx(theory.flow_time(0.01, 100, momentum=0.9))
    assert base.epsilon == pytest.approx(0.005 * math.sqrt(64))
