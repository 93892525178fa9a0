"""Plans of wide networks: what they expand to, what they refuse, and the identity of a configuration."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from empirics import DigitsData, ExperimentConfig, FileData, GaussianData, ShiftedGaussianData
from empirics.data import IdxData, MnistData
from empirics.sweep.plan import Block, axis_of
from empirics.wide import WIDE, config_hash, config_of, fields_of, plan

DATA = GaussianData(dim=3, num_train=4)
BASE = ExperimentConfig(data=DATA, width=10)
positive = st.floats(min_value=1e-300, max_value=1e300)
configs = st.builds(
    ExperimentConfig,
    data=st.one_of(
        st.builds(GaussianData, dim=st.integers(1, 9), num_train=st.integers(1, 9)),
        st.builds(
            ShiftedGaussianData,
            dim=st.integers(1, 9),
            num_train=st.integers(1, 9),
            shift=st.floats(-9, 9),
        ),
        st.builds(DigitsData, classes=st.sampled_from([("1", "2"), ("3", "8")])),
    ),
    width=st.integers(1, 2**70),
    negative_slope=st.floats(0, 1, exclude_max=True),
    epsilon=st.none() | positive,
    T_f=st.floats(0, 1e300),
    scenario=st.sampled_from("ab"),
    num_steps_g=st.none() | st.integers(1, 9),
    seed=st.integers(0, 2**70),
)


# Expansion ------------------------------------------------------------------------------------------------


def test_axes_are_a_product_with_the_last_one_fastest_and_seeds_last():
    made = plan(BASE, {"width": [1, 2], "data.dim": [5, 6]}, seeds=2).configs(WIDE).values()
    found = [(config.width, config.data.dim, config.seed) for config in made]
    assert found == list(itertools.product([1, 2], [5, 6], [0, 1]))
    assert all(config.data.num_train == 4 for config in made)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.lists(st.sampled_from([1, 2, 1.0, 2.5]), min_size=1, max_size=6),
)
def test_configurations_are_merged_once_each_in_first_order(widths, times):
    made = list(plan(BASE, {"width": widths, "T_f": times}).configs(WIDE).values())
    found = [(config.width, config.T_f) for config in made]
    assert found == list(dict.fromkeys(itertools.product(widths, map(float, times))))
    assert all(type(config.T_f) is float for config in made)


@given(configs)
def test_fields_bring_back_the_configuration(config):
    assert config_of(json.loads(json.dumps(fields_of(config)))) == config


# Refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ({"wdth": [1]}, ValueError, "field must be one of data.dim, .*, width, .*, got 'wdth'"),
        ({"data.shift": [1]}, ValueError, "field must be one of .* with data 'gaussian', got 'data.shift'"),
        ({"data": [1]}, ValueError, "got 'data'"),
        ({"width": [1, -1]}, ValueError, r"width must be >= 1, got -1 \(at width=-1\)"),
        ({"width": [1.5]}, TypeError, "width must be an integer, got 1.5"),
        ({"width": ["wide"]}, TypeError, "width must be an integer, got 'wide'"),
        ({"T_f": [True]}, TypeError, "T_f must be a real number, got True"),
        ({"T_f": [math.nan]}, ValueError, "T_f must be finite"),
        ({"width": []}, ValueError, "axis width must have values, got none"),
        ({"T_f,T_g": [[1, 2], [3]]}, ValueError, r"axis T_f,T_g must have values of 2 .*, got \[3\]"),
        ({"T_f,T_f": [[1, 2]]}, ValueError, "axis must name each field once, got 'T_f,T_f'"),
        ({"T_f": [1], "T_f,T_g": [[1, 2]]}, ValueError, "field must be on one axis, got T_f on 2"),
        ({"solver,momentum": [["flow", 0.5]]}, ValueError, r"momentum must be 0 .*solver=flow, momentum=0.5"),
        ({"data.source": ["moon"]}, ValueError, "data.source must be one of gaussian, .*, got 'moon'"),
        ({"data.source": ["shifted-gaussian", "digits"]}, ValueError, "with data 'digits', got 'data.dim'"),
    ],
)
def test_impossible_plans_are_refused_by_field(axes, error, message):
    with pytest.raises(error, match=message):
        plan(BASE, axes).configs(WIDE)


@pytest.mark.parametrize("seeds", [0, -1, []])
def test_no_seed_is_refused(seeds):
    with pytest.raises(ValueError, match="seed"):
        plan(BASE, {}, seeds=seeds)


# Identity -----------------------------------------------------------------------------------------------


@given(configs, st.randoms())
def test_hash_does_not_depend_on_field_order_or_number_type(config, random):
    named = list(fields_of(config).items())
    random.shuffle(named)

    def same(value):
        """An equal number of another type."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return value
        if isinstance(value, float):
            return random.choice([np.float64(value), int(value) if value.is_integer() else value])
        return random.choice([value, np.int64(value)] if value < 2**63 else [value])

    other = config_of({name: same(value) for name, value in named})
    assert other == config
    assert config_hash(other) == config_hash(config)
    raw = dataclasses.replace(config, T_f=same(config.T_f), width=same(config.width), negative_slope=0)
    assert config_hash(raw) == config_hash(dataclasses.replace(config, negative_slope=-0.0))


