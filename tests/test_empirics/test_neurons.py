"""Certificates from simulated neurons: the same training, no neuron beyond its envelope, no wrong sign."""

import numpy as np
import pytest
import torch
from scipy import stats

from empirics import TwoLayerNet, adversarial_inputs, draw_targets, evaluate, perturb, train
from empirics.neurons import (
    Schedule,
    certify_agreement_by_simulation,
    certify_by_simulation,
    simulate_neurons,
)
from theory.bounds import neuron_envelope
from theory.certificates.lazy import Agreement

UNLIKELY = 1e-9


def two_classes(seed, *, N=10, dim=5, shift=0.8, points=6):
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(N) % 2, 1.0, -1.0)
    labels = np.where(np.arange(points) % 2, 1.0, -1.0)
    X = rng.normal(size=(N, dim)) + shift * y[:, None]
    return X, y, rng.normal(size=(points, dim)) + shift * labels[:, None]


def trained(X, y, *, width, schedule, slope=0.0, seed=0):
    network = TwoLayerNet.initialise(X.shape[1], width, negative_slope=slope, seed=seed, dtype=torch.float64)
    return train(
        network,
        torch.as_tensor(X),
        torch.as_tensor(y),
        T=schedule.T,
        num_steps=schedule.num_steps,
        momentum=schedule.momentum,
    )


def perturbed(seed, *, balanced, epsilon=0.02):
    X, y, Z = two_classes(seed, N=40)
    f = trained(X, y, width=50, schedule=Schedule(T=5.0, num_steps=10), seed=seed).final
    targets = draw_targets(len(y), kind="balanced" if balanced else "random", rng=np.random.default_rng(seed))
    return perturb(f, X, targets, epsilon=epsilon).R, targets, Z


# The sample ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0.0, 0.4])
def test_neurons_add_up_to_networks(slope):
    """Mean and variance of f over fresh networks are m E X and m Var X (five standard errors)."""
    X, y, Z = two_classes(0, points=2)
    width, schedule = 20, Schedule(T=15.0, num_steps=8, momentum=0.5)
    neurons = simulate_neurons(
        Z, X=X, y=y, width=width, schedule=schedule, negative_slope=slope, num_neurons=20_000, seed=1
    )
    fresh = simulate_neurons(
        Z, X=X, y=y, width=width, schedule=schedule, negative_slope=slope, num_neurons=20_000, seed=2
    )
    outputs = fresh.outputs.reshape(-1, width, len(Z)).sum(axis=1)
    mean, error = width * neurons.outputs.mean(axis=0), outputs.std(axis=0) / np.sqrt(len(outputs))
    own = width * neurons.outputs.std(axis=0) / np.sqrt(len(neurons.outputs))
    assert (np.abs(outputs.mean(axis=0) - mean) < 5 * np.hypot(error, own)).all()
    ratio = outputs.var(axis=0) / (width * neurons.outputs.var(axis=0))
    assert (np.abs(ratio - 1) < 0.25).all()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_network_is_the_sum_of_its_neurons(momentum):
    """Each neuron of a real network, trained alone with its own readout, does what it does in company."""
    X, y, Z = two_classes(3)
    schedule = Schedule(T=40.0, num_steps=12, momentum=momentum)
    whole = trained(X, y, width=7, schedule=schedule, seed=4)
    total = np.zeros(len(Z))
    for i in range(7):
        initial = whole.initial
        alone = TwoLayerNet(
            initial.weight[i : i + 1].detach(), initial.bias[i : i + 1].detach(), initial.readout[i : i + 1]
        )
        total += evaluate(
            train(
                alone,
                X,
                y,
                T=40.0,
                num_steps=12,
                momentum=momentum,
            ).final,
            Z,
        )
    np.testing.assert_allclose(total, evaluate(whole.final, Z), rtol=1e-9)


def test_the_simulation_shares_no_numbers_with_a_network_of_its_seed():
    X, y, Z = two_classes(0)
    neurons = simulate_neurons(
        Z, X=X, y=y, width=9, schedule=Schedule(T=0.0, num_steps=1), num_neurons=9, seed=5
    )
    again = simulate_neurons(
        Z, X=X, y=y, width=9, schedule=Schedule(T=0.0, num_steps=1), num_neurons=9, seed=5
    )
    network = TwoLayerNet.initialise(5, 9, seed=5, dtype=torch.float64)
    assert np.array_equal(neurons.outputs, again.outputs)
    assert not np.isin(neurons.readouts / 3, network.readout.numpy()).any()
    expected = neurons.readouts[:, None] / 3 * np.maximum(neurons.initial, 0)
    np.testing.assert_allclose(neurons.outputs, expected, rtol=1e-12, atol=1e-15)


