"""What is claimed of predictions: the widest set first, and a criterion that can fail."""

from collections import Counter

import pytest

from empirics.campaigns.wide import Part
from reports.claims.sweeps.explained import RULE_RUNS, criterion_of
from reports.claims.sweeps.rows import Explained, Prediction, Section
from tests.test_reports.made_up_sweeps import built as everything

WHOLE = Part(kind="published", name="msg-a", seeds=1, solver="flow")


def built(part, columns):
    """Return the section of a part; `columns` gives those of a run by index and configuration."""
    index = {config: place for place, config in enumerate(_configs(part))}
    results = everything(part, lambda _, config: columns(index[config], config))
    return results.sections[0], results.claims


@pytest.fixture(scope="module")
def flattering():
    """A predictor that is right in the subset of the rule only."""

    def columns(index, config):
        right = config.width >= 30 and config.T_f > 9000 and config.T_g > 9000
        measured = 0.5 + 0.4 * (index % 7) / 7
        return {"accuracy_g_train": measured, "two_point_accuracy_g_train": measured if right else 0.9}

    return built(WHOLE, columns)


def test_shown_set_is_the_widest_with_identity_loss(flattering):
    section, said = flattering
    chosen = section.shown
    assert (chosen.runs, chosen.total) == ("identity loss", 424)
    first = chosen.predictions[0]
    assert first.n == 424
    assert first.mean_error > 0.1
    statement = "Predicted accuracy of g, two samples (g trained on two points)"
    (line,) = [c for c in said if c.statement == statement]
    assert line.measured.startswith(f"mean absolute error {first.mean_error:.3g}, ")
    assert "424 runs; of the subset mean absolute error " in line.measured
    assert line.rule == f"run by run; identity loss; subset: {RULE_RUNS}"


def test_runs_with_identity_loss_are_shown_by_how_lazy_they_are():
    """Both ends: each run with both rates is in one set; one with a rate missing in none."""
    rates = [(0.05, 0.1), (0.1, 0.10001), (3.0, 0.2), (10.5, 0.0), (None, 0.1)]

    def columns(index, config):
        tau_f, tau_g = rates[index % 5]
        return {"accuracy_g_train": 0.5, "lazy_accuracy_g_train": 0.5, "tau_f": tau_f, "tau_g": tau_g}

    section, _ = built(WHOLE, columns)
    sets = {one.runs: one.total for one in section.explained}
    of_rates = Counter(index % 5 for index, config in enumerate(_configs(WHOLE)) if config.loss == "identity")
    assert sum(of_rates.values()) == sets["identity loss"]
    for index, label in enumerate(["τ ≤ 0.1", "0.1 < τ ≤ 1", "1 < τ ≤ 10", "τ > 10"]):
        assert sets[f"identity loss, {label}"] == of_rates[index] > 50


def _configs(part):
    """Return the configurations of a part in the order of `built`."""
    return list(dict.fromkeys(config for point in part.points() for config in point.configs))


def test_sets_without_a_prediction_are_passed_over():
    none, some = (Explained(runs="", total=3, predictions=(Prediction(name="x", n=n),)) for n in (0, 3))
    assert Section(title="", panels=(), explained=(none, some)).shown is some
    assert Section(title="", panels=(), explained=(none,)).shown is none


def verdicts(part, seeds=10, **quality):
    """Return the verdicts of a predictor with `quality` in the mean over seeds that differ by 1e-4."""
    made = {"n": 77, "correlation": 0.998, "mean_error": 0.004} | quality
    steps = [1e-4 * (seed - (seeds - 1) / 2) / seeds for seed in range(seeds)]
    both = made["correlation"], made["mean_error"]
    of_seeds = {i: tuple(None if v is None else v + s for v in both) for i, s in enumerate(steps)}
    names = "accuracy of g, wide limit", "agreement, rule"
    rows = tuple(Prediction(name=name, seeds=of_seeds, **made) for name in names)
    return [
        row.verdict
        for row in criterion_of(part, [Explained(runs=RULE_RUNS, total=77, predictions=rows)]).predictions
    ]


