"""Sweeps made up: results of all runs of a part, and panels without runs."""

from empirics.sweep.plan import plan_of_configs
from empirics.wide import WIDE
from reports.claims.sweeps.rows import Runs, WidePanel, WidePoint
from reports.claims.sweeps.trends import SERIES
from reports.runs import Row, Totals, rows_of
from reports.statistics import Spread
from reports.sweeps.reproduction import build


def row_of(config, experiment=WIDE, **columns):
    return {"hash": experiment.hash(config), "status": "done", **experiment.fields(config), **columns}


def built(part, rows):
    """Return the results of a part, of lines or of a function of point and configuration to columns."""
    if callable(rows):
        pairs = {c: p for p in reversed(part.points()) for c in reversed(p.configs)}
        rows = [
            row_of(config, part.experiment, **rows(point, config))
            for config, point in reversed(pairs.items())
        ]
    plan = plan_of_configs(part.experiment, part.configs())
    return build(plan, Runs(rows_of(rows, Row), part.experiment), [part])


def panel(values, sweep="eps", published=None, series=SERIES):
    """Return a panel with values[seed][point] for both metrics, or for one; `published` are readings."""
    cells = []
    for index in range(len(values[0])):
        held = {seed: row[index] for seed, row in enumerate(values) if row[index] is not None}
        read = None if published is None else published[index]
        cells.append({name: Spread.of(held if name in series else {}, read) for name in SERIES})
    bare = {name: {} for name in ("cosines", "predicted", "predicted_by", "regime")}
    points = [WidePoint(x=x, totals=Totals.of([]), metrics=cell, **bare) for x, cell in enumerate(cells)]
    return WidePanel(sweep=sweep, x_label=sweep, points=tuple(points))
