"""Wall time and peak memory of training and of theory against N, d, m and Q, each run in its own process.

"flow" is `flow` to T; "samples" and "products" are the same descent, by the Gram matrix of the samples and by
products with the data (`train_path` chooses between them by itself).  Of the theory, at query points Z:
Φ(Z, X), f̂, `certify`, and the law from which a plan is read.  Identity loss, shifted Gaussian data.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from msgspec import structs
from threadpoolctl import threadpool_limits

import theory
from empirics import descent
from empirics.data import ShiftedGaussianData
from empirics.descent import train
from empirics.exact_flow import flow
from empirics.model import TwoLayerNet
from empirics.record import Count, Record
from empirics.threads import one_thread_in_children
from theory import Setting
from theory.kernel import threads
from theory.validation import check_choice, check_integer, check_real

Solver = Literal["flow", "samples", "products", "phi", "f_hat", "certify", "agreement_law"]
Quantity = Literal["seconds", "bytes"]
QUANTITIES: tuple[Quantity, ...] = ("seconds", "bytes")
TRAINING: tuple[Solver, ...] = ("flow", "samples", "products")
THEORY: tuple[Solver, ...] = ("phi", "f_hat", "certify", "agreement_law")
SOLVERS = TRAINING + THEORY
# And what their cost can depend on.
AXES = {"N": SOLVERS, "dim": SOLVERS, "width": TRAINING, "queries": THEORY}
# From here on descent at the samples is what `train` does: 15 dimensions and more, 10,000 samples and fewer.
_LEAST_DIM, _MOST_SAMPLES = 15, 10_000

_SEEN = 1 << 20  # bytes; fewer may come out of what a process has already
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One training run, or one call of the theory.

    Raises
    ------
    ValueError, TypeError
        On construction, if an argument is out of range: N in [2, 10000], dim ≥ 15, width, queries and
        num_steps ≥ 1, T > 0.
    """

    solver: Solver
    N: int = 500
    dim: int = 64
    width: int = 100
    queries: int = 500  # points where the theory is asked
    T: float = 100.0  # flow time
    num_steps: int = 1000  # of descent

    def __post_init__(self) -> None:
        check_choice("solver", self.solver, SOLVERS)
        check_integer("dim", self.dim, minimum=_LEAST_DIM)
        check_integer("width", self.width, minimum=1)
        check_integer("queries", self.queries, minimum=1)
        check_integer("num_steps", self.num_steps, minimum=1)
        check_real("T", self.T, minimum=0, exclusive=True)
        if check_integer("N", self.N, minimum=2) > _MOST_SAMPLES:
            msg = f"N must be <= {_MOST_SAMPLES}, got {self.N}"
            raise ValueError(msg)


_SMALL = Problem(solver="flow", N=8, dim=_LEAST_DIM, width=4, queries=4, num_steps=2)


class Cost(Record, frozen=True, kw_only=True):
    """What a run took."""

    seconds: tuple[float, ...]  # of each repetition, after one small run that is not counted
    peak_bytes: int | None  # above what the process held before; None where the system does not say


class Row(Cost, frozen=True, kw_only=True):
    """What a run took whose size on one axis is x."""

    axis: str
    solver: Solver
    x: int
    least: float  # of the seconds: what else the machine does only adds to them

    def cost(self, quantity: Quantity) -> float | None:
        """Return the least of the seconds, or the bytes; None where they are too few to be told."""
        if quantity == "seconds":
            return self.least
        return None if self.peak_bytes is None or self.peak_bytes < _SEEN else self.peak_bytes


class Slope(Record, frozen=True, kw_only=True):
    """Least-squares slope of log cost against log size; None for fewer than two values."""

    axis: str
    solver: Solver
    quantity: Quantity
    slope: float | None
    n: Count


class Costs(Record, frozen=True, kw_only=True):
    """What all solvers take along each axis; of the base `Problem` the fields but its solver."""

    base: dict[str, int | float]
    repeats: Count
    rows: tuple[Row, ...]
    slopes: tuple[Slope, ...]


