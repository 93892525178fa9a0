"""Laws beside what they are about: what is measured is what it says, and sizes are those of the data."""

import math

import numpy as np
import pytest

from empirics import DigitsData, GaussianData, LawConfig, ShiftedGaussianData, measure_law
from empirics.laws import LAWS, run_laws
from theory.agreement import condition_agreement, isotropic_agreement
from theory.deep import Architecture

DATA = GaussianData(dim=30, num_train=40, num_test=50)
SHIFTED = ShiftedGaussianData(dim=30, num_train=40, num_test=50, shift=0.2)
INF = math.inf


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"compare": "published"}, lambda s: condition_agreement(**s)),
        (
            {"compare": "published", "classes": "balanced"},
            lambda s: condition_agreement(**s, balanced_classes=True),
        ),
        (
            {"compare": "published", "data": SHIFTED},
            lambda s: condition_agreement(**s, separation=0.2 * math.sqrt(30), balanced_classes=True),
        ),
        (
            {"compare": "predicted", "targets": "balanced"},
            lambda s: isotropic_agreement(
                T_f=INF, T_g=INF, **s, epsilon=math.sqrt(30), balanced_targets=True
            ),
        ),
        (
            {"compare": "untrained", "epsilon": 0.5},
            lambda s: isotropic_agreement(T_f=0, T_g=INF, **s, epsilon=0.5),
        ),
        ({"compare": "predicted", "data": SHIFTED}, lambda _: None),
        ({"compare": "published", "data": DigitsData()}, lambda _: None),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_law_knows_the_sizes(options, expected):
    config = LawConfig(**{"data": DATA, "depth": 2, "negative_slope": 0.1, **options})
    sizes = {"architecture": Architecture(depth=2, negative_slope=0.1), "dim": 30, "N": 40}
    assert config.law == expected(sizes)


def test_an_odd_number_of_labels_is_not_balanced():
    odd = GaussianData(dim=30, num_train=41, num_test=50)
    given = {"compare": "predicted", "data": odd}
    plain = LawConfig(**given).law
    assert LawConfig(**given, classes="balanced", targets="balanced").law == plain


@pytest.mark.parametrize("compare", ["published", "predicted", "untrained"])
def test_measured_agreement_is_near_its_law(compare):
    """One seed of 4 draws of isotropic data: within .12 of the law, five deviations of the widest."""
    data = GaussianData(dim=40, num_train=60, num_test=200)
    record = measure_law(LawConfig(data=data, compare=compare, targets="balanced", width=500, draws=8))
    assert record["num_test"] == 8 * 200
    assert record["agreement_test"] == pytest.approx(record["law_agreement_test"], abs=0.12)
    if compare == "published":
        assert record["label_agreement_test"] == pytest.approx(record["law_agreement_test"], abs=0.005)


def test_labels_of_the_data_are_kept_or_replaced():
    """With two classes far apart every f̂ of their labels agrees with ĝ; of random labels not."""
    far = ShiftedGaussianData(dim=30, num_train=40, num_test=100, shift=1.0)
    own, other = (
        measure_law(LawConfig(data=far, compare="published", classes=classes, draws=3))["agreement_test"]
        for classes in ("data", "random")
    )
    assert own == 1 > other


def test_a_record_is_a_function_of_its_configuration_and_a_mean_over_draws():
    config = LawConfig(data=DATA, compare="untrained", width=50, draws=2)
    assert measure_law(config) == measure_law(config)
    assert measure_law(config) != measure_law(LawConfig(data=DATA, compare="untrained", width=50, draws=1))
    hashes = {LAWS.hash(one) for one in (config, LawConfig(data=DATA, compare="predicted"))}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compare": "trained"}, "compare must be one of published, predicted, untrained, got 'trained'"),
        ({"classes": "odd"}, "classes must be one of data, random, balanced, got 'odd'"),
        ({"targets": "data"}, "targets must be one of random, balanced, got 'data'"),
        ({"depth": 0}, "depth must be >= 1"),
        ({"draws": 0}, "draws must be >= 1"),
        ({"width": 0}, "width must be >= 1"),
        ({"epsilon": 0.0}, "epsilon must be > 0"),
        ({"negative_slope": 1.0}, r"negative_slope must lie in \[0, 1\)"),
        ({"seed": -1}, "seed must be >= 0"),
    ],
)
def test_configs_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        LawConfig(**{"data": DATA, "compare": "published", **options})


def test_what_fails_leaves_the_others():
    configs = [
        LawConfig(data=data, compare="published", draws=1) for data in (DigitsData(classes=("1", "x")), DATA)
    ]
    found = dict(run_laws(configs))
    assert "x" in found[0].error
    assert np.isfinite(found[1].record["agreement_test"])
