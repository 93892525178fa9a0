"""Descent in blocks: the same steps as torch's SGD, the flow time of the theory, and its limit."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy import stats

import empirics.model
import theory
from empirics import DigitsData, ShiftedGaussianData, TwoLayerNet, descent, evaluate, train
from empirics.descent import SLOPES, train_path
from theory.lazy import losses
from theory.setting import LOSSES

EPS = np.finfo(np.float64).eps
VALUES = {
    "identity": lambda s: s,
    "logistic": lambda s: torch.nn.functional.softplus(s, threshold=40),
    "squared": lambda s: (1 + s) ** 2 / 2,
    "exponential": torch.exp,
}
# Long enough to move, short enough that rounding does not grow beyond notice.
TIMES = {"identity": 1.5, "logistic": 1.5, "squared": 0.3, "exponential": 0.05}


def problem(*, dim=4, num_points=15, width=40, slope=0.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(7)
    X = torch.randn(num_points, dim, generator=generator, dtype=dtype)
    y = torch.where(torch.arange(num_points) % 3 == 0, -1.0, 1.0).to(dtype)
    return TwoLayerNet.initialise(dim, width, negative_slope=slope, seed=1, dtype=dtype), X, y


def parameters(network):
    return torch.cat([network.weight, network.bias[:, None]], dim=1).detach()


def rounding(trained, X):
    """Bound, to first order, the difference of two float64 trainings of the same network.

    A step's gradient is a sum over N samples, weighted by a sum over m neurons of (d + 1)-term products;
    the parameters are of the size of the largest one or of what the steps add.  All losses but the identity
    feed an error back: ℓ' changes by at most ℓ'' times the change of an output, and an output by at most
    max k(x, x) Σ a_i² of that a unit of flow time.  ∫ ℓ'' is T/4 or T at most, and β for e^s.
    """
    network = trained.initial
    terms = trained.num_steps * (len(X) + network.width + network.dim + 6)
    most = trained.sample_weights.max()
    size = parameters(network).abs().max() + most * network.readout.abs().max() * X.abs().max()
    k = (X**2).sum(dim=1).max() + 1
    curvature = {"identity": 0.0, "logistic": trained.T / 4, "squared": trained.T, "exponential": most}
    growth = math.exp(curvature[trained.loss] * k * (network.readout**2).sum())
    return float(terms * EPS * size * growth)


@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("loss", LOSSES)
def test_training_is_sgd_on_the_loss(loss, momentum, slope):
    network, X, y = problem(slope=slope)
    trained = train(network, X, y, T=TIMES[loss], num_steps=8, momentum=momentum, loss=loss)

    weight, bias = (p.detach().clone().requires_grad_() for p in (network.weight, network.bias))
    copy = TwoLayerNet(weight.detach(), bias.detach(), network.readout, negative_slope=slope)
    optimiser = torch.optim.SGD(copy.parameters(), lr=trained.learning_rate, momentum=momentum)
    for _ in range(8):
        optimiser.zero_grad()
        VALUES[loss](-y * copy(X)).mean().backward()
        optimiser.step()

    tolerance = rounding(trained, X)
    difference = (parameters(trained.final) - parameters(copy)).abs().max()
    moved = (parameters(trained.final) - parameters(network)).abs().max()
    assert difference <= tolerance < 1e-8 * moved


@pytest.mark.parametrize("loss", LOSSES)
def test_result_does_not_depend_on_the_blocks(monkeypatch, loss):
    network, X, y = problem(width=700)
    options = {"T": TIMES[loss], "num_steps": 5, "momentum": 0.5, "loss": loss}
    whole = train(network, X, y, **options)
    monkeypatch.setattr(empirics.model, "_BLOCK", 1)  # blocks of 256, 256 and 188 neurons
    in_blocks = train(network, X, y, **options)
    difference = (parameters(whole.final) - parameters(in_blocks.final)).abs().max()
    assert difference <= rounding(whole, X)


@given(
    T=st.floats(0, 50),
    num_steps=st.integers(1, 30),
    momentum=st.floats(0, 0.99),
    label=st.sampled_from([-1.0, 1.0]),
)
def test_flow_time_is_the_total_weight_of_a_constant_gradient(T, num_steps, momentum, label):
    # One neuron too far from its kink to reach it: its gradient is −y (x, 1) throughout.
    x, start = 0.5, 1000.0
    network = TwoLayerNet(torch.zeros(1, 1), torch.tensor([start]), torch.ones(1)).double()
    X, y = torch.tensor([[x]]).double(), torch.tensor([label]).double()
    trained = train(network, X, y, T=T, num_steps=num_steps, momentum=momentum)
    # Each of `num_steps` updates rounds once, and so do velocities, rate and products.
    tolerance = 4 * (num_steps + 1) * EPS * (start + T)
    assert trained.final.bias.item() == pytest.approx(start + T * label, rel=0, abs=tolerance)
    assert trained.final.weight.item() == pytest.approx(T * label * x, rel=0, abs=tolerance)
    assert trained.T == T
    flow_time = theory.flow_time(trained.learning_rate, num_steps, momentum=momentum)
    assert flow_time == pytest.approx(T, rel=4 * EPS)


@pytest.mark.parametrize("loss", LOSSES)
def test_given_network_and_readout_stay_as_they_are(loss):
    network, X, y = problem()
    before, readout = parameters(network).clone(), network.readout.clone()
    trained = train(network, X, y, T=2.0, num_steps=3, loss=loss)
    assert trained.initial is network
    assert torch.equal(parameters(network), before)
    assert not torch.equal(parameters(trained.final), before)
    for same in (network.readout, trained.final.readout):
        assert torch.equal(same, readout)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_time_leaves_the_network(loss):
    network, X, y = problem()
    trained = train(network, X, y, T=0, num_steps=4, momentum=0.9, loss=loss)
    assert torch.equal(parameters(trained.final), parameters(network))
    assert torch.equal(trained.final.outputs(X), network.outputs(X))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logistic_loss_is_stable_at_huge_outputs(dtype):
    network, X, _ = problem(dtype=dtype)
    network = TwoLayerNet(network.weight.detach() * 1e7, network.bias.detach() * 1e7, network.readout)
    outputs = network.outputs(X)
    assert outputs.abs().min() > 1e5
    right = outputs.sign().to(dtype)
    # ℓ' is 0 at a margin of +10⁵ and 1 at −10⁵, to the last digit: no step, or that of the identity loss.
    kept = train(network, X, right, T=1.0, num_steps=1, loss="logistic")
    assert torch.equal(parameters(kept.final), parameters(network))
    options = {"T": 1e6, "num_steps": 1}
    pushed = train(network, X, -right, loss="logistic", **options)
    linear = train(network, X, -right, loss="identity", **options)
    assert not torch.equal(parameters(pushed.final), parameters(network))
    assert torch.equal(parameters(pushed.final), parameters(linear.final))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("identity", "parameters not finite after 2 steps of 5e"),
        ("logistic", "slope of the logistic loss not finite after 1 steps of 5e"),
        ("squared", "slope of the squared loss not finite after 1 steps of 5e"),
        ("exponential", "slope of the exponential loss not finite after 0 steps of 5e"),
    ],
)
def test_divergence_is_an_error(loss, message):
    network, X, y = problem(dtype=torch.float32)
    with pytest.raises(FloatingPointError, match=f"training diverged: {message}"):
        train(network, X * 1e20, y, T=1e31, num_steps=2, loss=loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_parameters_that_overflow_in_the_last_step_are_an_error(loss):
    network, X, y = problem(dtype=torch.float32)
    with pytest.raises(FloatingPointError, match="parameters not finite after 1 steps of 3e"):
        train(network, 30 * X, y, T=3e38, num_steps=1, loss=loss)


def test_samples_whose_squares_overflow_are_followed_all_the_same():
    rng = np.random.default_rng(0)
    X, y = torch.tensor(rng.normal(size=(4, 20)) * 1e160), torch.tensor([1.0, -1.0, 1.0, -1.0])
    network = TwoLayerNet.initialise(20, 3, seed=0, dtype=torch.float64)
    (run,) = train_path(network, X, y.double(), learning_rate=1e-160, steps=[20])
    W, a = parameters(network).numpy(), network.readout.numpy()
    samples = np.column_stack([X.numpy(), np.ones(4)])
    for _ in range(20):
        W = W + 1e-160 / 4 * a[:, None] * (((W @ samples.T > 0) * y.numpy()) @ samples)
    np.testing.assert_allclose(parameters(run.final).numpy(), W, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e25])
def test_a_gram_matrix_in_float32_gives_the_same_network_up_to_its_rounding(monkeypatch, scale):
    rng = np.random.default_rng(0)
    X, y = torch.tensor(rng.normal(size=(200, 30)) * scale).float(), rng.choice([-1.0, 1.0], 200)
    network = TwoLayerNet.initialise(30, 50, seed=0, dtype=torch.float32)
    options = {"learning_rate": 0.2 / scale, "steps": [100, 200], "momentum": 0.9}
    (_, in_float64) = train_path(network, X, y, **options)
    monkeypatch.setattr(descent, "_MANY_SAMPLES", 100)
    (_, in_float32) = train_path(network, X, y, **options)
    start, one, other = (parameters(of).double() for of in (network, in_float64.final, in_float32.final))
    # A sign that changes a step later moves the weights by some hundredths of what they move in all, and
    # comes back: measured 2e-4, over five more seeds up to 3e-4.  Products of 1e25 are left in float64.
    error = ((one - other).abs().max() / (one - start).abs().max()).item()
    assert 0 < error < 2e-3 if scale == 1 else error == 0


def test_steps_beyond_the_numbers_of_the_network_are_an_error():
    network, X, y = problem(dtype=torch.float32)
    with pytest.raises(FloatingPointError, match=r"a step of 1e[+]39 is beyond torch.float32"):
        train(network, X, y, T=1e39, num_steps=1)


# Losses and snapshots -------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_are_those_of_the_theory(loss):
    s = np.concatenate([np.linspace(-800, 700, 5001), [0.0, -1.0, 1e-300, -1e-300]])
    ours = SLOPES[loss](torch.as_tensor(s)).numpy()
    # Four roundings of exp and quotients, and of the argument of exp, which up to 800 costs 800 more.
    np.testing.assert_allclose(ours, losses.SLOPE[loss](s), rtol=1000 * EPS, atol=np.finfo(float).tiny)
    values = torch.as_tensor(s).requires_grad_()
    VALUES[loss](values).sum().backward()
    np.testing.assert_allclose(ours, values.grad.numpy(), rtol=1000 * EPS, atol=EPS)


@pytest.mark.parametrize("loss", LOSSES)
def test_path_is_the_training_for_each_number_of_steps(loss):
    network, X, y = problem(width=300)
    rate, momentum = 0.02, 0.7
    options = {"momentum": momentum, "loss": loss}
    path = train_path(network, X, y, learning_rate=rate, steps=(0, 1, 2, 7, 11), **options)
    assert [one.num_steps for one in path] == [0, 1, 2, 7, 11]
    assert torch.equal(parameters(path[0].final), parameters(network))
    assert not path[0].sample_weights.any()
    for one in path:
        assert (one.learning_rate, one.momentum, one.loss, one.solver) == (rate, momentum, loss, "gd")
        assert theory.flow_time(rate, one.num_steps, momentum=momentum) == one.T
        assert one.initial is network
        (alone,) = train_path(network, X, y, learning_rate=rate, steps=[one.num_steps], **options)
        assert torch.equal(parameters(alone.final), parameters(one.final))
        np.testing.assert_array_equal(alone.sample_weights, one.sample_weights)
    # Snapshots share no memory.
    assert len({one.final.weight.data_ptr() for one in path}) == len(path)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sample_weights_are_the_weights_with_which_samples_acted(loss, momentum):
    # All samples on the active side of all neurons throughout: W(T) − W(0) = a (1/N) Σ ±β_n y_n (x_n, 1).
    _, X, y = problem(num_points=3)
    generator = torch.Generator().manual_seed(1)
    readout = 0.01 * torch.randn(20, generator=generator, dtype=torch.float64)
    network = TwoLayerNet(torch.zeros(20, 4).double(), torch.full((20,), 10.0).double(), readout)
    trained = train(network, X, y, T=2.0, num_steps=9, momentum=momentum, loss=loss)
    assert bool((torch.cat([X, torch.ones(3, 1)], dim=1) @ parameters(trained.final).T > 0).all())
    weights = torch.as_tensor(trained.sample_weights) * y
    pull = (weights / 3) @ torch.cat([X, torch.ones(3, 1)], dim=1).double()
    expected = parameters(network) + readout[:, None] * pull
    torch.testing.assert_close(parameters(trained.final), expected, rtol=0, atol=1e-13)


def test_loss_slopes_of_either_sign_add_up_in_the_sample_weights():
    # Squared loss and one step so long that it overshoots: ℓ' = 1 − y f is +1 and then 1 − 3 = −2, rate 3.
    network = TwoLayerNet(torch.zeros(1, 1), torch.zeros(1), torch.ones(1), negative_slope=0.0).double()
    network = TwoLayerNet(network.weight.detach(), torch.tensor([1e-30]).double(), torch.ones(1).double())
    X, y = torch.zeros(1, 1).double(), torch.ones(1).double()
    path = train_path(network, X, y, learning_rate=3.0, steps=(1, 2), loss="squared")
    assert [float(one.sample_weights[0]) for one in path] == pytest.approx([3.0, 9.0], rel=4 * EPS)
    assert [one.final.bias.item() for one in path] == pytest.approx([3.0, -3.0], rel=4 * EPS)


def test_number_of_threads_is_given_back():
    network, X, y = problem()
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        train(network, X, y, T=1.0, num_steps=2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"T": -1.0}, ValueError, "T must be >= 0, got -1.0"),
        ({"T": math.nan}, ValueError, "T must be finite, got nan"),
        ({"T": "1"}, TypeError, "T must be a real number, got '1'"),
        ({"num_steps": 0}, ValueError, "num_steps must be >= 1, got 0"),
        ({"num_steps": 1.0}, TypeError, "num_steps must be an integer, got 1.0"),
        ({"momentum": 1.0}, ValueError, r"momentum must lie in \[0, 1\), got 1.0"),
        ({"momentum": -0.1}, ValueError, r"momentum must lie in \[0, 1\), got -0.1"),
        (
            {"loss": "hinge"},
            ValueError,
            "loss must be one of identity, logistic, squared, exponential, got 'h",
        ),
    ],
)
def test_train_rejects_bad_arguments(options, error, message):
    network = TwoLayerNet.initialise(2, 5, seed=0)
    arguments = {"X": torch.ones(3, 2), "y": torch.ones(3), "T": 1.0, "num_steps": 2, **options}
    with pytest.raises(error, match=message):
        train(network, arguments.pop("X"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": ()}, ValueError, r"steps must be increasing and not empty, got \[\]"),
        ({"steps": (2, 2)}, ValueError, r"steps must be increasing and not empty, got \[2, 2\]"),
        ({"steps": (3, 1)}, ValueError, r"steps must be increasing and not empty, got \[3, 1\]"),
        ({"steps": (-1, 1)}, ValueError, "steps must be >= 0, got -1"),
        ({"steps": (1.5,)}, TypeError, "steps must be an integer, got 1.5"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate must be >= 0, got -1.0"),
        ({"learning_rate": math.inf}, ValueError, "learning_rate must be finite, got inf"),
        ({"momentum": 1.0}, ValueError, r"momentum must lie in \[0, 1\), got 1.0"),
    ],
)
def test_path_rejects_bad_arguments(options, error, message):
    network, X, y = problem()
    with pytest.raises(error, match=message):
        train_path(network, X, y, **({"learning_rate": 0.1, "steps": (1, 2)} | options))


# Order of convergence -------------------------------------------------------------------------------


def slopes_of_the_error(data, widths, num_seeds, *, slope=0.0, **options):
    """Return, for each seed, the log–log slope against width of the root mean square over test points
    of (f(z; T) − f(z; 0))/T − f_b(z)."""
    predicted = theory.f_predict(data.X_test, X=data.X, y=data.y, negative_slope=slope)
    X, y = (torch.as_tensor(part, dtype=torch.float32) for part in (data.X, data.y))
    errors = np.empty((num_seeds, len(widths)))
    for column, width in enumerate(widths):
        for seed in range(num_seeds):
            network = TwoLayerNet.initialise(
                X.shape[1], width, negative_slope=slope, seed=1000 * column + seed
            )
            trained = train(network, X, y, **options)
            start, end = (evaluate(n, data.X_test) for n in (trained.initial, trained.final))
            errors[seed, column] = np.sqrt(np.mean(((end - start) / trained.T - predicted) ** 2))
    return np.array([stats.linregress(np.log(widths), np.log(row)).slope for row in errors])


@pytest.mark.parametrize(("slope", "momentum"), [(0.0, 0.0), (0.3, 0.9)])
def test_error_of_f_predict_falls_like_the_root_of_the_width(slope, momentum):
    # The slope of one seed deviates by 0.13 to 0.2, as the errors at all points of small d vary together:
    # with 64 seeds the mean has a standard error of about 0.02, and the margin is more than 5 of them.
    slopes = slopes_of_the_error(
        ShiftedGaussianData(dim=5, num_train=10, num_test=40).load(0),
        [256, 2048, 16384],
        64,
        slope=slope,
        T=1.0,
        num_steps=3,
        momentum=momentum,
    )
    margin = 0.15
    assert 5 * stats.sem(slopes) <= margin
    assert abs(slopes.mean() + 0.5) <= margin


@pytest.mark.slow
def test_error_of_f_predict_falls_like_the_root_of_the_width_on_digits():
    # Measured with these seeds: −0.49, interval [−0.57, −0.42].
    slopes = slopes_of_the_error(DigitsData().load(0), [1_000, 10_000, 100_000], 16, T=1.0, num_steps=10)
    low, high = stats.t.interval(0.95, len(slopes) - 1, slopes.mean(), stats.sem(slopes))
    assert low >= -0.65
    assert high <= -0.35
