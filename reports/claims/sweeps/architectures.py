"""What is predicted of networks of any architecture before training: agreement, rates in width, balance."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from empirics.deep.expected import HOWS, How, law
from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint, differences, sampling_noise, stated
from reports.inline import Content, rich
from reports.judging import (
    CONFIDENCE,
    RISING_RULE,
    SEEDS,
    Judgement,
    at_all_points,
    judge_mean,
    judge_rising,
    judge_share,
    seeds_without_violation,
    together,
)
from reports.page import Block, Figure, Prose, Table, fold
from reports.runs import whole_seeds
from reports.shown import SAID, band, finish, line, means, spread, ticks
from reports.statistics import Spread, mean
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

COLUMNS = (
    "agreement_test",
    "linear_agreement_test",
    "wide_agreement_test",
    "linear_error_f",
    "linear_error_g",
    "wide_error_f",
    "wide_error_g",
    "linear_cosine",
    "wide_cosine",
    "trained_cosine",
    "law_agreement_test",
    "label_agreement_test",
    "num_test",
    "departure_f",
    "departure_g",
    "expected_linear_error",
    "expected_wide_error",
)
LINEAR = 0.3  # relative error of (f(T) − f(0))/T up to which a prediction is about the training that was done
# Shares of seeds whose training is not linear: allowed where it is said to be, and then excluded.
BEYOND, MANY_BEYOND = 0.25, 0.5
CLOSE = 0.03  # expected difference of agreement that is excluded where a claim holds
# Exponent of the width in relative errors, and how far off it may be.
RATES = {
    "wide_error_f": (-1 / 2, 0.15, "outputs of f"),
    "trained_cosine": (-1 / 4, 0.1, "directions of trained input gradients"),
}
_PREDICTED = {
    "linear": "that of both networks linearised at their initial weights",
    "wide": "the chance in the wide limit, from the initial weights of f alone",
}
PREDICTED_BY = {"linear": "linearised networks", "wide": "the wide limit"}
_RATES_SAID = {"first": "the first layer learns", "all": "all layers learn"}
_COLORS = (svg.F, svg.G, svg.THIRD)  # of the first panels of an overview


def claims(section: Section) -> list[Claim]:
    """Return how agreement is predicted, and rates and balance where a sweep shows them."""
    points = [point for panel in section.panels for point in panel.points if point.deep]
    if not points:
        return []
    along = [panel for panel in section.panels if _axis(panel)]
    made = [_regime(panel) for panel in along]
    made += [_agreement(points, how) for how in HOWS if _with(points, f"{how}_agreement_test")]
    made += [
        _rate(panel, column)
        for panel in section.panels
        if panel.x_label.startswith("width") and len(panel.points) > 2
        for column in RATES
        if all(column in point.deep for point in panel.points)
    ]
    made += map(_departure, along)
    balance = _balance(section)
    return made if balance is None else [*made, balance]


def _with(points: Sequence[WidePoint], column: str) -> list[WidePoint]:
    return [point for point in points if column in point.deep]


def _axis(panel: WidePanel) -> str:
    """Return the axis along which training becomes linear, widths up or times down; else nothing."""
    found = [name for name in ("width", "times") if panel.x_label.split(" ")[0] == name]
    whole = len(panel.points) > 1 and all("linear_error_f" in point.deep for point in panel.points)
    return found[0] if found and whole else ""


def _place(panel: WidePanel, *xs: float) -> str:
    """Return where points of such an axis are, in words."""
    if _axis(panel) == "width":
        return f"m = {', '.join(map(text.count, xs))}"
    return f"{', '.join(f'{x:g}' for x in xs)} {panel.x_label}"


def _asked(point: WidePoint, how: str) -> bool | None:
    """Tell whether networks are wide enough for their depth, by what is known before training, if it is."""
    if f"expected_{how}_error" not in point.deep:
        return None
    return _small(point, f"expected_{how}_error")


def _laws(how: How) -> str:
    """Return the laws of errors by which networks are too narrow for their depth."""
    found = {said: law(how, rates) for rates, said in _RATES_SAID.items()}
    told = (
        f"{text.number(math.exp(one.log_scale))} L^{one.of_depth:.2f} m^({text.number(one.of_width, 2)}) if "
        f"{said} (rms {text.percent(math.expm1(one.spread))})"
        for said, one in found.items()
    )
    return (
        "expected errors, the larger of f and g, are fits to recorded ones (γ = 0, L ≤ 5, 60 ≤ m ≤ 1,000, "
        f"|T F| twice the initial deviation, shifted Gaussian data and digits): {'; '.join(told)}"
    )


def _judged_regime(point: WidePoint, tests: int) -> Judgement:
    """Judge that training is linear at a point, by the share of seeds where it is not."""
    errors = [point.deep[f"linear_error_{one}"] for one in "fg" if f"linear_error_{one}" in point.deep]
    whole, _ = whole_seeds(errors)
    beyond = [float(any(not cell.values[seed] <= LINEAR for cell in errors)) for seed in whole]
    lost = point.totals.configurations - len(whole)
    return judge_share(
        beyond + [0.0] * lost,
        doubtful=beyond + [1.0] * lost,
        allowed=BEYOND,
        violation=MANY_BEYOND,
        what="share of seeds beyond",
        tests=tests,
    )


def _regime(panel: WidePanel) -> Claim:
    """Judge where training is linear: at the widths asked for, else the widest or the shortest time."""
    judged = [_judged_regime(point, len(panel.points)) for point in panel.points]
    known = [_asked(point, "linear") for point in panel.points]
    last = len(judged) - 1 if _axis(panel) == "width" else 0
    asked = [i for i, met in enumerate(known) if met] if None not in known else [last]
    first = _place(panel, panel.points[asked[0]].x) if asked else ""
    where = f"at {first}" if None in known else f"from {first} on" if asked else "where they are wide enough"
    hypothesis = "the widest networks, or the shortest time"
    if None not in known:
        hypothesis = f"hypothesis, before training: an expected error up to {LINEAR:g}; {_laws('linear')}"
    return Claim(
        source="derived here",
        statement=f"{panel.sweep}: both networks train as linearised at their initial weights, {where}",
        rule=(
            f"{hypothesis}. A seed is linear if relative errors of the velocities of f and g are {LINEAR:g} "
            f"or less. A point is linear if a share of {MANY_BEYOND:g} of other seeds is excluded at "
            f"{CONFIDENCE}, and is not if one of {BEYOND:g} or less is at {FALSE_ALARM:g}, shared by the "
            "points. Failed runs count against what is said; "
            f"{seeds_without_violation(MANY_BEYOND)} linear seeds are enough"
        ),
        predicted=f"errors up to {text.number(LINEAR)}",
        measured=_told(panel, judged),
        **at_all_points([judged[index] for index in asked]).given(bool(asked)),
        numbers={
            f"linear at {point.x:g}": None if one.holds is None else int(one.holds)
            for point, one in zip(panel.points, judged, strict=True)
        },
    )


def _told(panel: WidePanel, judged: Sequence[Judgement]) -> str:
    """Return where training is linear, where it is not, and where that is undecided."""
    places: dict[bool | None, list[float]] = {True: [], False: [], None: []}
    for point, one in zip(panel.points, judged, strict=True):
        places[one.holds].append(point.x)
    words = {True: "linear at", False: "not linear at", None: "undecided at"}
    return "; ".join(f"{words[holds]} {_place(panel, *found)}" for holds, found in places.items() if found)


def _departure(panel: WidePanel) -> Claim:
    """State how much of the error of the prediction before training comes from leaving the linear regime."""
    ends = [panel.points[0], panel.points[-1]]
    places = " → ".join(_place(panel, point.x) for point in ends)

    def along(column: str) -> str:
        cells = {one: [point.deep.get(f"{column}_{one}") for point in ends] for one in "fg"}
        return ", ".join(
            f"of {one} {' → '.join(text.number(None if cell is None else cell.mean, 2) for cell in found)}"
            for one, found in cells.items()
        )

    if "departure_f" in ends[0].deep:
        what, measured = "the wide limit", f"{along('departure')} ({places})"
        rule = (
            "squared errors over test points, of training less linearised training against linearised "
            "training less the wide limit, which comes from the random kernel of the initial network; "
            "mean over seeds"
        )
    else:
        what, measured = "linearised networks", f"all; relative errors {along('linear_error')} ({places})"
        rule = "linearised training is exact but for that; errors of velocities, mean over seeds"
    statement = f"{panel.sweep}: share of the error of {what} that comes from leaving the linear regime"
    return stated("derived here", statement, measured, rule)


def _agreement(points: Sequence[WidePoint], how: How) -> Claim:
    """Judge the mean difference of predicted and measured agreement, point by point."""
    known = _with(points, f"{how}_agreement_test")
    met = [
        point
        for point in known
        if _asked(point, how) is not False and all(_small(point, f"{how}_error_{one}") for one in "fg")
    ]
    narrow = sum(_asked(point, how) is False for point in known)
    gaps = [differences(point, f"{how}_agreement_test") for point in met]
    judged = [
        judge_mean(
            values,
            low=-CLOSE,
            high=CLOSE,
            least_sd=sampling_noise(point),
            tests=len(met),
            what="predicted less measured agreement",
        )
        for point, values in zip(met, gaps, strict=True)
    ]
    means = [round(value, 4) for values in gaps if (value := _mean(values)) is not None]
    return Claim(
        source="derived here",
        statement=f"The agreement of f and g is {_PREDICTED[how]}",
        rule=(
            f"hypothesis: mean relative errors of the velocities of f and g of {LINEAR:g} or less"
            + (
                f", and before training an expected one; {_laws(how)}. Holds if "
                if any(_asked(point, how) is not None for point in known)
                else ". Holds if "
            )
            + f"at every such point the t interval of the difference over seeds at {CONFIDENCE} lies within "
            f"±{CLOSE:g}, fails if one at {FALSE_ALARM:g}, shared by the points, lies outside; {SEEDS}"
        ),
        predicted=f"equal but for ±{text.number(CLOSE)}",
        measured=(
            f"{len(met)} of {many(len(known), 'point')} met the hypothesis"
            + (f", {narrow} too narrow for the depth before training" if narrow else "")
            + (f"; differences {text.number(min(means))} to {text.number(max(means))}" if means else "")
        ),
        **at_all_points(judged).given(bool(met)),
        numbers={"points": len(known), "met": len(met), "largest": max(map(abs, means), default=None)},
    )


def _small(point: WidePoint, column: str) -> bool:
    value = point.deep[column].mean if column in point.deep else None
    return value is not None and value <= LINEAR


def _rate(panel: WidePanel, column: str) -> Claim:
    """Judge the exponent of the width, fitted for each seed by itself."""
    expected, reach, what = RATES[column]
    cells = [point.deep[column] for point in panel.points]
    whole, _ = whole_seeds(cells)
    logs = np.log([point.x for point in panel.points])
    slopes: list[float | None] = []
    for seed in whole:
        errors = [_error(column, cell.values[seed]) for cell in cells]
        slopes.append(float(np.polyfit(logs, np.log(errors), 1)[0]) if min(errors) > 0 else None)
    judged = judge_mean(
        slopes + [None] * _lost(panel.points[0], cells),
        low=expected - reach,
        high=expected + reach,
        what="exponent of the width",
    )
    return Claim(
        source="derived here",
        statement=f"{panel.sweep}: relative errors of the {what} fall as m^({text.number(expected)})",
        rule=(
            f"hypothesis: mean relative errors of the velocity of f, linearised, of {LINEAR:g} or less at "
            "every width. One least squares slope of log error against log m a seed; holds if the t interval "
            f"at {CONFIDENCE} lies within ±{reach:g} of {expected:g}, fails if that at {FALSE_ALARM:g} lies "
            f"outside; {SEEDS}"
        ),
        predicted=text.number(expected),
        measured=f"{text.number(_mean(slopes))} over {many(len(whole), 'seed')}",
        **judged.given(all(_small(point, "linear_error_f") for point in panel.points)),
        numbers={"exponent": _mean(slopes)},
    )


def _lost(first: WidePoint, cells: Sequence[Spread]) -> int:
    """Return how many seeds lack a value in some or all of the cells; `first` is the point of the first."""
    whole, some = whole_seeds(cells)
    everywhere = first.totals.failed + first.totals.missing - (len(some) - cells[0].n) if cells else 0
    return len(some) - len(whole) + max(everywhere, 0)


def _error(column: str, value: float) -> float:
    """Return a relative error; of a cosine the tangent of its angle, 0 of one that is not positive."""
    if "error" in column:
        return value
    return math.sqrt(max(1 - value**2, 1e-30)) / value if value > 0 else 0.0


def _balance(section: Section) -> Claim | None:
    """Judge that balanced targets raise agreement, seed by seed; None where a sweep is not there twice."""
    named = {panel.sweep: panel for panel in section.panels}
    if not {"random targets", "balanced targets"} <= named.keys():
        return None
    judged: list[Judgement] = []
    said = []
    balanced = {point.x: point for point in named["balanced targets"].points}
    pairs = [(old, balanced[old.x]) for old in named["random targets"].points if old.x in balanced]
    for old, new in pairs:
        cells = [point.deep["agreement_test"] for point in (old, new) if "agreement_test" in point.deep]
        whole, _ = whole_seeds(cells) if len(cells) == 2 else ([], [])
        gains = [cells[1].values[seed] - cells[0].values[seed] for seed in whole]
        judged.append(judge_rising(gains, incomplete=_lost(old, cells)))
        said.append(f"L = {old.x:g}: {' → '.join(text.number(cell.mean) for cell in cells)}")
    return Claim(
        source="derived here",
        statement="Where all layers learn, exactly balanced target labels raise agreement",
        rule=f"a seed rises if its agreement is larger with balanced targets; {RISING_RULE}",
        predicted="gains",
        measured="; ".join(said),
        **together(*judged).given(True),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    return mean([value for value in values if value is not None])


def along(section: Section) -> list[WidePanel]:
    """Return the panels along which training becomes linear, none of blocks and studies."""
    return [panel for panel in section.panels if section.part is None and _axis(panel)]


def opening(section: Section, key: str) -> Iterator[Block]:
    """Yield one sentence for each panel along which training becomes linear, and a drawing of all of them.

    Nothing of blocks and studies, whose question is another one.
    """
    panels = along(section)
    yield from (Prose(_short(panel), "short") for panel in panels)
    if panels:
        yield _overview(panels, key)
    if any(_axis(panel) == "times" for panel in panels):
        yield Prose(SAID["sweep"]["times"])


def _short(panel: WidePanel) -> Content:
    """Say in one sentence whether f and g agreed, whether it was predicted, and where training is linear."""
    judged = [_judged_regime(point, len(panel.points)) for point in panel.points]
    linear = [point for point, one in zip(panel.points, judged, strict=True) if one.holds]
    point = linear[-1] if linear else panel.points[-1 if _axis(panel) == "width" else 0]
    agreed, lazy, wide = (point.deep.get(f"{name}agreement_test") for name in ("", "linear_", "wide_"))
    limit = "" if wide is None else f", **{spread(wide)}** by the wide limit"
    known = (text.DASH if cell is None else spread(cell) for cell in (agreed, lazy))
    there = "There training is linear." if linear else f"Where training is linear: {_told(panel, judged)}."
    return rich(
        f"""On **{{}}**, *f* and *g* agree at **{{}}** of the test points ({{}}). Predicted before training:
        **{{}}** by both networks linearised{limit}. {{}}""",
        *(panel.sweep, next(known), _place(panel, point.x), next(known), there),
    )


def _overview(panels: Sequence[WidePanel], key: str) -> Block:
    """Draw agreement beside its predictions, of the first panels."""
    drawn = panels[: len(_COLORS)]

    def draw(axes: Axes) -> None:
        for panel, color in zip(drawn, _COLORS, strict=False):
            label = panel.sweep if len(drawn) > 1 else "measured"
            band(axes, _cells(panel, "agreement_test"), color=color, label=label)
            line(axes, means(_cells(panel, "linear_agreement_test")), color=color, stroke=":", single="s")
            line(axes, means(_cells(panel, "wide_agreement_test")), color=color, stroke="--", single="^")
        axes.plot([], [], ":", color=svg.INK, label="linearised")
        if any(_cells(panel, "wide_agreement_test") for panel in drawn):
            axes.plot([], [], "--", color=svg.INK, label="wide limit")
        axes.set(ylabel="agreement of f and g")
        finish(axes, drawn[0], columns=2)
        if drawn[0].log:
            ticks(axes.xaxis, [point.x for point in drawn[0].points])

    caption = (
        "Share of test points where f and g agree: measured (bands: one standard deviation and, lighter, "
        "smallest to largest seed), and predicted before training."
    )
    alt = f"Agreement against {drawn[0].x_label}, measured and predicted"
    return svg.figure(draw, f"{key}-overview", "agreement", alt, caption)


def _cells(panel: WidePanel, column: str) -> list[tuple[float, Spread]]:
    return [(point.x, point.deep[column]) for point in _with(panel.points, column)]


def of_errors(panel: WidePanel, key: str) -> Figure | None:
    """Draw relative errors of velocities along an axis; None where there is no such axis."""
    if not _axis(panel):
        return None

    def draw(axes: Axes) -> None:
        for how, label, stroke in (("linear", "linearised", "-"), ("wide", "wide limit", "--")):
            for one, color in svg.COLORS.items():
                cells = means(_cells(panel, f"{how}_error_{one}"))
                line(axes, cells, color=color, stroke=stroke, label=f"{label}, {one}")
        axes.axhline(LINEAR, color=svg.INK, linewidth=0.8)
        axes.set(ylabel="relative error of the velocity")
        svg.log_log(axes)
        finish(axes, panel, columns=2)
        ticks(axes.xaxis, [point.x for point in panel.points])
        if axes.get_yscale() == "log":
            low, high = axes.get_ylim()
            ticks(axes.yaxis, [v for v in (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 100) if low <= v <= high])

    caption = (
        f"Errors of (f(T) − f(0))/T, and of g given its inputs; mean over seeds. Line: {LINEAR:g}, up to "
        "which training is called linear."
    )
    return svg.figure(draw, key, "errors", f"Relative errors of velocities against {panel.x_label}", caption)


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield predicted beside measured, point by point, and for names of architectures a map."""
    panels = [panel for panel in section.panels if _with(panel.points, "linear_agreement_test")]
    if not panels:
        return
    if all(panel.ticks for panel in panels) and len(panels) > 1:
        yield _map(panels, key)
    columns = ["sweep", panels[0].x_label, "agreement", "linearised", "wide limit"]
    columns += ["error of f: linearised", "wide limit", "share of it that is not linear", "of g: linearised"]
    columns += ["|cos| of perturbations: at θ₀ + T v", "wide limit"]
    shown: tuple[str, ...] = (*COLUMNS[:3], "linear_error_f", "wide_error_f", "departure_f", "linear_error_g")
    shown += ("linear_cosine", "wide_cosine")
    rows = []
    for panel in panels:
        places = panel.ticks or [f"{point.x:g}" for point in panel.points]
        for place, point in zip(places, panel.points, strict=True):
            cells = (spread(point.deep[name]) if name in point.deep else text.DASH for name in shown)
            rows.append((panel.sweep, place, *cells))
    yield fold(
        "Predicted before training beside measured", Table(tuple(columns), tuple(rows), wide=True).filled
    )


