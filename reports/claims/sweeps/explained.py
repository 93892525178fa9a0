"""How well what is predicted run by run is measured, for several sets of runs, the widest honest one first.

A criterion names the predictors of the accuracy of g that do at least as well as the two-number rule did.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from markupsafe import Markup

from empirics.campaigns import Panel, Point, campaign
from empirics.campaigns.wide import Part
from empirics.config import ExperimentConfig
from empirics.deep import DEEP
from empirics.laws import LAWS
from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.sweeps.architectures import along
from reports.claims.sweeps.rows import Explained, Prediction, Runs, Section, stated
from reports.inline import rich
from reports.judging import CONFIDENCE, Judgement, judge_mean, together, unmeasured
from reports.page import Block, Figure, Prose, table
from reports.runs import Row
from reports.shown import SAID
from reports.statistics import comparison
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim, verdict
from theory.setting import flow_time

# The runs that the two-number rule was measured on, and what it reached there: 77 runs of MSG(a).
RULE_RUNS = "identity loss, learning rates 1, m ≥ 30, N ≥ 100"
RULE_CORRELATION, RULE_ERROR = 0.997, 0.010
# Name, predicted column, measured column, and whether a network is trained for the prediction: the name says
# which.
PREDICTIONS = tuple(
    (f"{what}, {how}" + (f" ({trained})" if trained else ""), f"{column}_{measured}", measured, bool(trained))
    for what, measured in (("accuracy of g", "accuracy_g_train"), ("agreement", "agreement_test"))
    for how, column, trained in (
        ("two samples", "two_point", "g trained on two points"),
        ("initial weights", "lazy", ""),
        ("wide limit", "predicted", ""),
        ("wide limit given the perturbations of f", "given_f", "f trained"),
        ("two-number rule", "rule", ""),
    )
    if (column, what) != ("rule", "agreement")
)
# Of pairs of networks of any architecture, nothing trained for either.
OF_DEEP = (
    ("agreement, networks linearised", "linear_agreement_test", "agreement_test", False),
    ("agreement, wide limit from the initial f", "wide_agreement_test", "agreement_test", False),
)
OF_LAWS = (
    ("agreement, law from sizes alone", "law_agreement_test", "agreement_test", False),
    ("agreement, chance over random labels of these inputs", "label_agreement_test", "agreement_test", False),
)
# Predictions of an experiment, and their words in `SAID`.
_OF = {DEEP.name: (OF_DEEP, "predictions_of_deep"), LAWS.name: (OF_LAWS, "predictions_of_laws")}
# Upper ends of intervals of τ, the larger of f and g: how far from lazy, a free share of (2/π) arctan τ.
REGIMES = (0.1, 1.0, 10.0)
_MOMENTUM = 0.9  # of the published optimiser


def explained_sets(panels: Sequence[Panel], runs: Runs, *, published_block: bool) -> tuple[Explained, ...]:
    """Return predicted against measured for several sets of runs, over the runs that have both values.

    The first is the widest one that the theory is about: all runs with identity loss, where there are any.
    Those runs follow once more by how lazy they are (`REGIMES`).

    Parameters
    ----------
    panels : sequence of Panel
    runs : Runs
    published_block : bool
        With the subset that the two-number rule was measured on (`RULE_RUNS`), and that of long training.
    """
    points = [(point, config) for panel in panels for point in panel.points for config in point.configs]
    rows = {config: runs.row(config) for _, config in points}
    sets = _sets_by_loss(list(rows)) | _sets_by_regime(rows)
    if published_block:
        simple = [(point, config) for point, config in points if _simple(config, point)]
        sets[RULE_RUNS] = [config for _, config in simple]
        # What is predicted is the sign after long training.
        long = [config for point, config in simple if point.sweep not in {"T_f", "T_g"}]
        sets[f"{RULE_RUNS}, all epochs of the base"] = long
    made = []
    for label, configs in sets.items():
        chosen = {config: rows[config] for config in configs}
        columns_of, _ = _OF.get(runs.experiment.name, (PREDICTIONS, ""))
        predictions = tuple(_prediction(chosen, *columns) for columns in columns_of)
        made.append(Explained(runs=label, total=len(chosen), predictions=predictions))
    return tuple(made)


def _sets_by_loss(every: list[ExperimentConfig]) -> dict[str, list[ExperimentConfig]]:
    losses = sorted({config.loss for config in every}, key=lambda loss: (loss != "identity", loss))
    if len(losses) < 2:
        return {"all runs": every}
    first, *others = [(f"{loss} loss", [c for c in every if c.loss == loss]) for loss in losses]
    return dict([first, ("all runs", every), *others])


def _sets_by_regime(rows: Mapping[ExperimentConfig, Row | None]) -> dict[str, list[ExperimentConfig]]:
    """Return the runs with identity loss by the larger τ of f and g."""
    rates = {
        config: max(row.numbers["tau_f"], row.numbers["tau_g"])
        for config, row in rows.items()
        if config.loss == "identity" and row is not None and {"tau_f", "tau_g"} <= row.numbers.keys()
    }
    sets = {}
    for low, high in pairwise((-math.inf, *REGIMES, math.inf)):
        label = (
            f"τ ≤ {high:g}" if low < 0 else f"τ > {low:g}" if high == math.inf else f"{low:g} < τ ≤ {high:g}"
        )
        sets[f"identity loss, {label}"] = [config for config, tau in rates.items() if low < tau <= high]
    return {label: inside for label, inside in sets.items() if inside}


def _simple(config: ExperimentConfig, point: Point) -> bool:
    """Tell whether both learning rates are 1, m ≥ 30 and N ≥ 100, with identity loss."""
    N = getattr(config.data, "num_train", None)
    if config.loss != "identity" or config.width < 30 or (N is not None and N < 100):
        return False
    epochs_f, epochs_g = _epochs(point)
    times = (config.T_f, epochs_f), (config.T_g, epochs_g)
    return all(math.isclose(T, flow_time(1.0, count, momentum=_MOMENTUM)) for T, count in times)


def _epochs(point: Point) -> tuple[int, int]:
    """Return the epochs of f and g, which are the same in all sizes."""
    base = campaign(point.block).base
    return (
        int(point.x) if point.sweep == "T_f" else base["epochs_f"],
        int(point.x) if point.sweep == "T_g" else base["epochs_g"],
    )


def _prediction(
    rows: Mapping[ExperimentConfig, Row | None], name: str, predicted: str, measured: str, trained: bool
) -> Prediction:
    pairs: dict[int, list[tuple[float, float]]] = {}
    for config, row in rows.items():
        if row is not None and {predicted, measured} <= row.numbers.keys():
            pairs.setdefault(config.seed, []).append((row.numbers[predicted], row.numbers[measured]))
    of_seeds = {seed: comparison(pairs[seed]) for seed in sorted(pairs)}
    return Prediction(
        **msgspec.structs.asdict(comparison([pair for found in pairs.values() for pair in found])),
        name=name,
        trained=trained,
        seeds={seed: (one.correlation, one.mean_error) for seed, one in of_seeds.items()},
    )


def criterion_of(part: Part, sets: Sequence[Explained]) -> Explained | None:
    """Return which predictors of the accuracy of g do at least as well as the two-number rule did.

    On MSG(a) over `RULE_RUNS`, where the rule was measured; elsewhere over the same runs of the block or,
    where there are none (images), over its widest set.  Judged are the means over seeds of the correlation,
    at least .997, and of the mean absolute error, at most .010, of the runs of a seed: "holds" if the t
    intervals exclude less and more at `MISSED`, "fails" if one that shares `FALSE_ALARM` excludes the limit
    itself, not rounded; "unknown" if the folder lacks a sweep of the block, or a run a value, or if a
    correlation is not defined.

    The criterion is about predictions without training; the others come after them, for comparison.  None
    for a study; predictors that no run has are left out.
    """
    if part.kind != "published":
        return None
    of_rule = next(one for one in sets if one.runs == RULE_RUNS)
    chosen = of_rule if of_rule.total or part.name == "msg-a" else sets[0]
    rows = []
    for row in sorted(chosen.predictions, key=lambda row: row.trained):
        if row.n and row.name.startswith("accuracy of g"):
            judged = _judge(row, chosen.total, whole=part.whole)
            said = {"verdict": verdict(True, judged.holds), "decision": judged.decision}
            rows.append(msgspec.structs.replace(row, scatter=(), **said))
    return Explained(runs=chosen.runs, total=chosen.total, predictions=tuple(rows))


def _judge(row: Prediction, total: int, *, whole: bool) -> Judgement:
    """Judge a predictor by its correlation and mean error of each seed."""
    if not whole:
        return unmeasured("not all sweeps of the block are here")
    if row.n < total:
        return unmeasured(f"{total - row.n} of {many(total, 'run')} without a value")
    correlations, errors = zip(*row.seeds.values(), strict=True)
    return together(
        judge_mean(correlations, low=RULE_CORRELATION, what="correlation of a seed", tests=2),
        judge_mean(errors, high=RULE_ERROR, what="mean absolute error of a seed", tests=2),
    )


def claims(section: Section) -> list[Claim]:
    """Return how well each predictor does, and the predictors by verdict."""
    return [*_explained(section), *_criterion(section)]


def _explained(section: Section) -> list[Claim]:
    """Return a line a predictor: the widest set, and beside it the subset of the two-number rule."""
    made = []
    chosen = section.shown
    special = [one.predictions for one in section.explained if one.runs == RULE_RUNS]
    for index, row in enumerate(chosen.predictions):
        if row.n and (not section.study or row.name.startswith("agreement")):  # what studies are about
            subset = special[0][index] if special and special[0][index].n else None
            made.append(
                stated(
                    "derived here",
                    f"Predicted {row.name}",
                    _quality(row) + (f"; of the subset {_quality(subset)}" if subset else ""),
                    f"run by run; {chosen.runs}" + (f"; subset: {RULE_RUNS}" if subset else ""),
                )
            )
    return made


def _quality(row: Prediction) -> str:
    correlation = "not defined" if row.correlation is None else text.number(row.correlation, 4)
    error = f"mean absolute error {text.number(row.mean_error)}"
    return f"{error}, correlation {correlation}, {many(row.n, 'run')}"


def _criterion(section: Section) -> list[Claim]:
    """Name the predictors by verdict, those without training first."""
    found = section.criterion
    if found is None or not found.predictions:
        return []
    alone = _verdicts(row for row in found.predictions if not row.trained)
    beside = _verdicts(row for row in found.predictions if row.trained)
    made = stated(
        "derived here",
        f"Accuracy of g predicted with correlation ≥ {RULE_CORRELATION:g} and mean absolute error ≤ "
        f"{RULE_ERROR:g}",
        f"without training: {alone or 'no prediction'}"
        + (f". Beside it, with training: {beside}" if beside else ""),
        f"{many(found.total, 'run')}: {found.runs}; means over seeds, not rounded: "
        f"holds if the t intervals at {CONFIDENCE} exclude less and more, fails if one excludes the "
        f"limit itself, false alarm {FALSE_ALARM:g} a predictor",
    )
    return [made]


def _verdicts(rows: Iterable[Prediction]) -> str:
    """Return the names of predictors by verdict, each with what decided it."""
    names: dict[str, list[str]] = {"holds": [], "fails": [], "unknown": []}
    for row in rows:
        names[row.verdict or "unknown"].append(f"{row.name.partition(', ')[2]} ({row.decision})")
    return "; ".join(f"{word}: {', '.join(some)}" for word, some in names.items() if some)


def opening(section: Section, _key: str) -> Iterator[Block]:
    """Say how well agreement is predicted without training; of each data set `architectures` says it."""
    if along(section):
        return
    found = [row for row in section.shown.predictions if not row.trained and row.mean_error is not None]
    of_agreement = [row for row in found if row.n and row.name.startswith("agreement")]
    if of_agreement:
        best = min(of_agreement, key=lambda row: row.mean_error or 0.0)
        laws = section.explained[0].predictions[0].name == OF_LAWS[0][0]  # of predictors, not of networks
        of = (
            "The agreement of *f* and *g*"
            if laws
            else "Without training, the agreement of a pair of networks"
        )
        yield Prose(
            rich(
                f"{of} is predicted to within **{{}}** on average ({{}}; {{}}).",
                *(text.number(best.mean_error, 2), best.name.partition(", ")[2], many(best.n, "run")),
            ),
            "short",
        )


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield predicted against measured, as numbers for all sets of runs and drawn for the widest."""
    yield Prose("Predicted against measured", "heading")
    first = section.explained[0].predictions[0].name
    said = next((words for columns, words in _OF.values() if columns[0][0] == first), "predictions")
    yield Prose(Markup(SAID["sweep"][said]))
    yield table(
        [(one.runs, row) for one in section.explained for row in one.predictions if row.n],
        {
            "runs": lambda pair: pair[0],
            "predicted": lambda pair: pair[1].name,
            "n": lambda pair: text.count(pair[1].n),
            "correlation": lambda pair: text.number(pair[1].correlation, 4),
            "mean absolute error": lambda pair: text.number(pair[1].mean_error),
        },
    )
    found = section.criterion
    if found is not None and found.predictions:
        judged = "; ".join(
            f"{row.name.partition(', ')[2]}: {row.verdict} ({text.number(row.correlation, 4)}, "
            f"{text.number(row.mean_error)}, n = {text.count(row.n)}; {row.decision})"
            for row in found.predictions
        )
        yield Prose(
            f"Criterion for the accuracy of g: correlation at least {text.number(RULE_CORRELATION)} and "
            f"mean absolute error at most {text.number(RULE_ERROR)},\nwhat the two-number rule "
            "reached, rounded, on 77 runs of MSG(a) at the published optimiser; here as means over seeds, "
            f"not rounded, of {many(found.total, 'run')}: {found.runs}.\n{judged}."
        )
    for index, row in enumerate(section.shown.predictions):
        if row.scatter:
            yield _scatter(row, section.shown.runs, f"{key}-scatter-{index}")


def _scatter(row: Prediction, runs: str, key: str) -> Figure:
    """Draw measured against predicted, run by run, to 1/100."""

    def draw(axes: Axes) -> None:
        predicted, measured, counts = np.array(row.scatter, dtype=float).T
        low = min(predicted.min(), measured.min()) - 0.02
        axes.plot([low, 1.02], [low, 1.02], "--", color=svg.INK, linewidth=0.9, label="measured = predicted")
        size = 12 + 10 * np.sqrt(counts)
        axes.scatter(predicted, measured, s=size, color=svg.SHADE, alpha=0.7, linewidths=0)
        axes.set(xlabel="predicted", ylabel="measured", xlim=(low, 1.02), ylim=(low, 1.02))
        axes.legend(loc="upper left")

    alt = f"Measured against predicted {row.name}, one mark for runs that fall together"
    caption = (
        f"{row.name.capitalize()}; {runs}: n = {text.count(row.n)}, correlation "
        f"{text.number(row.correlation, 4)}, mean absolute error {text.number(row.mean_error)}."
    )
    return svg.figure(draw, key, "", alt, caption)
