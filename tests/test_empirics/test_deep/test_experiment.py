"""Pairs of networks of any architecture, predicted and trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from empirics import ArrayData, DeepConfig, ShiftedGaussianData, measure_pair, run_sweep
from empirics.deep import DeepNetwork, linearise, predicted, train_module
from empirics.deep.expected import law as law_of_errors
from empirics.deep.experiment import DEEP, check_pair, run_deep
from empirics.deep.modules import input_gradients, outputs
from empirics.deep.times import measure_times
from empirics.perturb import draw_targets
from empirics.seeds import seeds_of
from empirics.sweep import Plan, executors
from empirics.sweep.plan import Block, axis_of, seeds_axis
from theory import deep, f_predict
from theory.deep import Architecture
from theory.deep.kernels import weighted_gradient
from theory.lazy.losses import SLOPE
from theory.setting import learning_rate_for
from theory.times import agreement_law

DATA = ShiftedGaussianData(dim=8, num_train=40, num_test=60, shift=0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 800, "depth": 1},
        {"width": 400, "depth": 2, "rates": "all", "negative_slope": 0.2},
        {"width": 400, "depth": 2, "depth_g": 1, "rates_g": "all"},
        {"width": 200, "depth": 2, "residual": 0.5, "scenario": "b"},
        {"width": 300, "module": "gelu-mlp", "module_g": "fully-connected"},
        {"width": 800, "depth": 1, "loss": "squared", "num_steps": 100, "momentum": 0.5},
        {"width": 400, "depth": 2, "loss": "logistic"},
        {"width": 300, "module": "gelu-mlp", "loss": "logistic", "momentum": 0.9},
    ],
    ids=str,
)
def test_wide_networks_do_what_is_predicted_before_training(options):
    """Errors fall as m^(−1/2), those of directions as m^(−1/4): at these widths all are below .45."""
    record = measure_pair(DeepConfig(data=DATA, seed=2, **options))
    assert abs(record["agreement_test"] - record["linear_agreement_test"]) <= 0.1
    errors = {name: value for name, value in record.items() if "_error_" in name}
    known = [
        record[name] for name in ("wide_error_f", "wide_error_g", "wide_agreement_test") if name in record
    ]
    assert len(known) == (3 if "module" not in options else int("module_g" in options))
    assert max(errors.values()) < 0.45
    assert min(value for name, value in record.items() if "cosine" in name) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_errors_fall_with_the_width_at_every_depth(depth):
    """Slopes −1/2 of f and −1/4 of its trained gradient; t intervals at 1e-3 over 8 seeds, within .15 and .1.

    The rates are those of the limit: at these widths fitted slopes may still be off by as much.
    """
    data, widths = ShiftedGaussianData(dim=30, num_train=200, num_test=500, shift=0.3), (125, 250, 500, 1000)
    slopes = []
    for seed in range(8):
        records = [measure_pair(DeepConfig(data=data, width=m, depth=depth, seed=seed)) for m in widths]
        errors = [(r["wide_error_f"], np.tan(np.arccos(r["trained_cosine"]))) for r in records]
        slopes.append(np.polyfit(np.log(widths), np.log(errors), 1)[0])
    reach = stats.t.isf(1e-3 / 2, df=7) * stats.sem(slopes)
    assert (np.abs(np.mean(slopes, axis=0) - [-1 / 2, -1 / 4]) < np.array([0.15, 0.1]) + reach).all()


@pytest.mark.parametrize("options", [{}, {"depth": 2, "loss": "logistic"}, {"module": "mlp"}], ids=str)
def test_nothing_that_is_trained_enters_a_prediction(options, monkeypatch):
    """Other trained networks: neither agreement that is predicted changes, nor a time."""
    config = DeepConfig(data=DATA, width=64, **options)
    expected, train = measure_pair(config), predicted.train_module

    def badly(*given, **more):
        trained = train(*given, **more)
        with torch.no_grad():
            for p in trained.parameters():
                p.mul_(-1.5)
        return trained

    monkeypatch.setattr(predicted, "train_module", badly)
    found = measure_pair(config)
    assert found["linear_error_f"] != expected["linear_error_f"]
    for name in {"T_f", "T_g", "linear_agreement_test", "wide_agreement_test"} & expected.keys():
        assert found[name] == expected[name], name


@pytest.mark.parametrize("loss", ["identity", "squared", "logistic"])
@pytest.mark.parametrize("depth", [1, 2])
def test_chance_of_agreement_is_that_of_random_networks_in_the_limit(loss, depth):
    """By lazy training from 4,000 draws of initial outputs; one test at 1e-4 for its 6 cases."""
    config = DeepConfig(data=DATA, width=8, depth=depth, loss=loss, num_steps=40, momentum=0.3)
    rng, data = np.random.default_rng(1), DATA.load(0)
    network = predicted.Network(config.f, data.X, data.y, data.X_test, config, seed=3, T=1.7)
    signs = rng.normal(size=len(network.Z))
    points, N = np.vstack([network.X, network.Z]), len(network.X)
    K, Theta = (kernel(points, architecture=config.f) for kernel in (deep.nngp, deep.ntk))
    drawn = rng.multivariate_normal(np.zeros(len(points)), K, size=4000, method="eigh")
    outputs, speed, step = drawn.copy(), 0.0, learning_rate_for(1.7, 40, momentum=0.3)
    for _ in range(40):
        pull = network.y * SLOPE[loss](-network.y * outputs[:, :N])
        speed = 0.3 * speed + pull @ Theta[:N] / N
        outputs += step * speed
    shares = (np.sign(outputs[:, N:]) == np.sign(signs)).mean(axis=1)
    own_draws = 0 if loss != "logistic" else 1 / 1000
    error = shares.std() * np.sqrt(1 / 4000 + own_draws)
    assert abs(network.wide_agreement(signs, seed=5) - shares.mean()) < stats.norm.isf(1e-4 / 12) * error


def test_the_error_of_the_wide_limit_is_split():
    """All of it is the random kernel of the initial network for short times; else as computed from parts."""
    plain = {"data": DATA, "depth": 2, "width": 32}
    short, long = (measure_pair(DeepConfig(**plain, times=times)) for times in (1e-3, 20.0))
    assert max(short["departure_f"], short["departure_g"]) < 1e-3
    data_seed, f_seed, *_ = seeds_of(0)
    data, f, T = DATA.load(data_seed), Architecture(depth=2), long["T_f"]
    network = DeepNetwork(f, dim=8, width=32, seed=f_seed)
    trained = train_module(network, data.X, data.y, T=T, num_steps=10, rates=network.rates)
    with torch.no_grad():
        found, start = (one(torch.tensor(data.X_test).float()).numpy() for one in (trained, network))
    linear = linearise(network, data.X, data.y, rates=network.rates).velocity(data.X_test).numpy()
    own = np.sum(((found - start) / T - linear) ** 2)
    initial = np.sum((linear - f_predict(data.X_test, X=data.X, y=data.y, architecture=f)) ** 2)
    assert long["departure_f"] == pytest.approx(own / (own + initial), rel=1e-4)
    assert 0.1 < long["departure_f"] < 0.9
    assert short["expected_wide_error"] == law_of_errors("wide", "first").error(2, 32)
    assert short["expected_linear_error"] == law_of_errors("linear", "first").error(2, 32)
    assert not any("expected" in name for name in long)  # longer than what was recorded
    # Short training is that of linearised networks.
    assert short["linear_accuracy_f_train"] == short["accuracy_f_train"]
    assert short["linear_accuracy_g_train"] == short["accuracy_g_train"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": "cnn"}, "module cnn must have square images of one channel, got 8 features"),
        ({"module_g": "cnn"}, "module cnn must have square images"),
    ],
)
def test_pairs_are_checked_before_any_training(options, message):
    check_pair(DeepConfig(data=DATA, width=8, module="gelu-mlp", module_g="fully-connected"))
    with pytest.raises(ValueError, match=message):
        check_pair(DeepConfig(data=DATA, width=8, **options))


def test_a_module_is_named_not_given():
    with pytest.raises(
        TypeError, match=r"^module must be one of fully-connected, mlp, .* or FILE\.py:FUNCTION, got "
    ):
        DeepConfig(data=DATA, width=8, module=print)


def test_the_record_is_a_function_of_the_config_and_of_balance():
    config = DeepConfig(data=DATA, width=32, depth=2, targets="balanced")
    assert measure_pair(config) == measure_pair(config)
    assert measure_pair(config)["mean_target"] == 0


TIMED = {"data": DATA, "width": 400, "T_f": 1.5, "T_g": 0.7, "untrained": 3, "seed": 5}


def test_given_times_take_the_place_of_those_that_follow_from_the_initial_deviation():
    record = measure_pair(DeepConfig(data=DATA, width=64, T_f=0.0, T_g=0.7))
    assert (record["T_f"], record["T_g"], record["linear_error_f"], record["wide_error_f"]) == (0, 0.7, 0, 0)


def test_results_keep_their_names_where_no_times_are_asked_for():
    plain = DeepConfig(data=DATA, width=64)
    assert not {"T_f", "T_g", "untrained"} & plain.to_json().keys()
    assert DEEP.make(DEEP.fields(plain)) == plain
    timed = DeepConfig(**TIMED)
    assert DEEP.make(DEEP.fields(timed)) == timed
    assert len({DEEP.hash(one) for one in (plain, timed, replace(timed, untrained=4))}) == 3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"T_f": 0.0, "scenario": "b"},
        {"depth": 3, "negative_slope": 0.2},
        {"loss": "logistic", "momentum": 0.5},
        {"loss": "squared", "num_steps": 40, "targets": "balanced"},
    ],
    ids=str,
)
def test_agreement_at_times_is_that_of_the_wide_limit_of_the_same_and_of_other_pairs(options):
    """Given: f(z; 0) + Θ(z, X)β/N, and g of gradients ∇f(x; 0) + ∇Θβ/N; others: the mean over new pairs."""
    config = DeepConfig(**TIMED | options)
    record = measure_times(config)
    data_seed, *own, word = seeds_of(config.seed)
    data, architecture = config.data.load(data_seed), config.f
    others = np.random.SeedSequence(word).generate_state(9).reshape(3, 3)

    def weights(X, y, start, T):
        K = deep.ntk(X, architecture=architecture) * np.outer(y, y) / len(y)
        beta, speed = np.zeros(len(y)), np.zeros(len(y))
        slope = SLOPE[config.loss] if config.loss != "identity" else np.ones_like
        step = learning_rate_for(T, config.num_steps, momentum=config.momentum)
        for _ in range(config.num_steps):
            speed = config.momentum * speed + slope(-(y * start + K @ beta))
            beta = beta + step * speed
        return beta * y / len(y)

    def limit(f_seed, g_seed, target_seed):
        nets = [DeepNetwork(architecture, dim=8, width=400, seed=int(seed)) for seed in (f_seed, g_seed)]
        t = draw_targets(40, kind=config.targets, rng=np.random.default_rng(target_seed))
        at = [lambda Z, net=net: outputs(net, Z).numpy() for net in nets]
        v = weights(data.X, data.y, at[0](data.X), config.T_f)
        D = input_gradients(nets[0], data.X).numpy() + weighted_gradient(data.X, data.X, v, architecture)
        R = np.sqrt(8) * t[:, None] * D / np.linalg.norm(D, axis=1, keepdims=True)
        R = R + data.X if config.scenario == "b" else R
        w, Z = weights(R, t, at[1](R), config.T_g), data.X_test
        f = at[0](Z) + deep.ntk(Z, data.X, architecture=architecture) @ v
        return np.mean(f * (at[1](Z) + deep.ntk(Z, R, architecture=architecture) @ w) > 0)

    assert record["given_agreement_test"] == limit(*own)
    assert record["others_agreement_test"] == pytest.approx(np.mean([limit(*one) for one in others]))
    assert abs(record["agreement_test"] - record["given_agreement_test"]) < 0.15  # of networks of width 400
    assert (record["flipped_f"] == 0) == (config.T_f == 0)
    assert 0 < record["flipped_g"] < 0.2
    law = {"X": data.X, "y": data.y, "architecture": architecture, "scenario": config.scenario}
    if config.loss == "identity":
        shares = agreement_law(data.X_test, T_f=[config.T_f, 0.0], **law).share([config.T_g, np.inf])
        names = ("law_agreement_test", "law_limit_test", "law_floor_test")
        assert [record[name] for name in names] == pytest.approx([shares[0, 0], *shares[:, 1]], abs=1e-3)
    else:
        assert "law_floor_test" not in record
        assert 0.5 <= record["law_agreement_test"] <= 1


def test_other_pairs_have_the_expectation_of_the_pair_itself():
    """Of 150 seeds, within four standard errors (chance of a miss by the t distribution: 1e-4)."""
    configs = [DeepConfig(**TIMED | {"width": 30, "seed": seed, "num_steps": 1}) for seed in range(150)]
    records = [measure_times(config) for config in configs]
    gaps = [one["given_agreement_test"] - one["others_agreement_test"] for one in records]
    assert abs(np.mean(gaps)) < 4 * np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    less = [one["agreement_test"] - gap for one, gap in zip(records, gaps, strict=True)]
    assert np.std(less) < 0.8 * np.std([one["agreement_test"] for one in records])


def test_active_neurons_are_those_with_positive_pre_activations():
    network = DeepNetwork(Architecture(depth=2), dim=3, width=5, seed=1)
    X = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    first = X @ network.first.T + network.first_bias
    second = torch.relu(first) @ network.weights[0].T + network.biases[0]
    assert torch.equal(network.active(X), torch.cat([first, second], dim=1) > 0)


def test_g_is_as_f_where_nothing_is_said():
    config = DeepConfig(data=DATA, width=8, depth=3, negative_slope=0.1, rates="all")
    assert config.g == config.f == Architecture(depth=3, negative_slope=0.1, rates="all")
    other = DeepConfig(data=DATA, width=8, depth=3, depth_g=1, negative_slope_g=0.2, rates_g="first")
    assert other.g == Architecture(negative_slope=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be >= 1"),
        ({"module": "resnet"}, "module must be one of fully-connected, mlp, .*, got 'resnet'"),
        ({"module": "mlp", "depth": 2}, "depth must be left out with module 'mlp', which has its own"),
        ({"module_g": "mlp", "rates_g": "all"}, "rates_g must be left out with module_g 'mlp'"),
        ({"times": 0.0}, "times must be > 0"),
        ({"epsilon": 0.0}, "epsilon must be > 0"),
        ({"loss": "hinge"}, "loss must be one of identity, logistic, squared, exponential, got 'hinge'"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\), got 1.0"),
        ({"rates": "some"}, "rates must be one of first, all"),
        ({"T_f": -1.0}, "T_f must be >= 0, got -1"),
        ({"T_g": float("nan")}, "T_g must be finite"),
        ({"untrained": -1}, "untrained must be >= 0, got -1"),
        ({"untrained": 2, "T_f": 1.0}, "untrained needs T_f, T_g and .* got T_f=1.0, T_g=None"),
        ({"untrained": 2, "T_f": 1.0, "T_g": 1.0, "depth_g": 2}, "fully connected f and g of one architect"),
        ({"untrained": 2, "T_f": 1.0, "T_g": 1.0, "module": "mlp"}, "fully connected f and g of one archit"),
    ],
)
def test_configs_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        DeepConfig(**{"data": DATA, "width": 8, **options})


def test_a_pair_that_fails_leaves_the_others():
    configs = [DeepConfig(data=DATA, width=8, module="cnn"), DeepConfig(data=DATA, width=8)]
    found = dict(run_deep(configs))
    assert found[0].error == "ValueError: module cnn must have square images of one channel, got 8 features"
    assert np.isfinite(found[1].record["agreement_test"])


def test_steps_that_are_too_long_are_said_before_training():
    with pytest.raises(
        FloatingPointError, match=r"would diverge: steps of .* exceed 2\(1 \+ momentum\)/λ_max"
    ):
        measure_pair(DeepConfig(data=DATA, width=64, loss="squared", num_steps=1, times=50.0))


def test_training_that_diverges_is_an_error_and_no_nan():
    """Layers that feed one another, with the identity loss: no eigenvalue tells, outputs overflow."""
    with pytest.raises(FloatingPointError, match="training diverged: parameters not finite after 10 steps"):
        measure_pair(DeepConfig(data=DATA, width=32, depth=4, rates="all", times=1e3))


def test_a_network_that_starts_at_zero_has_no_flow_time_but_may_be_given_one(tmp_path):
    path = tmp_path / "zero.py"
    path.write_text(
        "import torch\ndef make(seed):\n    net = torch.nn.Linear(8, 1)\n"
        "    torch.nn.init.zeros_(net.weight), torch.nn.init.zeros_(net.bias)\n    return net\n"
    )
    config = DeepConfig(data=DATA, width=8, module=f"{path}:make")
    with pytest.raises(ValueError, match=r"flow time must be positive and finite, got 0: .* starts at 0"):
        measure_pair(config)
    linear = measure_pair(replace(config, T_f=1.0, T_g=1.0))
    assert linear["linear_error_f"] == pytest.approx(0, abs=1e-6)  # float32: a linear module is linearised


@pytest.mark.parametrize("time", [1.0, None])
def test_data_at_which_nothing_moves_have_no_flow_time_but_may_be_given_one(monkeypatch, time):
    """Each point has both labels: F is rounding.  At given times f stays, and expected errors are known."""
    half = DATA.load(0).X[:10]
    X, y = np.concatenate([half, half[::-1]]), np.repeat([1.0, -1.0], 10)
    data = ArrayData(X=X, y=y, X_test=X, y_test=y)
    config = DeepConfig(data=data, width=64, T_f=time, T_g=time)
    if time is None:
        monkeypatch.delattr(predicted, "train_module")  # said before training
        with pytest.raises(ValueError, match=r"got inf: .* moves by a median of 0 a time; give T_f and T_g$"):
            measure_pair(config)
    else:
        assert measure_pair(config)["expected_wide_error"] == law_of_errors("wide", "first").error(1, 64)


def test_a_network_with_a_step_function_has_no_perturbations(tmp_path):
    path = tmp_path / "step.py"
    path.write_text(
        "import torch\nclass Step(torch.nn.Module):\n"
        "    def forward(self, x):\n        return torch.sign(x)\n"
        "def make(seed):\n    layers = torch.nn.Linear(8, 32), Step(), torch.nn.Linear(32, 1)\n"
        "    return torch.nn.Sequential(*layers)\n"
    )
    with pytest.raises(ValueError, match="f must have input gradients, got 0 at all samples"):
        measure_pair(DeepConfig(data=DATA, width=8, module=f"{path}:make"))


def test_a_sweep_of_pairs_resumes_and_knows_files_of_modules(tmp_path):
    """One runner for every experiment; what a module's file says belongs to the identity of a result."""
    path = tmp_path / "mine.py"
    path.write_text("import torch\ndef make(seed):\n    return torch.nn.Linear(8, 1)\n")
    fields = {"data.source": "shifted-gaussian", "data.dim": 8, "data.num_train": 20, "data.num_test": 20}
    base = fields | {"data.shift": 0.5, "width": 16, "module_g": f"{path}:make"}
    plan = Plan(blocks=(Block(base=base, axes=(axis_of("depth", [1, 2]), seeds_axis(2))),))
    assert run_sweep(DEEP, plan, tmp_path / "out").done == 4
    assert run_sweep(DEEP, plan, tmp_path / "out").kept == 4
    path.write_text(path.read_text() + "# changed\n")
    assert run_sweep(DEEP, plan, tmp_path / "other", pool=executors.parse("serial")).done == 4
    old, new = ((tmp_path / name / "results.jsonl").read_text() for name in ("out", "other"))
    hashes = [{line.split('"hash": "')[1][:64] for line in text.splitlines()} for text in (old, new)]
    assert not hashes[0] & hashes[1]
