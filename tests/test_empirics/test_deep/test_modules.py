"""Any torch module: linearised, trained, and refused where it is not what the theory is about."""

import copy
import shutil
import sys
import warnings

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from empirics import TwoLayerNet, make_module, train
from empirics.deep import DeepNetwork, largest_eigenvalue, linearise, train_module
from empirics.deep.builtin import BUILT_IN, has_width, module_digest, placed
from empirics.deep.modules import input_gradients, outputs
from theory import deep
from theory.deep import Architecture, Rates
from theory.lazy.losses import SLOPE
from theory.lazy.solvers import descent
from theory.setting import learning_rate_for

RNG = np.random.default_rng(7)
X, Z = (torch.tensor(RNG.normal(size=(n, 4))) for n in (12, 5))
y = torch.tensor(np.where(np.arange(12) % 2, 1.0, -1.0))


def net(architecture, width=32, seed=0, dim=4):
    return DeepNetwork(architecture, dim=dim, width=width, seed=seed, dtype=torch.float64)


def test_depth_one_is_the_two_layer_network():
    """The same draw, forward pass and training as `empirics.train`."""
    two = TwoLayerNet.initialise(4, 32, negative_slope=0.1, seed=3, dtype=torch.float64)
    one = net(Architecture(negative_slope=0.1), seed=3)
    torch.testing.assert_close(one.first.data, two.weight.data)
    torch.testing.assert_close(outputs(one, Z), two.outputs(Z))
    torch.testing.assert_close(input_gradients(one, Z), two.input_gradients(Z))
    for loss, momentum in (("identity", 0.0), ("logistic", 0.5), ("squared", 0.0)):
        options = {"T": 1.5, "num_steps": 6, "loss": loss, "momentum": momentum}
        expected = train(two, X, y, **options).final.outputs(Z)
        trained = train_module(one, X, y, rates=one.rates, **options)
        torch.testing.assert_close(outputs(trained, Z), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(depth=3, negative_slope=0.2, bias_variance=0.3, rates="all"),
        Architecture(depth=2, residual=0.5, branch_variance=1.5, rates=Rates(weights=2.0, branches=1.0)),
    ],
)
def test_linearised_network_is_the_product_with_its_own_kernel(architecture):
    """J v = (1/N) Σ y_n J(z) Λ J(x_n)ᵀ; and its mean over networks tends to F."""
    network = net(architecture)
    points = torch.cat([X, Z])
    rows = []
    for point in points:
        found = torch.autograd.grad(network(point[None])[0], list(network.parameters()))
        names = dict(network.named_parameters())
        rows.append(
            torch.cat([g.flatten() * network.rates[n] ** 0.5 for n, g in zip(names, found, strict=True)])
        )
    J = torch.stack(rows)
    kernel = (J @ J.T).detach()
    lazy = linearise(network, X, y, rates=network.rates)
    torch.testing.assert_close(lazy.velocity(Z), kernel[12:, :12] @ y / 12, rtol=1e-9, atol=1e-9)
    expected = float(torch.linalg.eigvalsh(kernel[:12, :12] / 12)[-1])
    found = largest_eigenvalue(network, X, rates=network.rates)
    assert 0.99 * expected < found <= expected * (1 + 1e-12)


@pytest.mark.parametrize(("loss", "momentum"), [("squared", 0.0), ("squared", 0.6), ("logistic", 0.3)])
def test_training_of_the_linearised_module_is_lazy_training_in_its_kernel(loss, momentum):
    """Outputs at the samples; squared without momentum: o(T) − y = (1 − ηΘ/N)^k (o(0) − y)."""
    network = net(Architecture(depth=2, negative_slope=0.2, rates="all"))
    start, steps = outputs(network, X), 30
    units = [linearise(network, X[[n]], y[[n]], rates=network.rates).velocity(X) * y[n] for n in range(12)]
    K = torch.stack(units).numpy() / 12
    options = {"num_steps": steps, "momentum": momentum, "loss": loss}
    found = linearise(network, X, y, T=0.5, rates=network.rates, **options).outputs(X, 0.5).numpy()
    eta, labels = learning_rate_for(0.5, steps, momentum=momentum), y.numpy()
    beta = descent(
        K * np.outer(labels, labels), (labels * start.numpy())[None], eta, steps, momentum, SLOPE[loss]
    )
    np.testing.assert_allclose(found, start.numpy() + K @ (beta[0] * labels), rtol=1e-9, atol=1e-9)
    if loss == "squared" and not momentum:
        left = np.linalg.matrix_power(np.eye(12) - eta * K, steps) @ (start.numpy() - labels)
        np.testing.assert_allclose(found, labels + left, rtol=1e-9, atol=1e-9)


