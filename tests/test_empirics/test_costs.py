"""Costs: what is measured and fitted, at tiny sizes. No time is asserted."""

import io
import math
import sys
from dataclasses import asdict, replace

import pytest
import torch
from msgspec import json

import theory
from empirics import costs, descent
from empirics.costs import AXES, SOLVERS, THEORY, Cost, Costs, Problem, Row, measure, run_alone, slopes
from theory.kernel import threads

TINY = Problem(solver="flow", N=6, dim=16, width=3, T=1.0, num_steps=3)


@pytest.fixture
def measured(monkeypatch):
    """A measurement whose runs cost what a power law says."""
    ran = []

    def law(problems, *, repeats):
        for problem in problems:
            ran.append(problem)
            seconds = 1e-3 * problem.N**1.5 * problem.width
            yield Cost(
                seconds=(2 * seconds, seconds, 3 * seconds)[:repeats], peak_bytes=2**20 * problem.dim**2
            )

    monkeypatch.setattr(costs, "run_alone", law)
    values = {"N": (4, 6, 16), "dim": (16, 32), "width": (3, 30), "queries": (500, 50)}
    return measure(base=TINY, values=values, repeats=3), ran


def test_rows_are_all_solvers_along_each_axis(measured):
    made, ran = measured
    assert json.decode(json.encode(made), type=Costs) == made
    expected = [
        (axis, solver, x)
        for axis, sizes in (("N", (4, 6, 16)), ("dim", (16, 32)), ("width", (3, 30)), ("queries", (500, 50)))
        for solver in AXES[axis]
        for x in sizes
    ]
    assert [(row.axis, row.solver, row.x) for row in made.rows] == expected
    assert len(ran) == len(set(ran)) == len(expected) - 2 * len(SOLVERS)  # the base is on every axis
    assert made.base == {"N": 6, "dim": 16, "width": 3, "queries": 500, "T": 1.0, "num_steps": 3}


def test_least_times_and_slopes_are_those_of_the_runs(measured):
    made, _ = measured
    for row in made.rows:
        assert row.least == row.seconds[1] < min(row.seconds[0], row.seconds[2])
    found = {(s.axis, s.quantity): s.slope for s in made.slopes if s.solver == "flow"}
    exact = {("N", "seconds"): 1.5, ("dim", "seconds"): 0, ("width", "seconds"): 1}
    exact |= {("N", "bytes"): 0, ("dim", "bytes"): 2, ("width", "bytes"): 0}
    assert found == pytest.approx(exact, abs=1e-12)


SEEN = 1 << 20


@pytest.mark.parametrize(("values", "n"), [([None, None], 0), ([SEEN - 1, SEEN], 1), ([SEEN, SEEN], 2)])
def test_slope_needs_two_values_that_are_seen(values, n):
    rows = [
        Row(axis="N", solver="flow", x=x, seconds=(1.0,), least=1.0, peak_bytes=value)
        for x, value in zip((10, 20), values, strict=True)
    ]
    memory = slopes(rows)[1]
    assert (memory.quantity, memory.n) == ("bytes", n)
    assert (memory.slope is None) == (n < 2)


@pytest.mark.parametrize("solver", THEORY)
def test_theory_is_asked_at_its_queries(solver, monkeypatch):
    asked = []
    home = theory.times if solver == "agreement_law" else theory
    whole = getattr(home, solver)
    monkeypatch.setattr(
        home, solver, lambda Z, *given, **named: asked.append(len(Z)) or whole(Z, *given, **named)
    )
    monkeypatch.setattr(costs, "_forget_peak", lambda: False)
    costs.run_here(replace(TINY, solver=solver, queries=7), 2)
    assert asked == [4, 7, 7]  # a small one first


