"""Questions of our own as plans: what makes perturbations teach, one thing varied at a time.

Each study is a list of `Point`s, as a published block is, with one experiment a point and seed.  The identity
loss is trained by its exact gradient flow.  The logistic loss has no such formula: it is trained by the
adaptive integration of its gradient flow (`empirics.smooth_flow`), as flow has no step size that the result
depends on, flow times of both losses mean the same, and one trajectory of g serves all its times.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from empirics.published import Point
from empirics.wide import config_of
from theory.validation import check_choice, check_integer

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question and the experiments that answer it."""

    question: str
    x_label: str
    sweeps: Mapping[str, Mapping[float, Fields]] = field(repr=False)  # sweep, x, fields without the seed


def study(name: str) -> Study:
    """Return a study.

    Parameters
    ----------
    name : str
        One of `STUDIES`.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    check_choice("study", name, STUDIES)
    return _MAKERS[name]()


def points(name: str, *, seeds: int = 10, sweeps: Iterable[str] | None = None) -> list[Point]:
    """Return the points of a study, each with one experiment a seed.

    Parameters
    ----------
    name : str
        One of `STUDIES`.
    seeds : int
        Number of seeds, from 0.
    sweeps : iterable of str, optional
        Names of the sweeps; all if absent.

    Raises
    ------
    ValueError
        If a name is unknown or there is no seed.
    """
    chosen = study(name)
    check_integer("seeds", seeds, minimum=1)
    made = []
    for sweep in dict.fromkeys(chosen.sweeps if sweeps is None else sweeps):
        check_choice("sweep", sweep, tuple(chosen.sweeps))
        for x, fields in chosen.sweeps[sweep].items():
            configs = tuple(config_of({**fields, "seed": seed}) for seed in range(seeds))
            made.append(Point(block=name, sweep=sweep, x=x, configs=configs))
    return made


# The studies -----------------------------------------------------------------------------------------------

_FLOW = {"solver": "flow"}


def _shifted(dim: int, num_train: int) -> dict[str, Any]:
    """Two classes with means ±.3 in each coordinate: Bayes accuracy .83 at d = 10, .95 at 30, .999 at 100."""
    sizes = {"data.dim": dim, "data.num_train": num_train, "data.num_test": 500}
    return {"data.source": "shifted-gaussian", "data.shift": 0.3, **sizes}


def _random(dim: int, num_train: int) -> dict[str, Any]:
    """Gaussian points with random labels: agreement is all that g can learn."""
    return {"data.source": "gaussian", "data.dim": dim, "data.num_train": num_train, "data.num_test": 500}


def _dimension() -> Study:
    fixed = {**_FLOW, "width": 300, "T_f": 30.0, "T_g": 30.0}
    dims = (5, 10, 20, 50, 100, 200, 500)
    return Study(
        question="How does learning from perturbations depend on the dimension? N = 500, ε = √d.",
        x_label="dimension d",
        sweeps={
            "shifted Gaussian": {d: {**_shifted(d, 500), **fixed} for d in dims},
            "Gaussian with random labels": {d: {**_random(d, 500), **fixed} for d in dims},
        },
    )


def _perturbation_size() -> Study:
    fixed = {**_FLOW, "width": 300, "T_f": 30.0, "T_g": 30.0}
    shares = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    return Study(
        question="Does agreement depend on ε through ε/√d? Shifted Gaussian data, N = 500.",
        x_label="ε/√d",
        sweeps={
            f"d = {d}": {
                share: {**_shifted(d, 500), **fixed, "epsilon": float(f"{share * math.sqrt(d):.6g}")}
                for share in shares
            }
            for d in (10, 30, 100, 300)
        },
    )


def _width() -> Study:
    fixed = {**_FLOW, "T_f": 10.0, "T_g": 10.0}
    widths = (1, 2, 3, 5, 10, 20, 30, 50, 100, 300, 1000, 3000, 10_000)
    return Study(
        question="How does agreement decay as the width falls, and how many neurons are free then? "
        "d = 30, N = 200.",
        x_label="width m",
        sweeps={
            "shifted Gaussian": {m: {**_shifted(30, 200), **fixed, "width": m} for m in widths},
            "Gaussian with random labels": {m: {**_random(30, 200), **fixed, "width": m} for m in widths},
        },
    )


def _lazy() -> Study:
    times = (0.5, 1.0, 2.0, 5.0, 10.0)
    fixed = {**_FLOW, **_shifted(30, 200), "width": 20_000}
    return Study(
        question="From which time on do wide networks follow the lazy prediction, which is about long "
        "training? N = 200, d = 30, m = 20,000.",
        x_label="flow time T of f and g",
        sweeps={"shifted Gaussian": {T: {**fixed, "T_f": T, "T_g": T} for T in times}},
    )


def _training_time() -> Study:
    sources: dict[str, dict[str, Any]] = {
        "shifted Gaussian": _shifted(30, 500),
        "Gaussian with random labels": _random(30, 500),
        "digits": {"data.source": "digits"},
        "breast cancer": {"data.source": "breast-cancer"},
    }
    times = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
    fixed = {**_FLOW, "width": 300, "T_f": 10.0}
    return Study(
        question="How long must g train until it agrees with f? T_f = 10, m = 300, ε = √d.",
        x_label="flow time of g",
        sweeps={
            f"{name} ({loss} loss)": {T: {**source, **fixed, "loss": loss, "T_g": T} for T in times}
            for name, source in sources.items()
            for loss in ("identity", "logistic")
        },
    )


_MAKERS: dict[str, Callable[[], Study]] = {
    "dimension": _dimension,
    "perturbation-size": _perturbation_size,
    "width": _width,
    "lazy": _lazy,
    "training-time": _training_time,
}
STUDIES = tuple(_MAKERS)