def test_pulls_that_change_need_a_schedule():
    module = nn.Linear(4, 1).double()
    with pytest.raises(ValueError, match="T and num_steps must be given with loss 'squared'"):
        linearise(module, X, y, loss="squared", T=1.0)
    with pytest.raises(FloatingPointError, match="training would diverge"):
        linearise(module, X, y, loss="squared", T=1000.0, num_steps=10)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(depth=3, negative_slope=0.2, rates="all"),
        Architecture(depth=4, bias_variance=0.2, rates="first"),
        Architecture(depth=3, bias_variance=0.1, residual=0.7, branch_variance=1.5, rates="all"),
    ],
    ids=str,
)
def test_mean_kernel_of_networks_is_theta(architecture):
    """Θ from 60 networks of width 64: one test at 1e-4 for all 15 velocities; the bias is of order 1/m."""
    drawn = []
    for seed in range(60):
        network = net(architecture, width=64, seed=seed)
        drawn.append(linearise(network, X, y, rates=network.rates).velocity(Z).numpy())
    mean, error = np.mean(drawn, axis=0), np.std(drawn, axis=0, ddof=1) / np.sqrt(60)
    F = deep.ntk(Z.numpy(), X.numpy(), architecture=architecture) @ y.numpy() / 12
    assert (np.abs(mean - F) < stats.t.isf(1e-4 / 30, df=59) * error).all()


def test_small_times_are_lazy():
    """f(T) − f_lin(T) is of second order in T."""
    network = make_module("gelu-mlp", dim=4, width=16, seed=0).double()
    lazy = linearise(network, X, y)
    errors = []
    for T in (1e-2, 1e-3):
        trained = train_module(network, X, y, T=T, num_steps=1)
        torch.testing.assert_close(outputs(lazy.moved(T), Z), outputs(trained, Z), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(lazy.input_gradients(Z, T), input_gradients(trained, Z))
        errors.append(float((outputs(trained, Z) - lazy.outputs(Z, T)).abs().max()))
    assert errors[1] < 0.02 * errors[0]


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_modules_are_linearised(name):
    points = torch.tensor(RNG.normal(size=(12, 16)), dtype=torch.float32)
    module = make_module(name, dim=16, width=8, seed=1)
    twin = make_module(name, dim=16, width=8, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), twin.parameters(), strict=True))
    lazy = linearise(module, points, y)
    trained = train_module(module, points, y, T=1e-3, num_steps=2)
    change = (outputs(trained, points) - outputs(module, points)) / 1e-3
    torch.testing.assert_close(change, lazy.velocity(points), rtol=0.05, atol=0.05)


def test_modules_of_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import torch\ndef make(seed):\n    return torch.nn.Linear(4, 1)\nnumber = 3\n")
    assert isinstance(make_module(f"{path}:make", dim=4, width=1, seed=0), nn.Linear)
    assert module_digest(f"{path}:make") != module_digest(f"{path}:other")
    assert module_digest("mlp") is None
    path.write_text(
        "from __future__ import annotations\nimport dataclasses\nfrom typing import ClassVar\nimport torch\n"
        "@dataclasses.dataclass\nclass Sizes:\n    dim: int = 4\n    number: ClassVar[int] = 1\n"
        "def make(seed):\n    return torch.nn.Linear(Sizes().dim, 1)\n"
        "number = 3\n"
    )
    assert isinstance(make_module(f"{path}:make", dim=4, width=1, seed=0), nn.Linear)
    with pytest.raises(ValueError, match=r"module must name a file, FILE.py:FUNCTION, got no file"):
        module_digest(f"{tmp_path}/none.py:make")
    for name, message in (
        (f"{path}:number", "module must name a function of .*, got 'number'"),
        (f"{tmp_path}/none.py:make", "module must name a file"),
        ("resnet", "module must be one of mlp, .*, got 'resnet'"),
    ):
        with pytest.raises(ValueError, match=message):
            make_module(name, dim=4, width=1, seed=0)