VALUES: Mapping[str, tuple[int, ...]] = {
    "N": (125, 250, 500, 1000, 2000),
    "dim": (16, 32, 64, 128, 256),
    "width": (50, 100, 200, 400, 800),
    "queries": (500, 1000, 2000, 4000, 8000),
}


def measure(
    *,
    base: Problem | None = None,
    values: Mapping[str, Sequence[int]] = VALUES,
    repeats: int = 3,
    progress: Callable[[int, int], None] = lambda finished, total: None,
) -> Costs:
    """Measure training and theory along each axis, one thing varied at a time.

    Parameters
    ----------
    base : Problem, optional
        Its solver does not count; `Problem`'s defaults if absent.
    values : mapping from "N", "dim", "width" or "queries" to sizes
    repeats : int
        Timed repetitions of each run, at least 1.
    progress : callable
        Told (finished, total) after each run.

    Returns
    -------
    Costs

    Raises
    ------
    ValueError, TypeError
        If an axis is unknown or a size out of range, before anything is run.
    RuntimeError
        If a run fails.
    """
    check_integer("repeats", repeats, minimum=1)
    start = Problem(solver="flow") if base is None else base
    for axis in values:
        check_choice("axis", axis, tuple(AXES))
    wanted = [
        (axis, x, problem)
        for axis, sizes in values.items()
        for solver in AXES[axis]
        for x in sizes
        for problem in [replace(start, solver=solver, **{axis: x})]
    ]
    problems = list(dict.fromkeys(problem for *_, problem in wanted))  # the base lies on every axis
    costs = {}
    for problem, cost in zip(problems, run_alone(problems, repeats=repeats), strict=True):
        costs[problem] = cost
        progress(len(costs), len(problems))
    rows = [
        Row(
            **structs.asdict(costs[problem]),
            axis=axis,
            solver=problem.solver,
            x=x,
            least=min(costs[problem].seconds),
        )
        for axis, x, problem in wanted
    ]
    sizes = {name: value for name, value in asdict(start).items() if name != "solver"}
    return Costs(base=sizes, repeats=repeats, rows=tuple(rows), slopes=slopes(rows))


