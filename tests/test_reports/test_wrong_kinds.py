"""A scalar for a list, a list for a scalar, text for an object: one error each, and nothing is trained."""

import re

import numpy as np
import pytest

import reports
from empirics import DeepConfig, ExperimentConfig, ShiftedGaussianData, make_module

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.sign(X[:, 0])
DATA = ShiftedGaussianData(dim=3, num_train=8, num_test=6)
LOADED = DATA.load(0)
BASE = ExperimentConfig(data=DATA, width=1)
SERIES = reports.Series(base=BASE, widths=(16, 64, 256), seeds=(0, 1))
MODULES = (
    "must be one of fully-connected, mlp, gelu-mlp, layer-norm-mlp, residual-mlp, cnn, or FILE.py:FUNCTION"
)


def _report(**options):
    return reports.report(X, Y, **options)


def _series(**options):
    return reports.Series(**({"base": BASE, "widths": (1,), "seeds": (0,)} | options))


CASES = [
    (lambda v: _report(widths=v), "widths", "must be a sequence", [100, 1.5, "12", {1}]),
    (lambda v: _report(widths=v, depth=2), "widths", "must be a sequence of integers", [100, b"1"]),
    (lambda v: _report(widths=v), "widths", "must not be empty", [[], np.array([], int)]),
    (lambda v: _report(widths=v, depth=2), "widths", "must not be empty", [()]),
    (lambda v: _report(seeds=v), "seeds", "must be an integer", [[1, 2], "3"]),
    (lambda v: _report(out=v), "out", "must be a path", [5, ["x"], b"x"]),
    (lambda v: _report(overwrite=v), "overwrite", "must be True or False", ["no", 0]),
    (lambda v: _report(device=v), "device", "must be cpu, cuda or cuda:N", [5, "tpu", ["cpu"]]),
    (lambda v: _report(classes=v), "classes", "must be a tuple of two names", [5, np.ones(2)]),
    (lambda v: _report(loss=v), "loss", "must be one of ", [np.ones(2), ["identity"]]),
    (lambda v: _report(module=v), "module", MODULES, [5, ["mlp"], "good.py", "nets/good.py"]),
    (lambda v: DeepConfig(data=DATA, width=8, module_g=v), "module_g", MODULES, ["good.py", print]),
    (lambda v: make_module(v, dim=2, width=4, seed=0), "module", "must be one of mlp, ", ["good.py", 3]),
    (reports.report, "data", "must be given: arrays, a name, a file", [None]),
    (reports.plan, "data", "must be given: arrays, a name, a file", [None]),
    (lambda v: reports.plan(X, Y, out=v), "out", "must be a path", [5, ["x"]]),
    (reports.build, "all_series", "must be a Series or a sequence", [5, "x", BASE, DATA, [BASE], None]),
    (lambda v: reports.build(SERIES, device=v), "device", "must be cpu, cuda or cuda:N", [5, "tpu"]),
    (lambda v: reports.build(SERIES, command=v), "command", "must be text", [["x"]]),
    (lambda v: reports.build(SERIES, executor=v), "executor", "must be a concurrent", ["dask"]),
    (lambda v: _series(base=v), "base", "must be an ExperimentConfig", [DATA, None]),
    (lambda v: _series(widths=v), "widths", "must be a sequence", [5, "12"]),
    (lambda v: _series(seeds=v), "seeds", "must be a sequence", [5, "12", None]),
    (lambda v: _series(seeds=v), "seeds", "must be an integer", [["a"], [0.5]]),
    (lambda v: _series(choice=v), "choice", "must be a Choice", [5]),
    (reports.series, "data", "must be a source of data", ["digits", None, type(DATA)]),
    (lambda v: reports.series(DATA, fields=v), "fields", "must be a mapping", [["T_f"], 5]),
    (lambda v: reports.series(DATA, fields={v: 1}), "fields", "must be those of ExperimentConfig", ["nope"]),
    (reports.source, "data", "must be the name of a data set, a file or a folder", [5, [1], DATA]),
    (reports.choose, "dataset", "must be a Dataset", [DATA, "digits"]),
    (lambda v: reports.choose(LOADED, largest_width=v), "largest_width", "must be >= 100", [0, 99]),
    (lambda v: reports.choose(LOADED, largest_width=v), "largest_width", "must be an integer", ["x", [1]]),
    (reports.render, "found", "must be the results of a report", ["report", None]),
    (reports.claims, "results", "must be the results of a report", ["report", None]),
    (reports.Report.read, "path", "must be a path", [None, 5]),
    (lambda v: reports.provenance(command=v, device="cpu"), "command", "must be text", [None]),
    (lambda v: reports.provenance(command="x", device=v), "device", "must be cpu, cuda", [None, "x"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "name", "rule", "value"),
    [
        pytest.param(*case, value, id=f"{case[1]}={value!r}"[:60])
        for *case, values in CASES
        for value in values
    ],
)
def test_it_names_argument_rule_and_value(tmp_path, monkeypatch, call, name, rule, value):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError), match=f"^{name} {re.escape(rule)}.*, got "):
        call(value)
    assert list(tmp_path.iterdir()) == []


def test_sequences_of_any_kind_are_kept_as_tuples_of_ints():
    made = reports.Series(base=BASE, widths=np.array([10, 100]), seeds=range(2))
    assert (made.widths, made.seeds) == ((10, 100), (0, 1))
    assert {type(width) for width in made.widths} == {int}