MINE = """
import torch
from helper import SIZE
def make(seed, dim):
    import layers.first as first
    return torch.nn.Sequential(first.layer(dim, SIZE), torch.nn.Linear(SIZE, 1))
def wide(seed, width):
    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
"""


@pytest.fixture
def mine(tmp_path):
    """A file that imports others of its folder, one of them where its function is called."""
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "__init__.py").write_text("")
    (tmp_path / "layers" / "first.py").write_text("import torch\nlayer = torch.nn.Linear\n")
    (tmp_path / "helper.py").write_text("SIZE = 3\n")
    (tmp_path / "unrelated.py").write_text("")
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_a_file_may_import_others_of_its_folder(mine, tmp_path_factory):
    """Of two folders with helpers of one name each has its own; nothing of them stays behind."""
    other = tmp_path_factory.mktemp("other")
    (other / "helper.py").write_text("SIZE = 7\n")
    (other / "mine.py").write_text(MINE.replace("import layers.first as first", "first = torch.nn").replace(
        "first.layer", "first.Linear"))  # fmt: skip
    before, path = set(sys.modules), list(sys.path)
    sizes = [make_module(f"{folder}/mine.py:make", dim=4, width=1, seed=0)[0].out_features
             for folder in (mine, other, mine)]  # fmt: skip
    assert sizes == [3, 7, 3]
    assert set(sys.modules) - before <= {"_network_of_the_user"}
    assert sys.path == path
    assert not list(mine.rglob("__pycache__"))


@pytest.mark.parametrize("changed", ["mine.py", "helper.py", "layers/first.py", "layers/__init__.py"])
def test_the_digest_covers_what_a_file_imports_from_its_folder(mine, changed):
    before = module_digest(f"{mine}/mine.py:make")
    (mine / "unrelated.py").write_text("# changed\n")
    assert module_digest(f"{mine}/mine.py:make") == before
    (mine / changed).write_text((mine / changed).read_text() + "# changed\n")
    assert module_digest(f"{mine}/mine.py:make") != before


def test_the_digest_is_the_same_in_another_place(mine, tmp_path_factory):
    twin = shutil.copytree(mine, tmp_path_factory.mktemp("twin") / "copy")
    assert module_digest(f"{twin}/mine.py:make") == module_digest(f"{mine}/mine.py:make")


def test_a_function_takes_the_sizes_that_it_names(mine, monkeypatch):
    monkeypatch.chdir(mine)
    assert make_module("mine.py:wide", dim=9, width=6, seed=0)[0].out_features == 6
    assert (has_width("mine.py:wide"), has_width("mine.py:make"), has_width("cnn")) == (True, False, True)
    assert placed("mine.py:wide") == f"{mine.resolve()}/mine.py:wide"
    assert placed("mlp") == "mlp"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def make(seed:\n", r"mine.py:make must make a network, got SyntaxError: '\(' was never closed"),
        ("import no_such_module\n", "must make a network, got ModuleNotFoundError: No module named"),
        ("def make():\n    return 1\n", r"must make a network, got TypeError: make\(\) takes 0 positional"),
        ("def make(seed):\n    return {}['a']\n", "must make a network, got KeyError: 'a'"),
        ("def make(seed):\n    return 1\n", "must return a torch.nn.Module, got int"),
        ("import broken\n", "must make a network, got SyntaxError"),
    ],
)
def test_code_that_makes_no_module_is_one_error(tmp_path, content, message):
    (tmp_path / "mine.py").write_text(content)
    (tmp_path / "broken.py").write_text("def\n")
    with pytest.raises(ValueError, match=message):
        make_module(f"{tmp_path}/mine.py:make", dim=4, width=1, seed=0)


class Sign(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 1)

    def forward(self, points):
        return torch.sign(self.inner(points)).detach()


class Constant(Sign):
    def forward(self, points):
        return self.inner(torch.ones_like(points))