# Envelopes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["samples", "balanced", "random", "one class"])
def test_no_neuron_is_beyond_its_envelope(kind, slope, momentum):
    """Displacements of 3,000 trained neurons, with every kind of data, against `direct`, `inner`, `outer`."""
    X, y, Z = two_classes(1, N=40) if kind == "samples" else perturbed(1, balanced=kind == "balanced")
    if kind == "one class":
        y = np.ones(len(y))
    width, schedule = 20, Schedule(T=60.0, num_steps=25, momentum=momentum)
    neurons = simulate_neurons(
        Z, X=X, y=y, width=width, schedule=schedule, negative_slope=slope, num_neurons=3000, seed=1
    )
    envelope = neuron_envelope(
        Z,
        X=X,
        y=y,
        width=width,
        negative_slope=slope,
        T=60.0,
        num_steps=25,
        momentum=momentum,
        truncation=0.1,
    )
    # u(z; T) again from the outputs: φ is inverted where it can be.
    hidden = neurons.outputs / (neurons.readouts[:, None] / np.sqrt(width))
    final = np.where(hidden > 0, hidden, hidden / slope if slope else np.minimum(neurons.initial, 0.0))
    inside = envelope.inside(neurons.readouts, neurons.norms)
    size = np.abs(neurons.readouts)[:, None]
    moved = 0
    for row, sign in ((0, 1), (1, -1)):
        harm = -sign * np.sign(neurons.readouts)[:, None] * (final - neurons.initial)
        if slope == 0:  # a neuron that ends below 0 has no u to invert: its output alone is compared
            beta = -sign * neurons.readouts[:, None]
            harm = np.where(hidden > 0, harm, -np.inf)
            worst = beta * np.maximum(neurons.initial + beta * envelope.direct[row], 0)
            assert (beta * hidden <= worst + 1e-9).all()
        direct, inner, outer = envelope.direct[row], envelope.inner[row], envelope.outer[row]
        room = 1e-9 * (1 + np.abs(neurons.initial))
        assert (harm <= size * direct + room).all()
        beyond_inner = (harm > size * inner + room) & inside[:, None]
        assert (harm[inside] <= size[inside] * np.maximum(inner, outer) + envelope.offset + 1e-9).all()
        chance = beyond_inner.mean(axis=0)
        assert (chance <= envelope.chance + 5 * np.sqrt(envelope.chance / 3000)).all()
        moved += beyond_inner.sum()
    if kind in ("balanced", "samples"):
        assert moved > 0  # the exception is needed


def test_bound_of_the_moment_covers_trained_neurons():
    X, y, Z = perturbed(2, balanced=True)
    width, schedule = 30, Schedule(T=100.0, num_steps=200)
    neurons = simulate_neurons(Z, X=X, y=y, width=width, schedule=schedule, num_neurons=20_000, seed=3)
    envelope = neuron_envelope(Z, X=X, y=y, width=width, T=100.0, num_steps=200, truncation=1e-3)
    for sign in (-1, 1):
        signs = np.full(len(Z), sign)
        exponent = np.full(len(Z), 0.2)
        W = np.exp(-0.2 * sign * neurons.outputs)
        bound = envelope.moment(exponent, signs)
        assert (W.mean(axis=0) <= bound + 5 * W.std(axis=0) / np.sqrt(20_000)).all()
        V = envelope.reference_values(exponent, signs, neurons.readouts, neurons.initial)
        excess = np.maximum(W - V, 0) ** 2
        limit = envelope.excess(exponent, signs, 2)
        assert np.isfinite(limit).all()
        assert (excess.mean(axis=0) <= limit).all()


