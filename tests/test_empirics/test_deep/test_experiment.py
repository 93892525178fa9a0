"""Pairs of networks of any architecture, predicted and trained."""

import numpy as np
import pytest
import torch

from empirics import DeepConfig, ShiftedGaussianData, measure_pair, run_sweep
from empirics.deep import DeepNetwork, linearise, train_module
from empirics.deep.expected import law
from empirics.deep.experiment import DEEP, check_pair, run_deep
from empirics.seeds import seeds_of
from empirics.sweep import Plan, executors
from empirics.sweep.plan import Block, axis_of, seeds_axis
from theory import f_predict
from theory.deep import Architecture

DATA = ShiftedGaussianData(dim=8, num_train=40, num_test=60, shift=0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 800, "depth": 1},
        {"width": 400, "depth": 2, "rates": "all", "negative_slope": 0.2},
        {"width": 400, "depth": 2, "depth_g": 1, "rates_g": "all"},
        {"width": 200, "depth": 2, "residual": 0.5, "scenario": "b"},
        {"width": 300, "module": "gelu-mlp", "module_g": "fully-connected"},
    ],
    ids=str,
)
def test_wide_networks_do_what_is_predicted_before_training(options):
    """Errors fall as m^(−1/2), those of directions as m^(−1/4): at these widths all are below .45."""
    record = measure_pair(DeepConfig(data=DATA, seed=2, **options))
    assert abs(record["agreement_test"] - record["linear_agreement_test"]) <= 0.1
    errors = {name: value for name, value in record.items() if "_error_" in name}
    assert len(errors) == (3 if "module" in options else 4)
    assert max(errors.values()) < 0.45
    assert min(value for name, value in record.items() if "cosine" in name) > 0.85


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
    assert short["expected_wide_error"] == law("wide", "first").error(2, 32)
    assert short["expected_linear_error"] == law("linear", "first").error(2, 32)
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
    with pytest.raises(TypeError, match="must be the name of a built-in module or FILE"):
        DeepConfig(data=DATA, width=8, module=print)


def test_the_record_is_a_function_of_the_config_and_of_balance():
    config = DeepConfig(data=DATA, width=32, depth=2, targets="balanced")
    assert measure_pair(config) == measure_pair(config)
    assert measure_pair(config)["mean_target"] == 0


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
        ({"rates": "some"}, "rates must be one of first, all"),
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


def test_a_network_that_starts_at_zero_has_no_flow_time(tmp_path):
    path = tmp_path / "zero.py"
    path.write_text(
        "import torch\ndef make(seed):\n    net = torch.nn.Linear(8, 1)\n"
        "    torch.nn.init.zeros_(net.weight), torch.nn.init.zeros_(net.bias)\n    return net\n"
    )
    with pytest.raises(ValueError, match=r"flow time must be positive and finite, got 0: .* starts at 0"):
        measure_pair(DeepConfig(data=DATA, width=8, module=f"{path}:make"))


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
