"""One experiment: deterministic, complete at the edges, and every number what its name says."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from msgspec import structs
from scipy import stats

import theory
from empirics import (
    Dataset,
    ExperimentConfig,
    GaussianData,
    ShiftedGaussianData,
    TwoLayerNet,
    draw_targets,
    run,
)

EPS = np.finfo(np.float64).eps
# A mean or a root mean square of up to 100 numbers, each the result of few operations.
MEANS = 1000 * EPS


def tiny(**options):
    data = ShiftedGaussianData(dim=4, num_train=9, num_test=20, shift=0.7)
    return ExperimentConfig(**{"data": data, "width": 60, "T_f": 2.0, "num_steps": 4, **options})


def numbers_of(result):
    """Return every number of a result, networks included, as bytes."""
    parts = [result.X_adv, result.y_adv, result.dataset.X, result.dataset.X_test]
    for points in (result.points_f, result.points_g):
        parts += dataclasses.astuple(points)
    for trained in (result.trained_f, result.trained_g):
        parts += [part.numpy() for part in trained.final.state_dict().values()]
    scalars = [result.f, result.g, result.cosines, *result.conditions, result.agreement]
    return [part.tobytes() for part in parts], repr(scalars), result.zero_gradients


# Seeds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"scenario": "b", "loss": "logistic", "targets": "balanced"}])
def test_result_depends_on_the_configuration_alone(options):
    first = numbers_of(run(tiny(**options)))
    torch.manual_seed(123)
    state = torch.get_rng_state()
    assert numbers_of(run(tiny(**options))) == first
    assert torch.equal(torch.get_rng_state(), state)
    other = numbers_of(run(tiny(**options, seed=1)))
    assert all(one != two for one, two in zip(first[0][2:], other[0][2:], strict=True))


def test_one_seed_gives_four_streams():
    config = tiny(seed=5)
    result = run(config)
    data, f, g, targets = (int(word) for word in np.random.SeedSequence(5).generate_state(4))
    np.testing.assert_array_equal(result.dataset.X, config.data.load(data).X)
    for trained, seed in ((result.trained_f, f), (result.trained_g, g)):
        assert torch.equal(trained.initial.weight, TwoLayerNet.initialise(4, 60, seed=seed).weight)
    np.testing.assert_array_equal(result.y_adv, draw_targets(9, rng=np.random.default_rng(targets)))
    assert len({data, f, g, targets}) == 4


def test_targets_do_not_depend_on_the_data():
    sources = [ShiftedGaussianData(dim=4, num_train=50), GaussianData(dim=2, num_train=50)]
    targets = [run(ExperimentConfig(data=source, width=1)).y_adv for source in sources]
    np.testing.assert_array_equal(*targets)
    # And over seeds they match random labels of the data as often as chance says (exact test).
    results = [run(ExperimentConfig(data=sources[1], width=1, seed=seed)) for seed in range(20)]
    matches = sum(int((r.y_adv == r.dataset.y).sum()) for r in results)
    assert stats.binomtest(matches, 20 * 50).pvalue >= 1e-6


def test_balanced_targets_are_passed_on():
    assert run(tiny(targets="balanced")).y_adv.sum() == 1  # of 9


# Composition ----------------------------------------------------------------------------------------

VARIANTS = [
    {},
    {"scenario": "b", "epsilon": 0.5, "momentum": 0.5},
    {"loss": "logistic", "negative_slope": 0.3, "T_g": 5.0},
    {"loss": "logistic", "scenario": "b", "targets": "balanced"},
]


@pytest.mark.parametrize("options", VARIANTS)
def test_second_network_is_trained_on_perturbations_of_the_first(options):
    result = run(tiny(precision="float64", **options))
    X, config = result.dataset.X, result.config
    gradients = result.trained_f.final.input_gradients(torch.as_tensor(X)).numpy()
    epsilon = 2.0 if config.epsilon is None else config.epsilon  # √d = 2
    R = epsilon * result.y_adv[:, None] * gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    expected = R if config.scenario == "a" else X + R
    np.testing.assert_allclose(result.X_adv, expected, rtol=0, atol=50 * EPS * np.abs(expected).max())
    for trained, T in ((result.trained_f, config.T_f), (result.trained_g, config.T_g)):
        assert (trained.T, trained.num_steps, trained.loss) == (T, 4, config.loss)
        assert trained.momentum == config.momentum
        assert trained.initial.negative_slope == config.negative_slope
        assert trained.initial.weight.dtype == torch.float64


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("which", ["f", "g"])
def test_measurements_are_what_they_are_called(options, which):
    result = run(tiny(precision="float64", **options))
    data, slope = result.dataset, result.config.negative_slope
    Z, Q, m = data.X_test, len(data.X_test), result.config.width
    trained = getattr(result, f"trained_{which}")
    inputs, labels = (data.X, data.y) if which == "f" else (result.X_adv, result.y_adv)
    points, measured = getattr(result, f"points_{which}"), getattr(result, which)

    def at(network, X):
        w, b, a = (p.detach().numpy() for p in (network.weight, network.bias, network.readout))
        u = X @ w.T + b
        return u, np.maximum(u, slope * u) @ a

    (u_0, f_0), (u_T, f_T) = at(trained.initial, Z), at(trained.final, Z)
    velocity = theory.f_predict(Z, X=inputs, y=labels, negative_slope=slope)
    published = (
        theory.f_hat(Z, X=data.X, y=data.y, negative_slope=slope)
        if which == "f"
        else theory.g_hat(Z, X=data.X, y=data.y, X_adv=inputs, negative_slope=slope)
    )
    for name, expected in (
        ("initial", f_0),
        ("final", f_T),
        ("predicted", velocity),
        ("published", published),
    ):
        np.testing.assert_allclose(getattr(points, name), expected, rtol=0, atol=1e-12)

    kappa = np.abs(Z @ inputs.T + 1).mean(axis=1)
    tau = trained.T * kappa / np.sqrt(((Z**2).sum(axis=1) / 4 + 1) * m)
    share = 2 / np.pi * np.arctan(tau)
    free = np.abs(u_0) <= trained.T * kappa[:, None] * np.abs(trained.initial.readout.numpy())
    tails = [
        2 * min(law[: count + 1].sum(), law[count:].sum())
        for count, law in zip(
            free.sum(axis=1), (stats.binom.pmf(np.arange(m + 1), m, p) for p in share), strict=True
        )
    ]
    expected = {
        "accuracy_train": np.mean(np.sign(at(trained.final, data.X)[1]) == data.y),
        "accuracy_test": np.mean(np.sign(f_T) == data.y_test),
        "error": np.sqrt(np.mean(((f_T - f_0) / trained.T - velocity) ** 2)),
        "scale": np.sqrt(np.mean(velocity**2)),
        "sign_match": np.mean(np.sign(f_T) == np.sign(velocity)),
        "published_sign_match": np.mean(np.sign(f_T) == np.sign(published)),
        "mean_tau": tau.mean(),
        "free_predicted": share.mean(),
        "free_measured": free.mean(),
        "free_pvalue": min(1.0, Q * min(tails)),
        "flipped": np.mean((u_0 > 0) != (u_T > 0)),
        "flipped_not_free": 0,
    }
    # Outputs are sums of 60 terms of size ~1, differences of which are divided by T.
    assert structs.asdict(measured) == pytest.approx(expected, rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("options", VARIANTS)
def test_cosines_are_those_of_gradients_with_their_predictions(options):
    result = run(tiny(precision="float64", **options))
    data, slope = result.dataset, result.config.negative_slope
    start, end = (
        n.input_gradients(torch.as_tensor(data.X)).numpy()
        for n in (result.trained_f.initial, result.trained_f.final)
    )
    u, gradient = (
        theory.perturbation_direction(X=data.X, y=data.y, kind=kind, negative_slope=slope)
        for kind in ("paper", "gradient")
    )

    def mean_cosine(A, B):
        return np.mean([a @ b / (np.sqrt(a @ a) * np.sqrt(b @ b)) for a, b in zip(A, B, strict=True)])

    expected = {
        "perturbation_paper": mean_cosine(end, u),
        "perturbation_gradient": mean_cosine(end, gradient),
        "perturbation_given_initial": mean_cosine(end, start + 2.0 * gradient),
        "trained_paper": mean_cosine(end - start, u),
        "trained_gradient": mean_cosine(end - start, gradient),
        "between": mean_cosine(u, gradient),
    }
    assert structs.asdict(result.cosines) == pytest.approx(expected, rel=0, abs=MEANS)


@dataclasses.dataclass(frozen=True)
class OpposedData:
    """Samples on both sides of 0 with one label: f̂ > 0 on both, while ĝ follows the random targets."""

    name = "opposed"

    def load(self, seed):
        X = np.random.default_rng(seed).choice([-30.0, 30.0], size=(5, 1))
        Z = np.linspace(-30, 30, 100)[:, None]
        return Dataset(self.name, X, np.ones(5), Z, np.ones(100), ("-", "+"), "none")


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize(
    "data", [ShiftedGaussianData(dim=4, num_train=30, num_test=100, shift=0.7), OpposedData()]
)
def test_conditions_partition_the_test_points(scenario, data):
    # A large ε makes the thresholds small enough for some points to meet them.
    d, N = (4, 30) if data.name != "opposed" else (1, 5)
    config = ExperimentConfig(data=data, width=200, epsilon=40.0, T_f=8.0, T_g=5.0, scenario=scenario, seed=1)
    result = run(config)
    f, g = result.points_f, result.points_g
    agree = np.sign(f.final) * np.sign(g.final) > 0
    assert result.agreement.measured == pytest.approx(agree.mean(), abs=MEANS)
    assert [counts.label_noise for counts in result.conditions] == ["published", "scenario"]
    for counts in result.conditions:
        alone = counts.label_noise == "scenario" and scenario == "a"
        noise = (1 if alone else d) / np.sqrt(N)
        assert counts.threshold_a == pytest.approx(1 + 1 / 8, rel=MEANS)
        assert counts.threshold_b == pytest.approx(1 / 8 + np.sqrt(d) / 40 * (1 / 5 + noise), rel=MEANS)
        assert counts.width == ("holds" if d**2 * (8 + 5) ** 2 < 200 else "fails")
        a = np.abs(f.published) > counts.threshold_a
        b = np.abs(g.published) > counts.threshold_b
        c = np.sign(f.published) == np.sign(g.published)
        met = a & b & c
        assert (counts.a, counts.b, counts.c) == (a.sum(), b.sum(), c.sum())
        expected = [(met & agree).sum(), (met & ~agree).sum(), (~met & agree).sum(), (~met & ~agree).sum()]
        found = [counts.met_agree, counts.met_differ, counts.unmet_agree, counts.unmet_differ]
        assert found == expected
        assert sum(found) == 100
        assert 0 < met.sum() < 100
        # The opposed data are here for condition (c).
        assert (met.sum() < (a & b).sum()) == (data.name == "opposed")


# Edges ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize(("T_f", "T_g"), [(0.0, 2.0), (2.0, 0.0), (0.0, 0.0)])
def test_no_time_leaves_nothing_to_predict(scenario, T_f, T_g):
    result = run(tiny(T_f=T_f, T_g=T_g, scenario=scenario))
    for measured, points, T in ((result.f, result.points_f, T_f), (result.g, result.points_g, T_g)):
        assert math.isnan(measured.error) == (T == 0)
        if T == 0:
            np.testing.assert_array_equal(points.final, points.initial)
            assert (measured.free_measured, measured.flipped, measured.free_predicted) == (0, 0, 0)
            assert measured.free_pvalue == 1
    assert math.isnan(result.cosines.trained_gradient) == (T_f == 0)
    for counts in result.conditions:
        assert math.isinf(counts.threshold_a) == (T_f == 0)
        assert math.isinf(counts.threshold_b)
        # An infinite threshold is met nowhere.
        assert counts.met_agree == counts.met_differ == 0
        assert counts.unmet_agree + counts.unmet_differ == 20


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("options", [{}, {"scenario": "b", "loss": "logistic", "negative_slope": 0.5}])
def test_smallest_experiment_runs(seed, options):
    data = GaussianData(dim=1, num_train=1, num_test=1)
    result = run(ExperimentConfig(data=data, width=1, seed=seed, **options))
    assert result.setting.N == result.setting.dim == result.setting.width == 1
    assert math.isfinite(result.f.error)
    assert math.isfinite(result.g.error)
    # Its one gradient is either along the line or 0, and then there is no direction to measure.
    length = 0.0 if result.zero_gradients else 1.0
    R = result.X_adv if result.config.scenario == "a" else result.X_adv - result.dataset.X
    assert abs(R[0, 0]) == pytest.approx(length, abs=4 * EPS * (1 + abs(result.dataset.X[0, 0])))
    assert math.isnan(result.cosines.perturbation_gradient) == (length == 0)


def test_zero_gradient_is_counted_and_spoils_no_mean():
    # Of 9 points the single neuron is inactive at some.
    results = [run(tiny(width=1, seed=seed)) for seed in range(8)]
    some = [r for r in results if 0 < r.zero_gradients < 9]
    assert some
    for result in some:
        assert (result.X_adv == 0).all(axis=1).sum() == result.zero_gradients
        assert math.isfinite(result.cosines.perturbation_gradient)


def test_divergence_is_an_error():
    with pytest.raises(FloatingPointError, match="training diverged"):
        run(tiny(epsilon=1e30, T_g=1e20))


@pytest.mark.parametrize("T_f", [0.0, 1.0])
def test_agreement_is_predicted_also_where_the_initial_network_decides(T_f):
    """Perturbations carry the initial gradient of f: a product of independent chances predicts .50, .54 here.

    12 independent seeds; the mean difference is within five standard errors of the sample (Student's t with
    11 degrees of freedom: failure probability 4e-4 each under the law; the seeds are fixed).
    """
    config = ExperimentConfig(
        data=GaussianData(dim=20, num_train=100, num_test=200), width=4096, T_f=T_f, T_g=10.0, num_steps=5
    )
    results = [run(dataclasses.replace(config, seed=seed)).agreement for seed in range(12)]
    for name in ("predicted", "predicted_given_f"):
        gaps = np.array([result.measured - getattr(result, name) for result in results])
        assert abs(gaps.mean()) < 5 * gaps.std(ddof=1) / np.sqrt(12)
        # And it is no empty statement: chance, 1/2, is far away.
        assert np.mean([getattr(result, name) for result in results]) > 0.6