# Certificates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "slope", "T"), [(8, 0.3, 10.0), (20, 0.3, 10.0), (50, 0.0, 30.0), (50, 0.5, 10.0)]
)
def test_proved_signs_are_those_of_fresh_networks(width, slope, T):
    """Twelve simulations × 400 networks; allowed are δ/2 in each that does not mislead, and δ/2 of those."""
    X, y, Z = two_classes(8, points=4)
    schedule, delta, networks = Schedule(T=T, num_steps=10, momentum=0.3), 0.1, 400
    options = {"width": width, "schedule": schedule, "negative_slope": slope}
    fresh = simulate_neurons(Z, X=X, y=y, num_neurons=width * networks, seed=99, **options)
    signs = np.sign(fresh.outputs.reshape(networks, width, -1).sum(axis=1))
    proved, misled = 0, 0
    for seed in range(12):
        result = certify_by_simulation(Z, X=X, y=y, delta=delta, num_neurons=1500, seed=seed, **options)
        wrong = (signs != result.signs).sum(axis=0)
        allowed = stats.binom.isf(UNLIKELY, networks, np.minimum(result.failure_given_simulation, 1))
        proved += result.certified.sum()
        misled += ((wrong > allowed) & result.certified).sum()
        error = np.abs(result.mean - width * fresh.outputs.mean(axis=0))
        assert (error < 6 * result.standard_error * np.sqrt(1 + 1500 / len(fresh.outputs))).all()
    assert misled == 0  # allowed: 5 % of 48
    assert proved >= 12


def test_agreement_is_proved_for_perturbations_alone():
    """Two stages against fresh f and g; f's perturbations are new with each f."""
    X, y, Z = two_classes(5, N=40, points=8)
    width, schedule = 300, Schedule(T=1000.0, num_steps=500)
    result, wrong = None, 0
    for seed in range(3):
        f = trained(X, y, width=width, schedule=schedule, seed=seed).final
        targets = draw_targets(len(y), kind="balanced", rng=np.random.default_rng(seed))
        X_adv = adversarial_inputs(X, perturb(f, X, targets, epsilon=0.02).R, scenario="a")
        result = certify_agreement_by_simulation(
            Z,
            X=X,
            y=y,
            X_adv=X_adv,
            y_adv=targets,
            width=width,
            schedule_f=schedule,
            schedule_g=schedule,
            delta=0.05,
            num_neurons=2000,
            seed=seed,
        )
        g = trained(X_adv, targets, width=width, schedule=schedule, seed=seed + 50).final
        agree = np.sign(evaluate(f, Z)) == np.sign(evaluate(g, Z))
        verdicts = np.array(result.verdicts)
        wrong += np.sum((verdicts == Agreement.AGREE) & ~agree)
        wrong += np.sum((verdicts == Agreement.DISAGREE) & agree)
        assert result.share >= 0.5
        assert np.array_equal(result.certified, verdicts != Agreement.UNKNOWN)
    assert wrong == 0
    assert result.f.delta == result.g.delta == 0.025


def test_training_that_overflows_is_unknown():
    X, y, Z = two_classes(0)
    schedule = Schedule(T=1e200, num_steps=5)
    result = certify_by_simulation(
        Z, X=1e150 * X, y=y, width=5, schedule=schedule, delta=0.1, num_neurons=20, seed=0
    )
    assert not result.certified.any()
    assert np.isnan(result.mean).all()


def test_zero_time_proves_nothing():
    X, y, Z = two_classes(0)
    for seed in range(5):
        result = certify_by_simulation(
            Z,
            X=X,
            y=y,
            width=10**6,
            schedule=Schedule(T=0.0, num_steps=1),
            delta=0.1,
            simultaneous=True,
            num_neurons=500,
            seed=seed,
        )
        assert not result.certified.any()
        assert result.delta == pytest.approx(0.1 / len(Z))


def test_bad_arguments_are_refused():
    X, y, Z = two_classes(0)
    with pytest.raises(ValueError, match="T must be >= 0"):
        Schedule(T=-1.0, num_steps=3)
    with pytest.raises(ValueError, match="num_steps must be >= 1"):
        Schedule(T=1.0, num_steps=0)
    options = {"width": 5, "schedule": Schedule(T=1.0, num_steps=1), "delta": 0.1}
    with pytest.raises(ValueError, match="num_neurons must be >= 8"):
        certify_by_simulation(Z, X=X, y=y, num_neurons=5, seed=0, **options)
    with pytest.raises(ValueError, match="y must be -1 or \\+1"):
        certify_by_simulation(Z, X=X, y=2 * y, seed=0, **options)
    schedules = {"schedule_f": options["schedule"], "schedule_g": options["schedule"]}
    with pytest.raises(ValueError, match=r"delta must lie in \(0, 1\), got 1.5"):
        certify_agreement_by_simulation(
            Z, X=X, y=y, X_adv=X, y_adv=y, width=5, **schedules, delta=1.5, seed=0
        )
