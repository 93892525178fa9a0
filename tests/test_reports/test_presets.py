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
from empirics.data import FashionMnistData, IdxData, MnistData
from empirics.data.idx import FILES
from reports.presets import DEFAULT_DATA, PRESETS, Series, series, source

OPTIONS = {
    "classes": ("3", "5"),
    "dim": 7,
    "num_train": 9,
    "num_test": 4,
    "shift": 0.25,
    "standardise": "none",
    "test_fraction": 0.5,
    "header": "no",
    "label": "a",
    "index": "b",
    "drop_missing": True,
    "decimal": "comma",
}
SYNTHETIC, REAL = {"dim", "num_train", "num_test"}, {"standardise", "test_fraction"}
TABLE = {"label", "index", "drop_missing", "decimal"}
IMAGES = {"classes", "num_train", "num_test", "standardise"}
APPLY = {
    "digits": (DigitsData, REAL | {"classes"}),
    "shifted-gaussian": (ShiftedGaussianData, SYNTHETIC | {"shift"}),
    "gaussian": (GaussianData, SYNTHETIC),
    "breast-cancer": (BreastCancerData, REAL),
    "some/file.csv": (FileData, REAL | {"classes"} | TABLE | {"header"}),
    "some/file.json": (FileData, REAL | {"classes"} | TABLE),
    "some/file.npy": (FileData, REAL | {"classes", "label", "index"}),
    "some/file.npz": (FileData, REAL | {"classes"}),
    "mnist": (MnistData, IMAGES),
    "fashion-mnist": (FashionMnistData, IMAGES),
    "some/train-images-idx3-ubyte.gz": (IdxData, IMAGES),
}
IMAGE_SETS = ("mnist", "fashion-mnist")


@pytest.fixture
def data_file(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "own.npz"
    np.savez(path, X=rng.normal(size=(12, 4)), y=np.resize([-1.0, 1.0], 12))
    return path


@pytest.fixture
def image_folder(tmp_path, monkeypatch):
    """Return a folder of generated images in the place of the public ones."""
    rng = np.random.default_rng(0)
    for name in IMAGE_SETS:
        (tmp_path / name).mkdir()
        for file, size in zip(FILES, (1_200, 1_200, 1_600, 1_600), strict=True):
            pixels = rng.integers(0, 256, size=(size, 28, 28), dtype=np.uint8)
            content = (np.arange(size) % 10).astype(np.uint8) if "labels" in file else pixels
            sizes = np.array(content.shape, dtype=">u4").tobytes()
            (tmp_path / name / file).write_bytes(bytes([0, 0, 8, content.ndim]) + sizes + content.tobytes())
    monkeypatch.setenv("PERTURBLEARN_DATA", str(tmp_path))
    return tmp_path / "mnist"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [*list(APPLY)[:4], *IMAGE_SETS, "own file", "own images"])
def test_every_preset_runs_every_source(preset, name, data_file, image_folder):
    path = {"own file": str(data_file), "own images": str(image_folder)}.get(name, name)
    data = source(path, preset=preset, classes=("1", "2") if name == "own images" else None)
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


def test_zero_is_no_option_left_out():
    with pytest.raises(ValueError, match="num_test must be >= 1, got 0"):
        source("gaussian", num_test=0)


def test_unknown_names_are_refused_with_those_that_exist(tmp_path):
    with pytest.raises(ValueError, match=r"data must be digits, .*, mnist, .*, got 'minst'"):
        source("minst")
    with pytest.raises(ValueError, match=r"or a folder of IDX files, got '.*'"):
        source(str(tmp_path))  # a folder without any
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
        ((), ValueError, "widths must not be empty"),
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
    with pytest.raises(ValueError, match="seeds must not be empty"):
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


def test_published_images_are_the_whole_sets_in_the_published_preparation(image_folder):
    assert source("mnist", preset="published") == MnistData()
    assert source("fashion-mnist", preset="published") == FashionMnistData()
    base = series(source("mnist", preset="published"), preset="published").base
    assert (base.num_steps, base.momentum) == (100, 0.9)
    assert base.epsilon == pytest.approx(0.14)


@pytest.mark.parametrize("preset", ["quick", "lazy"])
def test_other_presets_take_few_images_of_norm_root_d(preset, image_folder):
    for name in (*IMAGE_SETS, str(image_folder)):
        data = source(name, preset=preset, classes=("0", "9")).load(0)
        assert (data.X.shape, data.X_test.shape) == ((200, 784), (300, 784))
        # The sum of 784 squares and its root: each step within a rounding.
        np.testing.assert_allclose(np.linalg.norm(data.X, axis=1), 28, rtol=790 * np.finfo(float).eps)


def test_folder_or_one_of_its_files_names_images(image_folder):
    expected = source(str(image_folder), classes=("3", "4"))
    assert isinstance(expected, IdxData)
    for file in FILES:
        assert source(str(image_folder / file), classes=("3", "4")) == expected
        assert source(str(image_folder / f"{file}.gz"), classes=("3", "4")) == expected