@pytest.mark.parametrize(
    ("quality", "verdict"),
    [
        ({}, "holds"),
        ({"correlation": 0.9966}, "fails"),  # .997 if it were rounded
        ({"mean_error": 0.01049}, "fails"),  # .010 if it were rounded
        ({"correlation": 0.997}, "unknown"),
        ({"mean_error": 0.01}, "unknown"),
        ({"correlation": -0.999}, "fails"),
        ({"correlation": None}, "unknown"),
        ({"n": 76}, "unknown"),  # a run without a value
        ({"seeds": 4}, "unknown"),
    ],
)
def test_criterion(quality, verdict):
    assert verdicts(WHOLE, **quality) == [verdict]


def test_each_seed_has_its_own_correlation_and_error():
    """Errors of .1 on one seed and 0 on the others; its predictions are the wrong way round."""
    part = Part(kind="published", name="msg-a", seeds=3, sweeps=("slope",), solver="flow")

    def columns(_index, config):
        measured = 0.5 + config.negative_slope / 10
        wrong = config.seed == 1
        return {"accuracy_g_train": measured, "lazy_accuracy_g_train": 1.1 - measured if wrong else measured}

    section, _ = built(part, columns)
    (row,) = [one for one in section.explained[0].predictions if one.name.endswith("initial weights")
              and one.n]  # fmt: skip
    assert {seed: one[0] for seed, one in row.seeds.items()} == pytest.approx({0: 1, 1: -1, 2: 1})
    errors = [error for _, error in row.seeds.values()]
    assert errors[::2] == [0, 0]
    assert row.mean_error == pytest.approx(errors[1] / 3)


def test_criterion_is_unknown_without_all_sweeps():
    some = Part(kind="published", name="msg-a", seeds=1, sweeps=("eps", "d"))
    assert verdicts(some) == ["unknown"]
    every = tuple(sorted({point.sweep for point in WHOLE.points()}))
    assert verdicts(Part(kind="published", name="msg-a", seeds=1, sweeps=every)) == ["holds"]


def test_criterion_of_other_parts():
    """Image blocks have no learning rate 1: all their runs with identity loss; studies have no criterion."""
    digits = Part(kind="published", name="mnist-a", seeds=1, size="small", sweeps=("eps",), solver="flow")
    section, _ = built(digits, lambda *_: {"accuracy_g_train": 0.5, "lazy_accuracy_g_train": 0.5})
    assert (section.criterion.runs, section.criterion.total) == ("all runs", 44)
    assert criterion_of(Part(kind="study", name="lazy"), []) is None


def of_criterion(said):
    (line,) = [c for c in said if c.statement.startswith("Accuracy of g predicted with correlation")]
    return line


def test_claims_tell_what_fails(flattering):
    line = of_criterion(flattering[1])
    assert line.measured == (
        "without training: no prediction. Beside it, with training: "
        "unknown: two samples (g trained on two points) (not decided: 1 seed; 9 are asked for)"
    )
    assert line.rule.startswith(f"77 runs: {RULE_RUNS}; means over seeds, not rounded")


def test_criterion_is_about_predictions_without_training_first():
    def columns(index, _config):
        measured = 0.5 + 0.4 * (index % 7) / 7
        right = ("accuracy_g_train", "two_point_accuracy_g_train", "predicted_accuracy_g_train")
        wrong = ("given_f_accuracy_g_train", "lazy_accuracy_g_train")
        return dict.fromkeys(right, measured) | dict.fromkeys(wrong, 0.9)

    section, said = built(WHOLE, columns)
    assert [row.trained for row in section.criterion.predictions] == [False, False, True, True]
    few = "(not decided: 1 seed; 9 are asked for)"
    constant = "(not decided: a value is missing or not finite; not decided: 1 seed; 9 are asked for)"
    assert of_criterion(said).measured == (
        f"without training: unknown: initial weights {constant}, wide limit {few}. Beside it, with training: "
        f"unknown: two samples (g trained on two points) {few}, "
        f"wide limit given the perturbations of f (f trained) {constant}"
    )
