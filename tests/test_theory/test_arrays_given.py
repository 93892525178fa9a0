"""What numpy would silently take for numbers is refused by every public function of arrays."""

import inspect

import numpy as np
import pytest
import torch

import empirics
import theory
from empirics import measure
from theory import agreement, bounds, lazy, orthogonal, testing, times
from theory.validation import as_real

X = np.array([[1.0, 2.0], [0.5, -1.0], [-2.0, 0.25]])
Z = X[:2]
y = np.array([1.0, -1.0, 1.0])
COLUMN = np.linspace(-1.0, 1.0, 16)
SCHEDULE = empirics.Schedule(T=1.0, num_steps=2)
# A value for every name of an argument; where a name has another meaning, `SPECIAL`.
POOL = {
    **dict.fromkeys(["X", "X_adv", "base", "at", "directions", "weights", "R", "A", "B"], X),
    **dict.fromkeys(["y", "y_adv", "targets", "v", "biases", "readout", "initial_outputs", "initial"], y),
    **dict.fromkeys(["direction", "u", "tau", "kappa", "s", "f", "g", "g_b", "deviation"], np.ones(2)),
    **dict.fromkeys(["ceiling", "bet", "bound", "initial_at_Z"], np.ones(2)),
    **dict.fromkeys(["T", "T_f", "T_g"], 1.0),
    **dict.fromkeys(["negative_slope", "delta", "epsilon", "risk", "free_share"], 0.25),
    **dict.fromkeys(["schedule", "schedule_f", "schedule_g"], SCHEDULE),
    **{"Z": Z, "z": Z[0], "outputs": y, "widths": np.array([10, 20]), "width": 4, "scenario": "b", "seed": 0},
    **{"sample": COLUMN[:, None] * np.ones(2), "readouts": COLUMN, "norms": np.abs(COLUMN)},
    **{"setting": theory.Setting(dim=2, N=3, width=4, epsilon=0.5, T_f=1.0, T_g=1.0), "loss": "logistic"},
    **{"learning_rate": 0.1, "steps": (1, 2)},
    **{"share": 0.75, "num_samples": 3, "num_steps": 2, "truncation": 0.01, "num_neurons": 16},
    **{"rng": np.random.default_rng(0), "sampler": lambda _: np.zeros(2), "envelope": bounds.neuron_envelope(
        Z, X=X, y=y, width=4, T=1.0, num_steps=2, truncation=0.001
    )},
}  # fmt: skip
SPECIAL = {
    "certify_independent": {"outputs": POOL["sample"], "initial": POOL["sample"]},
    "weighted_kappa": {"weights": np.ones(3)},
    "network_output": {"v": np.ones(2)},
    "required": {"T_f": 1.0},
    "agreement_given_f": {"outputs": np.ones(2)},
    "phi_monte_carlo": {"num_draws": 2},
    "free_fraction": {"T": np.ones(2), "width": np.ones(2)},
}
MODULES = (theory, agreement, bounds, lazy, orthogonal, times, empirics)
OTHERS = (testing.check_bound, measure.agrees)


def functions():
    """Return every public function with arguments that are annotated as arrays, and their names."""
    found = {getattr(module, name) for module in MODULES for name in module.__all__} | {*OTHERS}
    for function in sorted(filter(inspect.isfunction, found), key=lambda each: each.__qualname__):
        given = inspect.signature(function).parameters.values()
        kinds = {each.name: str(each.annotation) for each in given}
        names = [name for name, kind in kinds.items() if "Array" in kind and "Callable" not in kind]
        if function is not empirics.count_neurons and names:  # takes one of two
            yield function, names, {each.name for each in given if each.default is each.empty}


CASES = [(function, name) for function, names, _ in functions() for name in names]


def call(function, **changes):
    """Call a function with the arguments it needs, and all arrays that it may take."""
    names, needed = next(row[1:] for row in functions() if row[0] is function)
    if "module" in needed:
        changes["module"] = torch.nn.Linear(2, 1)
    if "network" in needed:
        changes["network"] = empirics.TwoLayerNet.initialise(2, 4, seed=0)
    if "module" in needed:
        changes["module"] = empirics.make_module("gelu-mlp", dim=2, width=4, seed=0)
    arguments = (
        {name: POOL.get(name) for name in {*names, *needed}} | SPECIAL.get(function.__name__, {}) | changes
    )
    return function(**arguments)


