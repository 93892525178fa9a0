"""Tables of the pages of nearly orthogonal samples."""

from collections.abc import Sequence
from dataclasses import replace

from empirics.orthogonal.examination import Examination, Known
from reports import text
from reports.claims.orthogonal.rows import (
    Networks,
    OrthogonalPanel,
    OrthogonalPoint,
)
from reports.page import Table
from reports.prior_work import all_of, orthogonal_verdict
from reports.shown import spread, table
from reports.statistics import Spread, mean
from theory.orthogonal import Hypothesis
from theory.verdicts import Verdict

_NAMES = {
    ("orthogonal", "holds"): "published condition holds",
    ("orthogonal_rows", "holds"): "derived condition holds",
    ("multipliers", "holds"): "λ > 0 and the pattern",
    ("multipliers", "fails"): "λ system fails",
    ("multipliers", "unknown"): "λ system unknown",
}


def published_points(panel: OrthogonalPanel) -> Table:
    """Return the table "published value in our range", point by point."""
    return table(
        panel.points,
        {
            panel.x_label: lambda p: f"{p.x:g}",
            "series": lambda p: p.series,
            "d, N, N_adv, ε here": lambda p: (
                f"{p.config.dim}, {p.config.num_train}, {p.config.num_adv}, "
                + (text.DASH if p.series == "control" else f"{p.config.epsilon:g}")
            ),
            "accuracy of g: mean ± sd [min, max]": lambda p: ranged(p.metrics["accuracy_g"]),
            "published": lambda p: _read(p.metrics["accuracy_g"]),
            "in our range": lambda p: _INSIDE[p.metrics["accuracy_g"].inside],
            "mean map": lambda p: text.number(p.metrics["accuracy_mean_g"].mean),
            "limit": lambda p: text.number(p.metrics["accuracy_limit_g"].mean),
            "f converged": lambda p: _of(p.converged["f"]),
            "g converged": lambda p: _of(p.converged["g"]),
            "seeds": _runs,
        },
        wide=True,
    )


_INSIDE = {True: "✓ within", False: "✗ outside", None: text.DASH}


def _read(cell: Spread) -> str:
    return text.DASH if cell.published is None else f"{text.number(cell.published)} ± {cell.error:g}"


def one_more_seed(panel: OrthogonalPanel) -> Table:
    """Return how many published values lie in our ranges, by series."""
    return table(
        panel.published.items(),
        {
            "values": lambda row: row[0],
            "within": lambda row: f"{row[1].inside} of {row[1].count}",
            "expected, at least": lambda row: text.number(row[1].expected),
            "P(so few)": lambda row: text.number(row[1].p_value, 2),
            "not compared": lambda row: str(row[1].not_compared),
        },
        wide=True,
    )


def turning_points(panel: OrthogonalPanel) -> Table:
    """Return the cosines point by point."""
    return table(
        panel.points,
        {
            "N_adv": lambda p: f"{p.x:g}",
            "series": lambda p: p.series,
            "cosine of g with s": lambda p: spread(p.metrics["turning"]),
            "cosine of its limit": lambda p: spread(p.metrics["turning_limit"]),
            "accuracy of g": lambda p: spread(p.metrics["accuracy_g"]),
            "cosine of perturbations": lambda p: spread(p.metrics["attack_cosine"]),
            "g converged": lambda p: _of(p.converged["g"]),
            "λ system of g holds": lambda p: _holds(p, "multipliers_g"),
            "seeds": _runs,
        },
        wide=True,
    )


def orthogonality_points(panel: OrthogonalPanel) -> Table:
    """Return shares of equal signs with both conditions, point by point."""
    return table(
        panel.points,
        {
            "slope": lambda p: p.series,
            "N/d": lambda p: f"{p.x:g}",
            "N": lambda p: str(p.config.num_train),
            "equal signs: mean ± sd [min, max]": lambda p: ranged(p.metrics["signs_f"]),
            "cosine": lambda p: spread(p.metrics["cosine_f"]),
            "published holds": lambda p: _holds(p, "orthogonal_f"),
            "derived holds": lambda p: _holds(p, "orthogonal_rows_f"),
            "λ system holds": lambda p: _holds(p, "multipliers_f"),
            "converged": lambda p: _of(p.converged["f"]),
            "seeds": _runs,
        },
        wide=True,
    )


def networks(rows: Sequence[Networks]) -> Table:
    """Return where trained networks end, by condition."""
    return table(
        rows,
        {
            "trained on sets where": lambda row: _NAMES[row.condition, row.verdict],
            "trained": lambda row: str(row.trained),
            "converged": lambda row: str(row.converged),
            "with the limit's signs": lambda row: f"{row.agree} of {len(row.shares)}",
            "elsewhere": lambda row: str(row.elsewhere),
            "undecided": lambda row: str(row.undecided),
            "mean share": lambda row: text.number(mean(row.shares)),
            "least": lambda row: text.number(min(row.shares, default=None)),
        },
        wide=True,
    )


