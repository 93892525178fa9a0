"""Studies: what each varies, and that the smallest of them run."""

import math

import pytest
from scipy import stats

from empirics.campaigns import campaign
from empirics.campaigns.wide import STUDIES, Part


def points(name, **options):
    return Part(kind="study", name=name, **options).points()


@pytest.mark.parametrize("name", STUDIES)
def test_study_is_a_plan_of_one_configuration_a_point_and_seed(name):
    made = points(name, seeds=2)
    for point in made:
        first = point.configs[0].seed
        assert [config.seed - first for config in point.configs] == [0, 1]
        assert {getattr(config, "solver", "flow") for config in point.configs} == {"flow"}
    experiment = Part(kind="study", name=name).experiment
    hashes = {experiment.hash(config) for point in made for config in point.configs}
    assert len(hashes) == 2 * len({point.configs for point in made})
    assert {point.sweep for point in made} == campaign(name).sweeps().keys()
    assert not [
        sweep for sweep in campaign(name).sweeps() if "," in sweep
    ]  # the command line separates by commas


def test_perturbation_size_is_measured_in_roots_of_the_dimension():
    seen = set()
    for point in points("perturbation-size", seeds=1):
        (config,) = point.configs
        assert point.sweep == f"d = {config.data.dim}"
        assert config.epsilon == pytest.approx(point.x * math.sqrt(config.data.dim), rel=1e-5)  # 6 digits
        seen.add(config.data.dim)
    assert len(seen) >= 3


def test_training_time_varies_the_time_of_g_for_data_losses_and_depths():
    made = points("training-time", seeds=1)
    configs = [config for point in made for config in point.configs]
    assert [config.T_g for config in configs] == [point.x for point in made]
    assert {c.data.name for c in configs} == {"shifted-gaussian", "gaussian", "digits", "breast-cancer"}
    assert {c.loss for c in configs} == {"identity", "logistic", "squared"}
    assert {c.depth for c in configs} == {1, 2, 3}
    assert len({point.sweep for point in made}) >= 12
    assert {point.sweep for point in made if point.configs[0].loss != "identity"} == {
        point.sweep for point in made if "loss" in point.sweep
    }


@pytest.mark.parametrize("name", STUDIES)
def test_points_share_seeds_unless_the_study_is_independent(name):
    """With more seeds the first ones stay, and those of a sweep are the same without the others."""
    made, alone = points(name, seeds=3), []
    if campaign(name).independent:
        assert len({config.seed for point in made for config in point.configs}) == 3 * len(made)
        alone = [p for sweep in campaign(name).sweeps() for p in points(name, seeds=2, sweeps=(sweep,))]
        assert [p.configs for p in alone] == [p.configs[:2] for p in made]
    else:
        assert {config.seed for point in made for config in point.configs} == {0, 1, 2}
    assert campaign(name).independent == (name == "training-time")


def test_more_seeds_than_points_are_apart_are_refused():
    with pytest.raises(ValueError, match="seeds must be <= 1000000, got 1000001"):
        Part(kind="study", name="training-time", seeds=1_000_001)


@pytest.mark.parametrize(("dim", "rate"), [(10, 0.83), (30, 0.95), (100, 0.999)])
def test_bayes_accuracy_of_the_shifted_gaussian_is_as_stated(dim, rate):
    """Φ(0.3 √d), to the digits stated."""
    digits = len(str(rate)) - 2
    assert round(stats.norm.cdf(0.3 * math.sqrt(dim)), digits) == rate


def test_smallest_width_and_shortest_times_run():
    made = [p for p in points("training-time", seeds=1, sweeps=("digits",)) if p.x <= 0.1]
    made += [p for p in points("width", seeds=1) if p.x == 1]
    for point in made:
        ((_, outcome),) = Part(kind="study", name=point.block).experiment.run(point.configs, device="cpu")
        assert outcome.error is None, point
        assert 0 <= outcome.record["agreement_test"] <= 1