class Mode(nn.Linear):
    """Another function in training than in evaluation, without a trace in buffers."""

    def forward(self, points):
        return super().forward(points) * (2.0 if self.training else 1.0)


class Two(nn.Linear):
    def forward(self, points):
        return super().forward(points), points


class Raising(nn.Linear):
    def forward(self, points):
        return {}["rows"]


old, new = nn.utils, nn.utils.parametrizations


def net_of(norm):
    with warnings.catch_warnings(), torch.random.fork_rng():
        torch.manual_seed(0)
        warnings.simplefilter("ignore", FutureWarning)  # that of torch about the old ones
        return nn.Sequential(norm(nn.Linear(4, 8)), nn.GELU(), nn.Linear(8, 1))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(4, 3), r"one number a row, shape \(8,\), got \(8, 3\)"),
        (nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), None),
        (nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1)), "the same from call to call"),
        (nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)), "batch normalisation"),
        (nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)).eval(), None),
        (Sign(), "must be differentiable in its input"),
        (Constant(), "must be differentiable in its input"),
        (nn.Linear(4, 1).requires_grad_(False), "must be differentiable in any parameter"),
        (nn.Linear(4, 1).half(), "must be all float32 or all float64 on one device, got torch.float16"),
        (
            net_of(old.weight_norm),
            "a module that can be copied, with its weights as parameters, got RuntimeError",
        ),
        (net_of(old.spectral_norm), "a module that can be copied, with its weights as parameters"),
        (net_of(old.spectral_norm).eval(), "a module that can be copied, with its weights as parameters"),
        (net_of(new.weight_norm), "derivatives forward as well as backward, got NotImplementedError"),
        (net_of(new.spectral_norm), r"buffers .* \(is spectral normalisation in training mode"),
        (net_of(new.spectral_norm).eval(), None),
        (net_of(new.orthogonal), None),
        (
            nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 1)),
            "rows of 4 numbers, differentiably, got Runtime",
        ),
        (
            nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.ReLU(inplace=True), nn.Linear(8, 1)),
            "inplace oper",
        ),
        (nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 1)), None),
        (Mode(4, 1), "must be the same in evaluation mode"),
        (Mode(4, 1).eval(), None),
        (nn.Conv2d(1, 1, 3), "must take rows of 4 numbers, differentiably, got RuntimeError"),
        (nn.Sequential(nn.LazyLinear(8), nn.Linear(8, 1)), "must have their shapes, got a lazy one"),
        (Two(4, 1), r"one number a row, shape \(8,\), got tuple"),
        (Raising(4, 1), "must take rows of 4 numbers, differentiably, got KeyError: 'rows'"),
    ],
)
def test_what_is_no_module_of_the_theory(module, message):
    dtype = torch.float32
    if message is None:
        # The velocity of training itself, to first order in T.
        points, T = X.to(dtype).double(), 1e-4
        twin = copy.deepcopy(module).double()
        trained = train_module(twin, points, y, T=T, num_steps=1)
        change = (outputs(trained, Z.double()) - outputs(twin, Z.double())) / T
        found = linearise(module, X.to(dtype), y).velocity(Z.to(dtype))
        torch.testing.assert_close(found, change, rtol=1e-2, atol=1e-2 * float(change.abs().max()))
        return
    with pytest.raises(ValueError, match=message):
        linearise(module, X.to(dtype), y)


@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_what_is_no_function_of_one_row_is_seen_at_every_size(scale):
    class Scaled(nn.Sequential):
        def forward(self, points):
            return scale * super().forward(points)

    for layer, message in ((nn.Dropout(0.5), "the same from call to call"), (nn.BatchNorm1d(8), "one row")):
        with pytest.raises(ValueError, match=message):
            linearise(Scaled(nn.Linear(4, 8), layer, nn.Linear(8, 1)), X.float(), y)
    wide = Scaled(nn.Linear(4, 4096), nn.GELU(), nn.Linear(4096, 1))
    assert torch.isfinite(linearise(wide, 255 * X.float(), y).velocity(Z.float())).all()


