"""Why f and g differ: an account that adds up, and the right cause where it is known in advance."""

import numpy as np
import pytest
import torch

import theory
from empirics import DigitsData, ExperimentConfig, ShiftedGaussianData, run
from empirics.measure import agrees, diagnosis, evaluate
from empirics.measure.diagnosis import Account, blame
from empirics.model import TwoLayerNet

# Networks in float64: a sum over at most 10⁴ neurons and 100 samples, of terms below 100.
ADDED = 1e-9


def _one(output, signal, **terms):
    """One point: terms that are not named are 0."""
    names = {name.replace(" ", "_"): name for name in diagnosis.TERMS}
    values = {name: np.array([float(terms.get(short, 0.0))]) for short, name in names.items()}
    return Account(output=np.array([output]), signal=np.array([signal]), terms=values)


# The account ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_account_adds_up_and_has_the_parts_that_it_names(scenario, momentum):
    config = ExperimentConfig(
        data=ShiftedGaussianData(dim=4, num_train=20, num_test=30),
        width=50,
        negative_slope=0.2,
        scenario=scenario,
        precision="float64",
        momentum=momentum,
        T_f=3.0,
        T_g=2.0,
    )
    result = run(config)
    every = np.ones(30, dtype=bool)
    f, g = diagnosis._accounts(result, every)
    for one, points, T in ((f, result.points_f, 3.0), (g, result.points_g, 2.0)):
        np.testing.assert_allclose(one.output, points.final, atol=ADDED)
        np.testing.assert_allclose(one.signal + sum(one.terms.values()), one.output, atol=ADDED)
        limit = one.output - sum(one.terms[n] for n in ("initial network", "kernel fluctuation", "flips"))
        np.testing.assert_allclose(limit, T * points.predicted, atol=ADDED)
    np.testing.assert_allclose(f.signal, 3.0 * result.points_f.published, atol=ADDED)
    assert not f.terms["sample labels"].any()
    assert bool(g.terms["sample labels"].any()) == (scenario == "b")
    mean_phi = theory.phi(result.X_adv, result.dataset.X_test, negative_slope=0.2).mean(axis=0)
    np.testing.assert_allclose(g.terms["label imbalance"], 2.0 * result.y_adv.mean() * mean_phi, atol=ADDED)


def test_kernel_is_that_of_the_first_step():
    """One small step changes f by η times the sum over the kernel: no neuron flips at η = 1e-9."""
    network = TwoLayerNet.initialise(3, 40, negative_slope=0.3, seed=1, dtype=torch.float64)
    rng = np.random.default_rng(0)
    X, Z, y = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)), np.array([1, -1, 1, 1, -1, 1, -1.0])
    kernel = diagnosis.initial_kernel(network, X, Z)
    before = evaluate(network, Z)
    loss = -(torch.as_tensor(y) * network(torch.as_tensor(X))).mean()
    loss.backward()
    with torch.no_grad():
        network.weight -= 1e-9 * network.weight.grad
        network.bias -= 1e-9 * network.bias.grad
    velocity = (evaluate(network, Z) - before) / 1e-9
    expected = (kernel * (y[:, None] * (X @ Z.T + 1))).mean(axis=0)
    np.testing.assert_allclose(velocity, expected, atol=1e-5)  # rounding of f over the step: 1e-16/1e-9


def test_no_flip_at_the_start_of_training():
    data = ShiftedGaussianData(dim=4, num_train=20, num_test=30)
    result = run(ExperimentConfig(data=data, width=50, T_f=1e-6, T_g=1e-6, precision="float64"))
    for one in diagnosis._accounts(result, np.ones(30, dtype=bool)):
        # Rounding of outputs of order 1 is 1e-16; the fluctuation is 1e-6 times a number of order 1.
        assert np.abs(one.terms["flips"]).max() < 1e-7 * np.abs(one.terms["kernel fluctuation"]).max()


# Causes that are known --------------------------------------------------------------------------------


def test_short_training_of_g_leaves_its_initial_network():
    result = run(
        ExperimentConfig(
            data=ShiftedGaussianData(dim=20, num_train=100, num_test=200),
            width=3_000,
            T_f=10.0,
            T_g=1e-3,
        )
    )
    found, _ = diagnosis.examine(result)
    assert found.differ > 60  # half of 200, by a coin: fewer has probability below 1e-8
    assert found.causes["g: initial network"] > 0.95 * found.differ
    assert found.enough["g: initial network"] == found.causes["g: initial network"]