@given(configs, configs)
def test_hash_tells_configurations_apart(first, second):
    assert (config_hash(first) == config_hash(second)) == (first == second)


@given(configs)
def test_every_field_is_part_of_the_hash(config):
    other = {"loss": "logistic", "T_g": 7.5, "num_steps": 11, "targets": "balanced", "precision": "float64"}
    other |= {"momentum": 0.5, "seed": config.seed + 1, "width": config.width + 1}
    hashes = {config_hash(dataclasses.replace(config, **{key: value})) for key, value in other.items()}
    assert len(hashes | {config_hash(config)}) == len(other) + 1


def test_hash_is_the_one_of_this_version():
    """Results that people keep are found by it: a change must be meant, and raise `RECORD_VERSION`."""
    shown = json.dumps(WIDE.identity(BASE), sort_keys=True, separators=(",", ":"))
    assert shown.startswith('{"config":{"T_f":1,"T_g":1,"data":{"dim":3,"num_test":300,')
    assert shown.endswith('"content":null,"record_version":4}')


def test_sources_of_one_name_are_told_apart(tmp_path):
    """A folder of images called mnist is not MNIST, a file called digits.csv not the digits."""
    folder = str(tmp_path / "mnist")
    own = ExperimentConfig(data=IdxData(folder=folder, classes=("1", "2")), width=1)
    mnist = ExperimentConfig(data=MnistData(folder=folder), width=1)
    assert own.to_json() == mnist.to_json()
    assert (fields_of(own)["data.source"], fields_of(mnist)["data.source"]) == ("idx", "mnist")
    for config in (own, mnist, ExperimentConfig(data=FileData(path="digits.csv"), width=1)):
        assert config_of(fields_of(config)) == config


def test_content_of_files_is_part_of_the_hash(tmp_path):
    path = tmp_path / "own.csv"
    config = config_of({"data.source": str(path), "width": 1})
    assert config.data == FileData(path=str(path))
    with pytest.raises(FileNotFoundError, match="data file must exist"):
        config_hash(config)
    path.write_text("1,2,1\n", encoding="utf-8")
    first = config_hash(config)
    assert config_hash(config) == first
    path.write_text("1,2,-1\n", encoding="utf-8")
    assert config_hash(config) != first


def test_axis_of_one_field_keeps_lists_whole():
    axis = axis_of("data.classes", [["1", "2"], ["3", "8"]])
    made = Block(base={"data.source": "digits", "width": 1}, axes=(axis,)).configs(config_of)
    assert [config.data.classes for config in made] == [("1", "2"), ("3", "8")]