@pytest.mark.parametrize("function", [row[0] for row in functions()], ids=lambda each: each.__name__)
def test_the_arguments_below_are_valid_ones(function):
    call(function)


@pytest.mark.parametrize(("function", "name"), CASES, ids=[f"{f.__name__}-{name}" for f, name in CASES])
def test_a_masked_array_is_refused(function, name):
    """Its numbers are used under the mask otherwise; without a masked entry it is refused as well."""
    value = SPECIAL.get(function.__name__, {}).get(name, POOL[name])
    message = f"^{name}( in .*)? must be an array of real numbers, got a masked array"
    for mask in (np.arange(np.size(value)).reshape(np.shape(value)) == 0, False):
        with pytest.raises(TypeError, match=message):
            call(function, **{name: np.ma.array(value, mask=mask)})


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ([np.ma.array([1.0, 2.0], mask=[True, False])] * 2, "a masked array"),
        ([[1.0, np.ma.masked]], "a masked array"),
        (np.array([[True, False]]), "dtype bool"),
        ([[1.0, True]], "dtype bool"),
        ([[True, False], [1.0, 2.0]], "dtype bool"),
        ([np.array([True]), np.array([1.0])], "dtype bool"),
        (np.array([["1", "2"]]), "dtype <U1"),
        ([[1.0, "2"]], "dtype <U32"),
        (np.array([[1.0, None]]), "dtype object"),
        (np.array([[1.0, "2"]], dtype=object), "dtype object"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), "dtype datetime64"),
        (np.array([[1]], dtype="m8[s]"), "dtype timedelta64"),
        (np.array([(1.0, 2.0)], dtype=[("a", float), ("b", float)]), "dtype "),
        (np.array([[1j]]), "dtype complex128"),
    ],
)  # fmt: skip
def test_what_is_no_array_of_numbers_is_refused(value, got):
    with pytest.raises(TypeError, match=f"X must be an array of real numbers, got {got}"):
        theory.kappa(Z, X=value)


def test_numbers_in_other_clothes_keep_their_values():
    """np.matrix, whose own * is a matrix product, big-endian and extended numbers are plain arrays here."""
    matrix = X.view(np.matrix)
    for other in (matrix, X.astype(">f8"), X.tolist(), tuple(X), X.astype(np.longdouble)):
        assert theory.f_predict(other, X=other, y=y).tolist() == theory.f_predict(X, X=X, y=y).tolist()
        assert type(as_real("X", other)) is np.ndarray


def test_numbers_beyond_float64_are_not_finite():
    with pytest.raises(ValueError, match="X must be finite, got inf"):
        theory.kappa(Z, X=[[np.longdouble("1e4000"), 1.0]])
    for name in ("T_f", "epsilon"):
        with pytest.raises(ValueError, match=f"{name} must be finite, got inf"):
            theory.Setting(
                **{"dim": 1, "N": 1, "width": 1, "epsilon": 1.0, "T_f": 1.0, "T_g": 1.0, name: 10**400}
            )
    with pytest.raises(ValueError, match=r"width must be <= 1.8e\+308, the largest float"):
        theory.Setting(dim=1, N=1, width=10**400, epsilon=1.0, T_f=1.0, T_g=1.0)


@pytest.mark.parametrize("name", ["kappa", "reach"])
def test_neurons_are_not_counted_with_limits_under_a_mask(name):
    network = empirics.TwoLayerNet.initialise(2, 4, seed=0)
    trained = empirics.train(network, torch.tensor(X).float(), torch.tensor(y).float(), T=1.0, num_steps=1)
    with pytest.raises(TypeError, match=f"{name} must be an array of real numbers, got a masked array"):
        empirics.count_neurons(trained, Z, **{name: np.ma.array([1.0, 1.0], mask=[True, False])})
