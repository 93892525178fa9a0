"""An interactive page: what f and g learn on a plane, computed in the browser as samples are moved."""

from dataclasses import replace

import sympy

from empirics.data import Dataset, DataSource, GaussianData, ShiftedGaussianData
from reports.page import template
from reports.text import legible
from theory import expressions, phi_code
from theory.bounds.margin import FLIPS_RISK, SLACK
from theory.bounds.moments import RATES

MOST = 100  # samples: more would make dragging slow
_GRID = 121  # points a side at which the page computes
_DELTA = 0.01  # of certificates
_REACH = 2.5  # of the plane in both coordinates; larger where samples are


def planar(source: DataSource) -> Dataset:
    """Return the data of a source with two features, Gaussian data in two dimensions.

    Raises
    ------
    ValueError
        If there are more features or fewer.
    """
    if isinstance(source, (GaussianData, ShiftedGaussianData)):
        source = replace(source, dim=2, num_train=MOST)
    data = source.load(0)
    if data.X.shape[1] != 2:
        msg = f"data must have 2 features, the axes of the plane, got {data.X.shape[1]} in {data.name}"
        raise ValueError(msg)
    return data


def _moments() -> str:
    """Return the moments of free neurons as functions in JavaScript, printed from their expressions."""
    found = {
        "second_moment": expressions.FREE_SECOND_MOMENT,
        "fourth_moment": expressions.FREE_FOURTH_MOMENT,
    }
    return "\n".join(
        f"function {name}(tau) {{ return {sympy.jscode(form)}; }}" for name, form in found.items()
    )


def page(data: Dataset | None = None) -> str:
    """Return the page as one HTML file that needs no other.

    Parameters
    ----------
    data : Dataset, optional
        Of two features: the page starts from its first `MOST` training samples, and from two clusters
        without it.
    """
    samples = [] if data is None else [[*x, y] for x, y in zip(data.X[:MOST], data.y[:MOST], strict=True)]
    largest = max((abs(value) for *x, _ in samples for value in x), default=0.0)
    return template("explore.html").render(
        phi_code=phi_code("javascript"),
        moments=_moments(),
        flips_risk=FLIPS_RISK,
        slack=SLACK,
        rates=RATES.tolist(),
        delta=_DELTA,
        samples=[[float(value) for value in sample] for sample in samples],
        name="" if data is None else legible(data.name),
        grid=_GRID,
        reach=max(_REACH, 1.1 * float(largest)),
    )
