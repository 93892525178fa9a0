"""The results of a sweep: spreads over seeds beside published values and predictions.

Pure: what is computed here depends on the plan and the results alone.  `reports.sweeps.page` shows it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from empirics.campaigns import Panel, Point, Reading, readings
from empirics.campaigns.wide import COSINES, METRICS, Part, cosine_reading
from empirics.data.images import published_content
from empirics.deep import DEEP
from empirics.deep.config import architecture_text
from empirics.sweep.plan import Plan
from empirics.wide import WIDE
from reports.claims import claims_of_sweeps
from reports.claims.sweeps import times
from reports.claims.sweeps.architectures import COLUMNS
from reports.claims.sweeps.explained import criterion_of, explained_sets
from reports.claims.sweeps.published import compared
from reports.claims.sweeps.reached import reach_of
from reports.claims.sweeps.rows import Runs, Section, SweepResults, WidePanel, WidePoint
from reports.claims.sweeps.trends import trends_of
from reports.runs import Provenance, Row, Totals, per_seed
from reports.statistics import Spread, mean
from reports.sweeps.panels import rest_panels

SCHEMA_VERSION = 5
_REGIME = ("free_f", "free_g", "flipped_f", "flipped_g", "tau_f", "tau_g")
# What is predicted for the same points, neither f nor its perturbations trained: the first column that all
# runs with a measurement have.
_PREDICTED = {
    "acc_f": ("predicted_accuracy_f_train", "linear_accuracy_f_train"),
    "acc_g": (
        *("two_point_accuracy_g_train", "lazy_accuracy_g_train", "predicted_accuracy_g_train"),
        "linear_accuracy_g_train",
    ),
    "agreement": (
        *("two_point_agreement_test", "lazy_agreement_test", "predicted_agreement_test"),
        *("linear_agreement_test", "wide_agreement_test", "law_agreement_test"),
    ),
}


def build(
    plan: Plan, runs: Runs, parts: Sequence[Part], *, provenance: Provenance | None = None
) -> SweepResults:
    """Return all that the page of a sweep shows.

    Parameters
    ----------
    plan : Plan
        Of the folder.
    runs : Runs
        The rows from `reports.runs.read_rows`, and their experiment.
    parts : sequence of Part
        Published blocks and studies that the folder holds; for what belongs to none of them there is a panel
        an axis of the plan.
    provenance : Provenance, optional

    Returns
    -------
    SweepResults
        With their claims.
    """
    configs = plan.configs(runs.experiment)
    runs.names.update({config: name for name, config in configs.items()})
    panels_of = [part.panels() for part in parts]
    sections = [_section(part, panels, runs) for part, panels in zip(parts, panels_of, strict=True)]
    placed = {
        runs.name(c) for panels in panels_of for panel in panels for p in panel.points for c in p.configs
    }
    if configs.keys() - placed:
        made = runs.experiment.make
        rest, left_out = rest_panels(
            plan, made, lambda config: runs.name(config) not in placed, named=runs.experiment is DEEP
        )
        sections.append(msgspec.structs.replace(_section(None, rest, runs), panels_left_out=left_out))
    return SweepResults(
        schema_version=SCHEMA_VERSION,
        provenance=provenance or Provenance(),
        totals=Totals.of(runs.rows.get(name) for name in configs),
        sections=tuple(sections),
        claims=claims_of_sweeps(sections),
    )


def _section(part: Part | None, panels: Sequence[Panel], runs: Runs) -> Section:
    """Return one block, study or rest of a plan."""
    found = images(panels, runs)
    foreign, figure = not all(found.values()), "" if part is None else part.figure
    study = part is not None and part.kind == "study"
    drawn = tuple(_panel(panel, runs, figure, study=study, foreign=foreign) for panel in panels)
    sets = explained_sets(panels, runs, published_block=part is not None and not study)
    return Section(
        title=_title(panels, runs) if part is None else part.title,
        part=part,
        question="" if part is None else part.question,
        stand_in="" if part is None else part.stand_in,
        images=found,
        panels=drawn,
        published=compared(drawn) if figure else None,
        trends=() if part is None else trends_of(part, drawn),
        explained=sets,
        criterion=None if part is None else criterion_of(part, sets),
    )


def _title(panels: Sequence[Panel], runs: Runs) -> str:
    """Return the heading of the rest of a plan: the pair of architectures, where it is of one."""
    if runs.experiment is not DEEP:
        return "Other configurations of the plan"
    pairs = {(c.f, c.g) for panel in panels for p in panel.points for c in p.configs}
    said = {" and ".join(dict.fromkeys(map(architecture_text, pair))) for pair in pairs}
    found = said.pop() if len(said) == 1 else "pairs of networks"
    return f"{found[0].upper()}{found[1:]}"


def images(panels: Sequence[Panel], runs: Runs) -> dict[str, bool]:
    """Tell for each public set of images whether the results are of the files that were published.

    The hash of a result covers the bytes of its files: it is compared with the hash that the same fields have
    with the published files.  No file is read.

    Parameters
    ----------
    panels : sequence of Panel
    runs : Runs

    Returns
    -------
    dict from str to bool
        By the name of the set; False if any result of it is of other files.
    """
    one_each = {config.data: config for panel in panels for p in panel.points for config in p.configs}
    found: dict[str, bool] = {}
    for data, config in one_each.items():
        content = published_content(data)
        if content is not None:
            same = runs.name(config) == runs.experiment.hash(config, {data: content})
            found[data.name] = found.get(data.name, True) and same
    return dict(sorted(found.items()))


# Points ----------------------------------------------------------------------------------------------------


def _panel(panel: Panel, runs: Runs, figure: str, *, study: bool, foreign: bool) -> WidePanel:
    points = tuple(
        _point(
            point,
            runs,
            figure,
            foreign=foreign,
            columns=times.COLUMNS if study else (),
        )
        for point in panel.points
    )
    return WidePanel(
        sweep=panel.sweep,
        x_label=panel.x_label,
        ticks=panel.ticks,
        points=points,
        reach=reach_of(points) if study else None,
    )


def _point(point: Point, runs: Runs, figure: str, *, foreign: bool, columns: Sequence[str]) -> WidePoint:
    rows = [(config.seed, runs.row(config)) for config in point.configs]
    foreseen = {series: _foreseen(rows, series) for series in METRICS}
    cosine = cosine_reading(figure, point.sweep, point.x)
    known = [row.numbers for _, row in rows if row is not None]
    return WidePoint(
        x=point.x,
        totals=Totals.of(row for _, row in rows),
        metrics={
            series: Spread.of(per_seed(rows, column), _reading(figure, point, series), foreign=foreign)
            for series, column in METRICS.items()
        },
        cosines={
            name: Spread.of(per_seed(rows, column), cosine, foreign=foreign)
            for name, column in COSINES.items()
        },
        predicted={series: value for series, (_, value) in foreseen.items()},
        predicted_by={series: column for series, (column, _) in foreseen.items()},
        regime={name: mean([numbers[name] for numbers in known if name in numbers]) for name in _REGIME},
        deep={
            name: Spread.of(per_seed(rows, name))
            for name in COLUMNS
            if runs.experiment is not WIDE and any(name in found for found in known)
        },
        law={
            name: Spread.of(per_seed(rows, name)) for name in columns if any(name in found for found in known)
        },
    )


def _reading(figure: str, point: Point, series: str) -> Reading | None:
    return readings().get((figure, point.sweep, float(point.x), series)) if figure else None


def _foreseen(rows: Iterable[tuple[int, Row | None]], series: str) -> tuple[str | None, float | None]:
    """Return the column that predicts a metric at a point, and its mean over seeds, as that of the metric.

    One column for the whole point, and the runs that the measured value is taken from: a prediction that
    some of them lack would be the maximum of fewer runs, or of several predictors.
    """
    measured = [(s, row) for s, row in rows if row is not None and METRICS[series] in row.numbers]
    for column in _PREDICTED[series]:
        if measured and all(column in row.numbers for _, row in measured):
            return column, Spread.of(per_seed(measured, column)).mean
    return None, None
