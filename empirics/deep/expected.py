"""How far networks of a depth and a width are from linearised training and from the wide limit, beforehand.

Laws C L^a m^(−b) of the relative errors of velocities, fitted to recorded measurements (``errors.csv``): mean
errors of f and of g over 6 seeds at γ = 0, without residual blocks, where T|F| is twice the initial deviation
(`DeepConfig.times`) and ε = √d, on shifted Gaussian data (N = 200, d = 40) and digits 1 vs 2.  Fitted where
the larger error of the two networks is at most 1: beyond, with all layers learning, training diverges.
"""

import csv
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

import numpy as np

from theory.deep import Architecture

How = Literal["linear", "wide"]
HOWS: tuple[How, ...] = ("linear", "wide")
TIMES = 2.0  # of the measurements
_LARGEST = 1.0


class Law(NamedTuple):
    """The error C L^a m^(−b), and how well it describes the measurements."""

    log_scale: float
    of_depth: float  # a
    of_width: float  # −b
    spread: float  # root mean square of log measured − log fitted

    def error(self, depth: int, width: int) -> float:
        """Return the expected relative error, the larger of f and g."""
        return float(np.exp(self.log_scale) * depth**self.of_depth * width**self.of_width)

    def width(self, depth: int, error: float) -> float:
        """Return the width from which on the expected error is at most so large."""
        return float((error / self.error(depth, 1)) ** (1 / self.of_width))


@cache
def law(how: How, rates: str) -> Law:
    """Return the law of errors of the prediction by linearised networks, or by the wide limit.

    Parameters
    ----------
    how : {"linear", "wide"}
    rates : {"first", "all"}
        Which layers learn.

    Returns
    -------
    Law

    Examples
    --------
    >>> from empirics.deep.expected import law
    >>> 150 < law("wide", "first").width(depth=3, error=0.3) < 250
    True
    """
    text = resources.files("empirics.deep").joinpath("errors.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["rates"] == rates]
    errors = np.array([max(float(row[f"{how}_f"]), float(row[f"{how}_g"])) for row in rows])
    powers = np.log([[float(row["depth"]), float(row["width"])] for row in rows])
    small = errors <= _LARGEST
    design, logs = np.column_stack([np.ones(small.sum()), powers[small]]), np.log(errors[small])
    fitted = np.linalg.lstsq(design, logs)[0]
    spread = float(np.sqrt(np.mean((logs - design @ fitted) ** 2)))
    return Law(*map(float, (*fitted, spread)))


def expected_error(how: How, architecture: Architecture | str, width: int, times: float) -> float | None:
    """Return the expected error; None for what was not measured: modules, residual blocks, longer times."""
    if isinstance(architecture, str) or architecture.residual is not None or not times <= TIMES:
        return None
    if not isinstance(architecture.rates, str):
        return None
    return law(how, architecture.rates).error(architecture.depth, width)