def _map(panels: Sequence[WidePanel], key: str) -> Block:
    """Draw measured agreement of every pair, with the linearised prediction below it."""
    ticks = panels[0].ticks or ()
    cells = [
        [[p.deep[name].mean if name in p.deep else None for name in COLUMNS[:2]] for p in panel.points]
        for panel in panels
    ]

    def draw(axes: Axes) -> None:
        values = np.array([[np.nan if v[0] is None else v[0] for v in row] for row in cells])
        axes.grid(visible=False)
        axes.imshow(values, vmin=0.5, vmax=1.0, cmap="Blues", aspect="auto")
        for i, row in enumerate(cells):
            for j, pair in enumerate(row):
                said = "\n".join("–" if v is None else f"{v:.2f}" for v in pair)
                color = "white" if (pair[0] or 0.0) > 0.8 else "black"
                axes.text(j, i, said, ha="center", va="center", fontsize=7, color=color)
        axes.set_xticks(range(len(ticks)), ticks, rotation=30, ha="right")
        axes.set_yticks(range(len(panels)), [panel.sweep for panel in panels])
        axes.set_xlabel(panels[0].x_label)

    caption = "Agreement of every pair: measured above, both networks linearised below; means over seeds."
    return svg.figure(draw, key, "transfer", "Agreement of pairs of architectures", caption, size=(7.2, 4.6))