def test_both_ways_of_descent_are_taken(monkeypatch):
    """ "products" must not fall back to the samples, nor the other way round, in either run of a process."""
    taken = []
    for name in ("_at_samples", "_independent"):
        way = getattr(descent, name)
        monkeypatch.setattr(
            descent, name, lambda *given, way=way, name=name: taken.append(name) or way(*given)
        )
    monkeypatch.setattr(descent, "_FEW_SAMPLES", descent._FEW_SAMPLES)  # what products changes is put back
    monkeypatch.setattr(costs, "_forget_peak", lambda: False)
    costs.run_here(replace(TINY, solver="samples"), 1)
    assert taken == ["_at_samples"] * 2
    cost = costs.run_here(replace(TINY, solver="products"), 2)
    assert taken[2:] == ["_independent"] * 3
    assert (len(cost.seconds), cost.peak_bytes) == (2, None)  # unknown where the peak cannot be set back


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read and set back on Linux only")
def test_memory_of_a_run_is_that_of_what_it_holds():
    """Descent at the samples holds their Gram matrix, 8 N² bytes; by products less (.8 MB measured)."""
    N = 1000
    problem = replace(TINY, N=N, dim=64, width=100)
    ways = ("samples", "samples", "products")  # the second has no memory of the first
    made = run_alone([replace(problem, solver=way) for way in ways], repeats=1)
    first, second, products = (cost.peak_bytes for cost in made)
    if first is None:
        pytest.skip("this system does not set peaks back")
    assert 8 * N**2 <= first < 5 * 8 * N**2
    assert 8 * N**2 <= second < 5 * 8 * N**2
    assert 0 < products < 8 * N**2


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize(
    ("last", "said"), [("raise SystemExit('out of luck')", "out of luck"), ("exit(3)", "exit code 3")]
)
def test_a_failing_process_is_one_clear_error(copies, last, said, monkeypatch):
    """Of the problem that failed, after what the others cost."""
    answer = "print('[[1.5, 2], null]', flush=True)"
    alone = f"import json\nif json.loads(input())['N'] == 6: {last}\n{answer}"
    child = f"input()\n{answer}\n{last}" if copies else alone
    monkeypatch.setattr(costs, "_CHILD", child)
    monkeypatch.setattr(costs, "_COPIES", copies)
    made = run_alone([replace(TINY, N=5), TINY], repeats=2)
    assert next(made) == Cost(seconds=(1.5, 2.0), peak_bytes=None)
    with pytest.raises(RuntimeError, match=rf"run of Problem\(solver='flow', N=6, .* failed: {said}$"):
        next(made)


def test_problems_that_come_in_are_answered(monkeypatch, capsys):
    """In this process, as where no copies are made."""
    lines = "".join(f"{json.encode(asdict(replace(TINY, solver=one))).decode()}\n" for one in ("flow", "phi"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    monkeypatch.setattr(costs, "_COPIES", False)
    monkeypatch.setattr(costs, "_forget_peak", lambda: False)
    costs.answer(2, threads.count(), torch.get_num_threads())
    answers = [json.decode(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(seconds) for seconds, _ in answers] == [2, 2]
    assert [peak for _, peak in answers] == [None, None]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"solver": "adam"}, "solver must be one of flow, .*, agreement_law, got 'adam'"),
        ({"dim": 14}, "dim must be >= 15, got 14"),
        ({"N": 1}, "N must be >= 2, got 1"),
        ({"N": 10_001}, "N must be <= 10000, got 10001"),
        ({"queries": 0}, "queries must be >= 1, got 0"),
        ({"width": 0}, "width must be >= 1, got 0"),
        ({"num_steps": 0}, "num_steps must be >= 1, got 0"),
        ({"T": 0.0}, "T must be > 0, got 0"),
        ({"T": math.nan}, "T must be finite, got nan"),
    ],
)
def test_problem_rejects(fields, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **fields)


def test_measure_rejects_before_it_runs():
    with pytest.raises(ValueError, match="axis must be one of N, dim, width, queries, got 'd'"):
        measure(values={"d": (16,)})
    with pytest.raises(ValueError, match="dim must be >= 15, got 4"):
        measure(values={"N": (8,), "dim": (4,)})
    with pytest.raises(ValueError, match="repeats must be >= 1, got 0"):
        measure(repeats=0)
    assert set(costs.VALUES) == set(AXES)