_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from empirics import costs
costs.answer(*map(int, sys.argv[2:]))
"""
# Elsewhere libraries of the system do not bear copies of a process that has loaded them.
_COPIES = sys.platform == "linux"


def run_alone(problems: Iterable[Problem], *, repeats: int) -> Iterator[Cost]:
    """Run each problem in a process of its own, so that no memory of others is there to be used again.

    On Linux they are copies of one that has loaded what all need, which takes longer than most runs.

    Raises
    ------
    RuntimeError
        If a process fails, with the last line of what it said.
    """
    numbers = map(str, (repeats, threads.count(), torch.get_num_threads()))
    command = [sys.executable, "-c", _CHILD, str(Path(__file__).parents[1]), *numbers]
    pipe = subprocess.PIPE
    for group in [list(problems)] if _COPIES else [[problem] for problem in problems]:
        with tempfile.TemporaryFile("w+") as said:
            with one_thread_in_children():
                started = subprocess.Popen(
                    command, stdin=pipe, stdout=pipe, stderr=said, text=True, start_new_session=True
                )
            with suppress(BrokenPipeError), started as process:  # where one ends before it reads
                for problem in group:
                    assert process.stdin is not None
                    assert process.stdout is not None
                    try:
                        print(json.dumps(asdict(problem)), file=process.stdin, flush=True)
                        line = process.stdout.readline()
                    except (KeyboardInterrupt, SystemExit):  # its copy is of its session
                        (os.killpg if _COPIES else os.kill)(process.pid, signal.SIGTERM)
                        raise
                    if not line:
                        break
                    seconds, peak = json.loads(line)
                    yield Cost(seconds=tuple(seconds), peak_bytes=peak)
            if process.returncode:
                said.seek(0)
                last = said.read().strip().splitlines() or [f"exit code {process.returncode}"]
                msg = f"run of {problem} failed: {last[-1]}"
                raise RuntimeError(msg)


def answer(repeats: int, blas_threads: int, torch_threads: int) -> None:
    """Run the problems that come in, a line each, and print what they cost.

    This process has one thread, as copies of a process have none of its others.
    """
    for solver in SOLVERS:
        _prepared(replace(_SMALL, solver=solver))()
    for line in sys.stdin:
        if _COPIES and (copy := os.fork()):
            if code := os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]):
                sys.exit(code if code > 0 else f"ended by signal {-code}")
            continue
        threadpool_limits(blas_threads)
        torch.set_num_threads(torch_threads)
        cost = run_here(Problem(**json.loads(line)), repeats)
        print(json.dumps([cost.seconds, cost.peak_bytes]), flush=True)
        if _COPIES:
            os._exit(0)


def run_here(problem: Problem, repeats: int) -> Cost:
    """Run a problem in this process, after a small one that loads what is compiled.

    Sets which way descent takes for the rest of the process: call it by `run_alone`.
    """
    if problem.solver == "products":
        descent._FEW_SAMPLES = 0
    _prepared(replace(_SMALL, solver=problem.solver))()
    work = _prepared(problem)
    known = _forget_peak()
    before = _memory("VmRSS")
    seconds, peak = [], None
    for repetition in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
        if not repetition:
            peak = _memory("VmHWM")
    held = None if peak is None or before is None or not known else max(0, peak - before)
    return Cost(seconds=tuple(seconds), peak_bytes=held)


def _prepared(problem: Problem) -> Callable[[], object]:
    data = ShiftedGaussianData(dim=problem.dim, num_train=problem.N, num_test=problem.queries).load(seed=0)
    samples: dict[str, Any] = {"X": data.X, "y": data.y}
    setting = Setting(
        dim=problem.dim,
        N=problem.N,
        width=problem.width,
        epsilon=problem.dim**0.5,
        T_f=problem.T,
        T_g=problem.T,
    )
    calls: dict[Solver, Callable[[], object]] = {
        "phi": lambda: theory.phi(data.X_test, data.X),
        "f_hat": lambda: theory.f_hat(data.X_test, **samples),
        "certify": lambda: theory.certify(
            data.X_test, **samples, setting=setting, delta=0.01, dynamics="flow"
        ),
        "agreement_law": lambda: theory.times.agreement_law(data.X_test, **samples, T_f=problem.T),
    }
    if problem.solver in calls:
        return calls[problem.solver]
    network = TwoLayerNet.initialise(problem.dim, problem.width, seed=0)
    if problem.solver == "flow":
        return lambda: flow(network, data.X, data.y, T=problem.T)
    X, y = (torch.as_tensor(array).to(network.weight) for array in (data.X, data.y))
    return lambda: train(network, X, y, T=problem.T, num_steps=problem.num_steps)


def _forget_peak() -> bool:
    """Set the peak of this process to what it holds now; tell whether the system does."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _memory(name: str) -> int | None:
    """Return a size of this process in bytes, None where the system does not say.

    Not ``ru_maxrss``: a child starts with its parent's.
    """
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found.group(1)) * 1024


def slopes(rows: Iterable[Row]) -> tuple[Slope, ...]:
    """Return the least-squares slope of log cost against log size, by axis, solver and quantity."""
    groups: dict[tuple[str, Solver, Quantity], list[tuple[float, float]]] = {}
    for row in rows:
        for quantity in QUANTITIES:
            group = groups.setdefault((row.axis, row.solver, quantity), [])
            if value := row.cost(quantity):
                group.append((row.x, value))
    made = []
    for (axis, solver, quantity), pairs in groups.items():
        slope = None
        if len({x for x, _ in pairs}) > 1:
            slope = statistics.linear_regression(*np.log(pairs).T.tolist()).slope
        made.append(Slope(axis=axis, solver=solver, quantity=quantity, slope=slope, n=len(pairs)))
    return tuple(made)