def test_unbalanced_targets_outweigh_small_perturbations():
    """With ε = 1e-3 and all targets +1 g learns the target through its bias alone."""
    config = ExperimentConfig(
        data=ShiftedGaussianData(dim=20, num_train=100, num_test=200),
        width=20_000,
        epsilon=1e-3,
        T_f=2.0,
        T_g=40.0,
    )
    result = _with_targets(config, np.ones(100))
    found, _ = diagnosis.examine(result)
    assert 60 < found.differ < 140  # the class whose label is not the target
    # 96 of 97; at the last one f is at fault, whose signal is small there.
    assert found.causes["g: label imbalance"] >= 0.95 * found.differ
    assert found.enough["g: label imbalance"] > 0.8 * found.differ  # 89: elsewhere the initial g helps


def _with_targets(config, targets):
    """The experiment with targets of our own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("empirics.pairs.draw_targets", lambda N, kind, rng: targets)
        return run(config)


def test_narrow_networks_flip():
    """Ten neurons and a long time: what the kernel of the start does not explain."""
    counts = dict.fromkeys(diagnosis.CAUSES, 0)
    for seed in range(6):
        result = run(
            ExperimentConfig(
                data=DigitsData(test_fraction=0.5), width=10, T_f=200.0, T_g=200.0, num_steps=200, seed=seed
            )
        )
        for cause, count in diagnosis.examine(result)[0].causes.items():
            counts[cause] += count
    finite = sum(counts[f"{n}: {t}"] for n in "fg" for t in ("flips", "kernel fluctuation"))
    initial = counts["f: initial network"] + counts["g: initial network"]
    assert counts["f: flips"] + counts["g: flips"] > 0
    assert finite > 10 * initial


def test_signals_that_differ_are_told_apart():
    f, g = _one(2.0, 1.0, flips=1.0), _one(-2.0, -1.0, flips=-1.0)
    assert blame(f, g, np.array([False])) == (["condition (c)"], [True])
    assert blame(f, g, np.array([True])) == ([diagnosis.STRAYED], [True])


def test_term_that_opposes_most_is_to_blame():
    f = _one(2.0, 1.0, initial_network=1.0)
    g = _one(-1.0, 4.0, initial_network=-3.0, flips=-4.0, other_bias=2.0)
    assert blame(f, g, np.array([True])) == (["g: flips"], [True])  # −1 + 4 > 0
    g = _one(-2.0, 4.0, initial_network=-3.0, flips=-3.5, other_bias=0.5)
    assert blame(f, g, np.array([True])) == (["g: flips"], [True])
    g = _one(-5.0, 4.0, initial_network=-4.4, flips=-4.6)
    assert blame(f, g, np.array([True])) == (["g: flips"], [False])  # both are needed
    mirrored = [
        Account(output=-one.output, signal=-one.signal, terms={k: -v for k, v in one.terms.items()})
        for one in (f, g)
    ]
    assert blame(*mirrored, np.array([True])) == (["g: flips"], [False])


def test_f_can_be_at_fault():
    f, g = _one(-1.0, 1.0, kernel_fluctuation=-2.0), _one(3.0, 3.0)
    assert blame(f, g, np.array([True])) == (["f: kernel fluctuation"], [True])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_number_that_is_not_finite_makes_the_cause_unknown(bad):
    right = _one(1.0, 1.0)
    for wrong in (_one(bad, 1.0), _one(-1.0, bad), _one(-1.0, 1.0, flips=bad)):
        assert blame(right, wrong, np.array([True])) == (["unknown"], [False])
        assert blame(wrong, right, np.array([True])) == (["unknown"], [False])


def test_without_training_there_is_no_signal():
    data = ShiftedGaussianData(dim=3, num_train=8, num_test=40)
    runs = (run(ExperimentConfig(data=data, width=20, T_f=0.0, seed=seed)) for seed in range(30))
    found = next(record for record, _ in map(diagnosis.examine, runs) if record.differ)
    assert found.causes == {"no signal": found.differ}


def test_other_losses_are_unknown():
    result = run(
        ExperimentConfig(data=ShiftedGaussianData(dim=3, num_train=8, num_test=60), width=20, loss="logistic")
    )
    found, sizes = diagnosis.examine(result)
    differ = int((~agrees(result.points_f.final, result.points_g.final)).sum())
    assert found.differ == differ > 0
    assert found.causes == {"unknown": differ}
    assert sizes == []
    assert 0 < max(found.unmet.values()) <= differ