def test_linearised_is_at_the_weights_that_were_given():
    """Training the module in place afterwards does not move the prediction."""
    module = make_module("gelu-mlp", dim=4, width=16, seed=0).double()
    lazy = linearise(module, X, y)
    before = lazy.outputs(Z, 1.0)
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(3)
    assert torch.equal(lazy.outputs(Z, 1.0), before)


def test_shared_parameters_move_together():
    """(f(θ₀ + εv) − f(θ₀))/ε → J v, the layers staying tied."""
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    module = nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Linear(4, 1)).double()
    trained = train_module(module, X, y, T=1e-6, num_steps=1)
    assert trained[0].weight is trained[2].weight
    change = (outputs(trained, Z) - outputs(module, Z)) / 1e-6
    torch.testing.assert_close(change, linearise(module, X, y).velocity(Z), rtol=1e-4, atol=1e-6)


def test_gradients_are_taken_where_they_are_turned_off():
    module = make_module("mlp", dim=4, width=8, seed=0).double()
    expected = linearise(module, X, y).input_gradients(Z, 1.0)
    with torch.no_grad():
        assert torch.equal(linearise(module, X, y).input_gradients(Z, 1.0), expected)
        train_module(module, X, y, T=1.0, num_steps=2)


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (X, y[:, None], r"y must have shape \(12,\), one label a point, got \(12, 1\)"),
        (X, y[:1], r"y must have shape \(12,\)"),
        (X, (y + 1) / 2, "y must be -1 or \\+1, got 0"),
        (X[:0], y[:0], r"X must have shape \(n, d\) with n, d >= 1, got \(0, 4\)"),
        (X.log(), y, "X must be finite"),
    ],
)
def test_data_that_make_no_sense(points, labels, message):
    module = nn.Linear(4, 1).double()
    for use in (linearise, lambda *given: train_module(*given, T=1.0, num_steps=1)):
        with pytest.raises((ValueError, TypeError), match=message):
            use(module, points, labels)


def test_rates_that_make_no_sense():
    module = nn.Linear(4, 1).double()
    module.bias.requires_grad_(False)
    with pytest.raises(ValueError, match="rates must be 0 where no gradient is required, as of bias"):
        linearise(module, X, y, rates={"weight": 1.0, "bias": 1.0})
    with pytest.raises(ValueError, match="rates must not all be 0"):
        linearise(module, X, y, rates={})


def test_largest_eigenvalue_of_symmetric_points():
    """Of points ±1 and f = wx it is 1, with the eigenvector (1, −1)."""
    points, module = torch.tensor([[1.0], [-1.0]]), nn.Linear(1, 1, bias=False)
    assert largest_eigenvalue(module, points) == pytest.approx(1, rel=1e-6)
    with pytest.raises(FloatingPointError, match="training would diverge"):
        train_module(module, points, torch.tensor([1.0, -1.0]), T=100.0, num_steps=10, loss="squared")


def test_steps_that_are_too_long_are_said_before_training():
    network = net(Architecture(depth=2, rates="all"))
    with pytest.raises(FloatingPointError, match=r"steps of 50 exceed 2\(1 \+ momentum\)/λ_max"):
        train_module(network, X, y, T=100.0, num_steps=2, loss="squared", rates=network.rates)
    with pytest.raises(ValueError, match="rates must name parameters, first"):
        linearise(network, X, y, rates={"second": 1.0})


def test_points_of_any_library_are_taken():
    """float64 points into float32 parameters, and lists; what has no parameters or no numbers is refused."""
    module = make_module("mlp", dim=4, width=8, seed=0)
    lazy = linearise(module, X.numpy(), y.tolist())
    torch.testing.assert_close(lazy.velocity(Z.numpy()), lazy.velocity(Z.float()))
    trained = train_module(module, X.numpy(), y.numpy(), T=0.1, num_steps=2)
    torch.testing.assert_close(outputs(trained, Z.tolist()), outputs(trained, Z.float()))
    for wrong, message in (
        ((nn.Flatten(), X, y), "must be all float32 or all float64 on one device, got none"),
        ((module, X * float("nan"), y), "X must be finite"),
        ((module, X, y * 2), "y must be -1 or"),
        ((module, X[0], y), r"X must have shape \(n, d\)"),
    ):
        with pytest.raises(ValueError, match=message):
            linearise(*wrong)
