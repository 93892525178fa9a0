"""The results of a folder: spreads over seeds, verdicts, predictions.  Pure."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from empirics.campaigns import Point
from empirics.campaigns.orthogonal import Part
from empirics.orthogonal import OrthogonalConfig
from empirics.orthogonal.examination import Examination
from reports.claims import claims_of_orthogonal
from reports.claims.orthogonal.rows import (
    OrthogonalPanel,
    OrthogonalPoint,
    OrthogonalRow,
    Results,
    Run,
    distinct,
)
from reports.claims.orthogonal.signs import CONDITIONS, networks
from reports.runs import Provenance, Totals, per_seed
from reports.statistics import Spread, like_one_more_seed

SCHEMA_VERSION = 3
_METRICS = (
    *(f"{name}_{of}" for name in ("accuracy", "signs", "stationarity", "slackness") for of in ("f", "g")),
    *("accuracy_limit_g", "accuracy_mean_g", "agreement", "cosine_f"),
    *("turning", "turning_limit", "attack_cosine"),
)


def build(
    part: Part,
    rows: Mapping[str, OrthogonalRow],
    *,
    examination: Examination | None = None,
    provenance: Provenance | None = None,
) -> Results:
    """Return all that the page shows.

    Parameters
    ----------
    part : Part
    rows : mapping
        From `reports.runs.read_rows`.
    examination : Examination, optional
        Of data in hand.
    provenance : Provenance, optional

    Returns
    -------
    Results
        With their claims.
    """
    points = part.points()
    configs = dict.fromkeys(config for point in points for config in point.configs)
    found = {config: rows.get(part.hash_of(config)) for config in configs}
    runs = [Run(c, row if row is not None and row.status == "done" else None) for c, row in found.items()]
    results = Results(
        schema_version=SCHEMA_VERSION,
        title=part.title,
        part=part,
        provenance=provenance or Provenance(),
        totals=Totals.of(found.values()),
        panels=tuple(_panel(part, name, list(of), found) for name, of in groupby(points, lambda p: p.sweep)),
        networks=networks(runs),
        examination=examination,
    )
    return msgspec.structs.replace(results, claims=claims_of_orthogonal(results, runs))


_Rows = Mapping[OrthogonalConfig, OrthogonalRow | None]


def _panel(part: Part, name: str, points: Sequence[Point], rows: _Rows) -> OrthogonalPanel:
    made = tuple(_point(part, point, rows) for point in points)
    every = tuple(dict.fromkeys(point.series for point in made))
    cells = {s: [p.metrics["accuracy_g"] for p in distinct(q for q in made if q.series == s)] for s in every}
    return OrthogonalPanel(
        sweep=name,
        x_label=part.x_label(name),
        series=every,
        points=made,
        published={s: like_one_more_seed(cells[s]) for s in every},
    )


def _point(part: Part, point: Point, rows: _Rows) -> OrthogonalPoint:
    found = [(config.seed, rows[config]) for config in point.configs]
    done = [row for _, row in found if row is not None and row.status == "done"]
    networks_of = {"f": [row.f for row in done], "g": [row.g for row in done]}
    flags = {
        name: [one.converged for one in of if one.converged is not None] for name, of in networks_of.items()
    }
    return OrthogonalPoint(
        sweep=point.sweep,
        series=point.series,
        x=point.x,
        config=point.configs[0],
        totals=Totals.of(row for _, row in found),
        metrics={
            name: Spread.of(per_seed(found, name), part.reading(point) if name == "accuracy_g" else None)
            for name in _METRICS
        },
        verdicts={
            f"{condition}_{name}": {
                word: sum(getattr(network, condition) == word for network in of)
                for word in ("holds", "fails", "unknown")
            }
            for name, of in networks_of.items()
            for condition in CONDITIONS
        },
        converged={name: (sum(of), len(of)) for name, of in flags.items()},
    )
