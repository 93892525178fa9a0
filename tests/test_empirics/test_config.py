"""The configuration: every rule on its fields, its JSON, and the setting it stands for."""

import dataclasses
import json
import math

import numpy as np
import pytest

from empirics import (
    BreastCancerData,
    DigitsData,
    ExperimentConfig,
    FileData,
    GaussianData,
    ShiftedGaussianData,
)

DATA = GaussianData(dim=5, num_train=7, num_test=3)
SOURCES = [
    (DATA, {"source": "gaussian", "dim": 5, "num_train": 7, "num_test": 3}),
    (
        ShiftedGaussianData(dim=5, num_train=7),
        {"source": "shifted-gaussian", "dim": 5, "num_train": 7, "num_test": 300, "shift": 0.5},
    ),
    (
        DigitsData(classes=("3", "4")),
        {"source": "digits", "classes": ["3", "4"], "test_fraction": 0.3, "standardise": "center"},
    ),
    (BreastCancerData(), {"source": "breast-cancer", "test_fraction": 0.3, "standardise": "zscore"}),
    (
        FileData(path="folder/mine.csv", test_fraction=0.2, standardise="none"),
        {
            "source": "mine",
            "path": "folder/mine.csv",
            "classes": None,
            "test_fraction": 0.2,
            "standardise": "none",
            "header": "auto",
            "label": "",
            "index": "",
            "drop_missing": False,
            "decimal": "auto",
        },
    ),
]


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("width", 0, ValueError, "width must be >= 1, got 0"),
        ("width", 10.0, TypeError, "width must be an integer, got 10.0"),
        ("width", True, TypeError, "width must be an integer, got True"),
        ("negative_slope", 1, ValueError, r"negative_slope must lie in \[0, 1\), got 1"),
        ("negative_slope", -0.5, ValueError, r"negative_slope must lie in \[0, 1\), got -0.5"),
        ("negative_slope", math.nan, ValueError, "negative_slope must be finite, got nan"),
        (
            "loss",
            "hinge",
            ValueError,
            "loss must be one of identity, logistic, squared, exponential, got .hi",
        ),
        ("scenario", "A", ValueError, "scenario must be one of a, b, got 'A'"),
        ("epsilon", -1.0, ValueError, "epsilon must be >= 0, got -1.0"),
        ("epsilon", math.inf, ValueError, "epsilon must be finite, got inf"),
        ("epsilon", "1", TypeError, "epsilon must be a real number, got '1'"),
        ("T_f", -1.0, ValueError, "T_f must be >= 0, got -1.0"),
        ("T_f", math.nan, ValueError, "T_f must be finite, got nan"),
        ("T_g", -1e-300, ValueError, "T_g must be >= 0, got -1e-300"),
        ("T_g", None, TypeError, "T_g must be a real number, got None"),
        ("num_steps", 0, ValueError, "num_steps must be >= 1, got 0"),
        ("num_steps_g", 0, ValueError, "num_steps_g must be >= 1, got 0"),
        ("solver", "adam", ValueError, "solver must be one of gd, flow, got 'adam'"),
        ("num_steps", 2.5, TypeError, "num_steps must be an integer, got 2.5"),
        ("momentum", 1.0, ValueError, r"momentum must lie in \[0, 1\), got 1.0"),
        ("momentum", -0.1, ValueError, r"momentum must lie in \[0, 1\), got -0.1"),
        ("targets", "fair", ValueError, "targets must be one of random, balanced, got 'fair'"),
        ("precision", "float16", ValueError, "precision must be one of float32, float64, got 'float16'"),
        ("seed", -1, ValueError, "seed must be >= 0, got -1"),
        ("seed", 0.5, TypeError, "seed must be an integer, got 0.5"),
    ],
)
def test_every_field_is_checked(field, value, error, message):
    with pytest.raises(error, match=message):
        ExperimentConfig(**{"data": DATA, "width": 10, field: value})


def test_edges_of_the_rules_are_allowed():
    config = ExperimentConfig(data=DATA, width=1, epsilon=5e-324, T_f=0.0, T_g=0, num_steps=1, seed=2**64)
    assert (config.width, config.T_f, config.seed) == (1, 0.0, 2**64)


def test_config_is_frozen():
    config = ExperimentConfig(data=DATA, width=10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.width = 20


@pytest.mark.parametrize(("source", "expected"), SOURCES, ids=lambda value: getattr(value, "name", ""))
def test_json_shows_the_source_and_every_field(source, expected):
    config = ExperimentConfig(data=source, width=10, epsilon=0.5, T_f=2.0, seed=3)
    read = json.loads(json.dumps(config.to_json(), allow_nan=False))
    assert read.pop("data") == expected
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    del fields["data"]
    assert read == fields


@pytest.mark.parametrize("epsilon", [None, 0.25])
def test_setting_takes_sizes_from_the_data_and_root_d_for_no_epsilon(epsilon):
    config = ExperimentConfig(
        data=DATA,
        width=10,
        negative_slope=0.2,
        loss="logistic",
        scenario="b",
        epsilon=epsilon,
        T_f=2.0,
        T_g=3.0,
    )
    setting = config.setting(DATA.load(0))
    assert (setting.dim, setting.N, setting.width) == (5, 7, 10)
    assert setting.epsilon == (np.sqrt(5) if epsilon is None else epsilon)
    for field in ("negative_slope", "loss", "scenario", "T_f", "T_g"):
        assert getattr(setting, field) == getattr(config, field)


def test_a_flow_has_no_momentum():
    with pytest.raises(
        ValueError, match=r"momentum must be 0 with solver 'flow', which has no steps, got 0\.9"
    ):
        ExperimentConfig(data=DATA, width=10, solver="flow", momentum=0.9)


def test_no_perturbation_is_a_control_of_sweeps_and_no_instance_of_the_theory():
    config = ExperimentConfig(data=DATA, width=10, epsilon=0.0)
    with pytest.raises(ValueError, match=r"epsilon must be > 0, got 0\.0"):
        config.setting(DATA.load(0))