def examined(found: Examination) -> Table:
    """Return the quantities of data in hand."""
    data, sizes, known = found.data, found.sizes, found.multipliers
    counts = zip(data.classes, data.counts, strict=True)
    allowed = sizes["N_allowed"]
    rows = {
        "samples N, dimension d, test points": f"{data.N}, {data.d}, {data.num_test}",
        "samples of each class": ", ".join(f"{name}: {count}" for name, count in counts),
        "preparation": data.preparation,
        "rows that are 0": str(data.zero_rows),
        "R_min, R_max": _numbers(sizes["R_min"], sizes["R_max"]),
        "p_max = max |⟨x_n, x_k⟩|": _numbers(sizes["p_max"]),
        "κ = max Σ |⟨x_n, x_k⟩|/‖x_k‖²": _numbers(sizes["row_sum"]),
        "largest N with these norms and products, published condition": allowed
        if isinstance(allowed, str)
        else text.count(allowed),
    }
    for name, (*sides, outcome) in found.conditions.items():
        rows[f"{name}: left side, right side"] = f"{_numbers(*sides)}: {outcome}"
    if known.least is not None:  # without a proved error the verdict has the reason
        rows["least and largest λ"] = _numbers(known.least, known.largest)
        rows["proved error of λ"] = text.number(known.radius, 2)
        counted = text.count(known.num_not_positive), text.count(known.num_unproved)
        rows["λ proved not positive, sign not proved"] = ", ".join(counted)
    interval = f"({_numbers(*known.interval)}): {known.interval_verdict}"
    rows["interval of λ under the published condition"] = interval
    rows["λ system"] = "; ".join([known.verdict, *known.reasons])
    rows["λ system with margins above 1 allowed"] = known.slack_verdict
    if found.signs is not None:
        held = [draw.perturbed_multipliers == "holds" for draw in found.signs.seeds]
        rows["λ system of the perturbed set holds, draws of targets"] = f"{sum(held)} of {len(held)}"
    if found.limit is not None:
        shares = _numbers(found.limit["accuracy"], found.limit["accuracy_test"], digits=3)
        rows["accuracy of the limit: training, test"] = shares
    return Table(("quantity", "value"), tuple(rows.items()), wide=True)


def _numbers(*values: float | str | None, digits: int = 4) -> str:
    return ", ".join(value if isinstance(value, str) else text.number(value, digits) for value in values)


def trained(point: OrthogonalPoint) -> Table:
    """Return what networks trained on data in hand do, over seeds of initialisation and targets."""
    shown = {name: spread(cell) for name, cell in point.metrics.items()}
    signs = "test points where {0} and its limit have one sign, of those where one is predicted"
    rows = {
        "f converged": _of(point.converged["f"]),
        "KKT residual of f: stationarity, slackness": f"{shown['stationarity_f']}, {shown['slackness_f']}",
        signs.format("f"): shown["signs_f"],
        "cosine of the boundaries of f and its limit": shown["cosine_f"],
        "accuracy of f on the training set": shown["accuracy_f"],
        "cosine of gradient perturbations with the closed form": shown["attack_cosine"],
        "g converged": _of(point.converged["g"]),
        signs.format("g"): shown["signs_g"],
        "accuracy of g on the natural samples": shown["accuracy_g"],
        _agreement(point): shown["agreement"],
        "seeds": _runs(point),
    }
    return Table(("quantity", "mean ± sd over seeds"), tuple(rows.items()), wide=True)


def _agreement(point: OrthogonalPoint) -> str:
    """Say which test points are counted: a limit predicts signs only where its λ system is decided."""
    said = [point.verdicts[f"multipliers_{name}"] for name in ("f", "g")]
    unknown = any(words["unknown"] for words in said)
    counted = "both limits predict one"
    if unknown and not any(words["holds"] + words["fails"] for words in said):
        counted = "neither output is 0, as no limit is known to predict one"
    elif unknown:
        counted = "both limits predict one (where a limit is not known: where the output is not 0)"
    return f"test points where f and g have one sign, of those where {counted}"


def hypotheses(rows: Sequence[Hypothesis], *, converged: Known) -> tuple[Table, Verdict, Verdict]:
    """Return what both theories ask for, and whether each applies as a whole, margins left out.

    `converged` is the verdict of the row about time, which only trained networks can give.
    """
    known = [
        replace(row, orthogonal_verdict=Verdict(converged)) if row.aspect == "time" else row for row in rows
    ]
    columns = "aspect", "wide networks, finite time", "met", "orthogonal samples, infinite time", "met"
    cells = tuple(
        (row.aspect, row.wide, row.wide_verdict.value, row.orthogonal, row.orthogonal_verdict.value)
        for row in known
    )
    others = [row for row in known if row.aspect != "margin"]
    return (
        Table(columns, cells, wide=True),
        all_of(row.wide_verdict for row in others),
        orthogonal_verdict(others),
    )


def ranged(cell: Spread) -> str:
    """Return a mean with the smallest and the largest value, all to the same decimals."""
    shown = spread(cell)
    mean = shown.split(" ")[0]
    if mean == text.DASH or "e" in mean or cell.min is None or cell.max is None:
        return f"{shown} [{text.number(cell.min)}, {text.number(cell.max)}]"
    places = len(mean.partition(".")[2])
    return f"{shown} [{cell.min:.{places}f}, {cell.max:.{places}f}]"


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}" if pair[1] else text.DASH


def _holds(point: OrthogonalPoint, column: str) -> str:
    return f"{point.verdicts[column]['holds']} of {point.totals.done}"


def _runs(point: OrthogonalPoint) -> str:
    totals = point.totals
    made = f"{totals.done}, {totals.failed} failed" if totals.failed else f"{totals.done}"
    return f"{made}, {totals.missing} missing" if totals.missing else made
