"""Agreement for other losses: nothing is trained, and every loss meets an independent computation."""

import numpy as np
import pytest
from scipy.linalg import expm

import theory
from theory import deep
from theory.times import agreement_law, sampled, sampled_agreement

RNG = np.random.default_rng(3)
N, d = 12, 15
y = np.where(np.arange(N) % 2, 1.0, -1.0)
X = RNG.standard_normal((N, d)) + 0.3 * y[:, None]
Z = RNG.standard_normal((5, d))
DATA = {"Z": Z, "X": X, "y": y}
DEEP = deep.Architecture(depth=2, negative_slope=0.1, rates="all", bias_variance=0.1)
RESIDUAL = deep.Architecture(depth=3, residual=0.7, bias_variance=0.2, branch_variance=1.5)
ARCHITECTURES = pytest.mark.parametrize("architecture", [deep.Architecture(), DEEP, RESIDUAL], ids=str)


@ARCHITECTURES
def test_gradients_of_untrained_networks_are_differences_of_outputs(architecture):
    step, point = 1e-7, X[0]
    points = np.vstack([point, point + step * np.eye(d)])
    outputs, gradients = sampled._untrained(points, architecture, 30, np.random.default_rng(0))
    np.testing.assert_allclose((outputs[1:] - outputs[0]) / step, gradients[0], atol=1e-5)


@pytest.mark.parametrize("architecture", [deep.Architecture(), DEEP], ids=str)
def test_untrained_networks_have_their_covariance(architecture):
    """15 second moments of 2,000 networks; the test fails by chance with probability 1e-4."""
    rng = np.random.default_rng(1)
    drawn = np.array([sampled._untrained(Z, architecture, 60, rng)[0] for _ in range(2000)])
    products = drawn[:, :, None] * drawn[:, None, :]
    errors = products.std(axis=0) / np.sqrt(2000)
    difference = np.abs(products.mean(axis=0) - deep.nngp(Z, architecture=architecture))
    assert (difference < 4.6 * errors + 0.02).all()  # 0.02: of order 1/width for z ≠ z' in deep networks


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize("architecture", [deep.Architecture(), DEEP], ids=["two layers", "deep"])
def test_with_identity_loss_it_is_the_law(architecture, scenario):
    """Six shares, each over 150 networks of d = 15: it fails by chance with probability 1e-4."""
    settings = {"T_f": [0.0, 2.0], "architecture": architecture, "scenario": scenario, "targets": "balanced"}
    T_g = [0.1, 1.0, 10.0]
    found = sampled_agreement(
        **DATA, **settings, T_g=T_g, loss="identity", num_networks=150, rng=np.random.default_rng(2)
    )
    law = agreement_law(**DATA, **settings)
    # The law leaves out that norms of gradients fluctuate, by √(2/d) relatively: d = 15 here.
    np.testing.assert_array_less(np.abs(law.share(T_g) - found.share), 4.3 * found.standard_error + 0.01)


@pytest.mark.parametrize("loss", ["logistic", "squared", "exponential"])
def test_g_is_that_of_the_lazy_equation(loss):
    """Many draws of g by `theory.lazy_predict`, and their standard errors: fails with probability 1e-4."""
    rng, pair_rng = np.random.default_rng(4), np.random.default_rng(5)
    times, count = np.array([0.5, 3.0]), 3000
    t = rng.permutation(y)
    R = RNG.standard_normal((N, d))
    f = RNG.standard_normal(5)
    pair = sampled.Pair.checked(Z, X, y, t, 0.0, None, "a")
    got = sampled._agreement(pair, f, R, t, times, loss, 2000, pair_rng)
    at_R, at_Z = theory.draw_initial_outputs(Z, X=R, num_samples=count, rng=rng)
    for row, T in zip(got, times, strict=True):
        g = theory.lazy_predict(
            Z, X=R, y=t, T=T, loss=loss, initial_outputs=at_R, initial_at_Z=at_Z, tolerance=1e-4
        )
        share = (np.sign(g) == np.sign(f)).mean(axis=0)
        errors = np.sqrt(share * (1 - share)) * (1 / count + (loss != "squared") / 2000) ** 0.5
        assert (np.abs(row - share) < 4.3 * errors + 1e-3).all()


