"""Studies: what each varies, and that the smallest of them run."""

import math

import pytest
from scipy import stats

from empirics.campaigns import campaign
from empirics.campaigns.wide import STUDIES, Part
from empirics.families import family_key, run_family


def points(name, **options):
    return Part(kind="study", name=name, **options).points()


@pytest.mark.parametrize("name", STUDIES)
def test_study_is_a_plan_of_one_configuration_a_point_and_seed(name):
    made = points(name, seeds=2)
    for point in made:
        assert [config.seed for config in point.configs] == [0, 1]
        # Networks of the lazy regime are many neurons: their flow costs more than the difference to descent.
        solver = "gd" if name == "training-time" else "flow"
        assert {getattr(config, "solver", solver) for config in point.configs} == {solver}
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


def test_training_time_varies_the_time_of_g_for_three_data_sets_and_three_losses():
    made = points("training-time", seeds=1)
    assert {c.data.name for point in made for c in point.configs} == {
        "shifted-gaussian",
        "gaussian",
        "digits",
    }
    assert {c.loss for point in made for c in point.configs} == {"identity", "logistic", "squared"}
    for point in made:
        (config,) = point.configs
        assert config.T_g == point.x
        assert config.width == 2000
        assert point.sweep.endswith(f"({config.loss} loss)")


def test_sweeps_that_g_alone_depends_on_share_f():
    """Of eight sweeps three have the same data and initial f."""
    keys = {family_key(c) for point in points("training-time", seeds=1) for c in point.configs}
    assert len(keys) == 6


@pytest.mark.parametrize(("dim", "rate"), [(10, 0.83), (30, 0.95), (100, 0.999)])
def test_bayes_accuracy_of_the_shifted_gaussian_is_as_stated(dim, rate):
    """Φ(0.3 √d), to the digits stated."""
    digits = len(str(rate)) - 2
    assert round(stats.norm.cdf(0.3 * math.sqrt(dim)), digits) == rate


def test_smallest_width_and_shortest_times_run():
    made = [p for p in points("training-time", seeds=1, sweeps=("digits (identity loss)",)) if p.x <= 0.1]
    made += [p for p in points("width", seeds=1) if p.x == 1]
    for point in made:
        ((_, outcome),) = run_family(point.configs)
        assert outcome.error is None, point
        assert 0 <= outcome.record["agreement_test"] <= 1