def test_losses_at_short_times_are_one_loss_at_another_time():
    """To first order in T_f and T_g ℓ'(0) is a factor of both times: logistic 1/2."""
    arguments = DATA | {"targets": y, "num_networks": 3, "num_initial": 4000}
    losses = {
        loss: sampled_agreement(**arguments, T_f=0.0, T_g=T, loss=loss, rng=np.random.default_rng(6)).share
        for loss, T in (("identity", 0.05), ("logistic", 0.1))
    }
    assert losses["logistic"] == pytest.approx(losses["identity"], abs=4.3 * 0.5 / np.sqrt(3 * 4000) + 0.004)


def test_shares_and_errors_are_those_of_the_networks():
    found = sampled_agreement(
        **DATA, T_f=1.0, T_g=[1.0, 2.0], loss="squared", num_networks=4, rng=np.random.default_rng(0)
    )
    assert found.networks.shape == (4, 1, 2, 5)
    each = found.networks.mean(axis=-1)
    np.testing.assert_allclose(found.share, each.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.standard_error, each.std(axis=0, ddof=1) / 2, rtol=1e-12)
    one = sampled_agreement(
        **DATA, T_f=1.0, T_g=1.0, loss="squared", num_networks=1, rng=np.random.default_rng(0)
    )
    assert np.isnan(one.standard_error).all()


def test_squared_loss_saturates():
    """After long training g has the labels at its samples: agreement no longer changes."""
    late = sampled_agreement(
        **DATA, T_f=1e4, T_g=[1e4, 1e6], loss="squared", num_networks=3, rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(late.share[0, 0], late.share[0, 1], atol=1e-6)
    assert late.share[0, 0] < 0.99


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, "loss must be one of identity, logistic, squared, exponential, got 'hinge'"),
        ({"T_g": -1.0}, "T_g must be >= 0, got -1"),
        ({"num_networks": 0}, "num_networks must be >= 1, got 0"),
    ],
)
def test_bad_input_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        sampled_agreement(
            **DATA | {"T_f": 1.0, "T_g": 1.0, "loss": "squared", "rng": np.random.default_rng(0)} | changes
        )


@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_lazy_training_of_depth_one_is_that_of_two_layers(loss):
    initial = {"initial_outputs": np.linspace(-1, 1, N), "initial_at_Z": np.zeros(5)}
    two = theory.lazy_predict(Z, X=X, y=y, T=2.0, loss=loss, negative_slope=0.2, **initial)
    one = deep.Architecture(depth=1, negative_slope=0.2)
    np.testing.assert_allclose(
        theory.lazy_predict(Z, X=X, y=y, T=2.0, loss=loss, architecture=one, **initial), two, rtol=1e-6
    )
    K = theory.initial_covariance(X, Z, negative_slope=0.2)
    np.testing.assert_allclose(theory.initial_covariance(X, Z, architecture=one), K, rtol=1e-12)
    with pytest.raises(ValueError, match="negative_slope must be left out where architecture is given"):
        theory.lazy_weights(X=X, y=y, T=1.0, loss=loss, negative_slope=0.2, architecture=one)


def test_lazy_training_of_a_deep_network_solves_its_own_equation():
    """Squared loss: do/dt = Θ(y − o)/N has o = y − e^(−ΘT/N)(y − o₀)."""
    K, T = deep.ntk(X, architecture=DEEP), 0.05
    initial = np.linspace(-1, 1, N)
    got = theory.lazy_predict(
        X, X=X, y=y, T=T, loss="squared", architecture=DEEP, initial_outputs=initial, initial_at_Z=initial
    )
    np.testing.assert_allclose(got, y - expm(-K * T / N) @ (y - initial), rtol=1e-9)
