"""Tables of the pages of nearly orthogonal samples: rows of text from the JSON value."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports import text
from reports.page import Table
from reports.prior_work import all_of, orthogonal_verdict
from theory.orthogonal import Hypothesis
from theory.verdicts import Verdict

Json = Mapping[str, Any]

_NAMES = {
    ("orthogonal", "holds"): "published condition holds",
    ("orthogonal_rows", "holds"): "derived condition holds",
    ("multipliers", "holds"): "λ > 0 and the pattern",
    ("multipliers", "fails"): "λ system fails",
    ("multipliers", "unknown"): "λ system unknown",
}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(tuple(columns), tuple(map(tuple, rows)), wide=True)


def published_points(panel: Json) -> Table:
    """Return the table "published value in our range", point by point."""
    rows = []
    for point in panel["points"]:
        cell, sizes = point["metrics"]["accuracy_g"], point["sizes"]
        inside = {True: "✓ within", False: "✗ outside", None: "—"}[cell["inside"]]
        read = "—" if cell["published"] is None else f"{text.number(cell['published'])} ± {cell['error']:g}"
        rows.append(
            [
                f"{point['x']:g}",
                point["series"],
                f"{sizes['dim']}, {sizes['num_train']}, {sizes['num_adv']}, "
                + ("—" if point["series"] == "control" else f"{sizes['epsilon']:g}"),
                _ranged(cell),
                read,
                inside,
                text.number(point["metrics"]["accuracy_mean_g"]["mean"]),
                text.number(point["metrics"]["accuracy_limit_g"]["mean"]),
                _of(point["converged_f"]),
                _of(point["converged_g"]),
                _runs(point),
            ]
        )
    columns = [
        panel["x_label"],
        "series",
        "d, N, N_adv, ε here",
        "accuracy of g: mean ± sd [min, max]",
        "published",
        "in our range",
        "mean map",
        "limit",
        "f converged",
        "g converged",
        "seeds",
    ]
    return _table(columns, rows)


def one_more_seed(panel: Json) -> Table:
    """Return how many published values lie in our ranges, by series."""
    rows = [
        [
            series,
            f"{row['inside']} of {row['count']}",
            text.number(row["expected"]),
            text.number(row["p_value"], 2),
            str(row["not_compared"]),
        ]
        for series, row in panel["published"].items()
    ]
    columns = ["values", "within", "expected, at least", "P(so few)", "not compared"]
    return _table(columns, rows)


def turning_points(panel: Json) -> Table:
    """Return the cosines point by point."""
    rows = [
        [
            f"{point['x']:g}",
            point["series"],
            *(_spread(point["metrics"][name]) for name in ("turning", "turning_limit", "accuracy_g")),
            _spread(point["metrics"]["attack_cosine"]),
            _of(point["converged_g"]),
            _holds(point, "multipliers_g"),
            _runs(point),
        ]
        for point in panel["points"]
    ]
    columns = [
        "N_adv",
        "series",
        "cosine of g with s",
        "cosine of its limit",
        "accuracy of g",
        "cosine of perturbations",
        "g converged",
        "λ system of g holds",
        "seeds",
    ]
    return _table(columns, rows)


def orthogonality_points(panel: Json) -> Table:
    """Return shares of equal signs with both conditions, point by point."""
    rows = []
    for point in panel["points"]:
        cell = point["metrics"]["signs_f"]
        rows.append(
            [
                point["series"],
                f"{point['x']:g}",
                str(point["sizes"]["num_train"]),
                _ranged(cell),
                _spread(point["metrics"]["cosine_f"]),
                *(_holds(point, f"{name}_f") for name in ("orthogonal", "orthogonal_rows", "multipliers")),
                _of(point["converged_f"]),
                _runs(point),
            ]
        )
    columns = [
        "slope",
        "N/d",
        "N",
        "equal signs: mean ± sd [min, max]",
        "cosine",
        "published holds",
        "derived holds",
        "λ system holds",
        "converged",
        "seeds",
    ]
    return _table(columns, rows)


def networks(rows: Sequence[Json]) -> Table:
    """Return where trained networks end, by condition."""
    return _table(
        [
            "trained on sets where",
            "trained",
            "converged",
            "with the limit's signs",
            "elsewhere",
            "undecided",
            "mean share",
            "least",
        ],
        [
            [
                _NAMES[row["condition"], row["verdict"]],
                str(row["trained"]),
                str(row["converged"]),
                f"{row['agree']} of {row['n']}",
                str(row["elsewhere"]),
                str(row["undecided"]),
                text.number(row["mean"]),
                text.number(row["least"]),
            ]
            for row in rows
        ],
    )


def examined(found: Json) -> Table:
    """Return the quantities of data in hand."""
    data, sizes, known = found["data"], found["sizes"], found["multipliers"]
    counts = ", ".join(
        f"{name}: {count}" for name, count in zip(data["classes"], data["counts"], strict=True)
    )
    rows = [
        ["samples N, dimension d, test points", f"{data['N']}, {data['d']}, {data['num_test']}"],
        ["samples of each class", counts],
        ["preparation", data["preparation"]],
        ["rows that are 0", str(data["zero_rows"])],
        ["R_min, R_max", f"{text.number(sizes['R_min'], 4)}, {text.number(sizes['R_max'], 4)}"],
        ["p_max = max |⟨x_n, x_k⟩|", text.number(sizes["p_max"], 4)],
        ["κ = max Σ |⟨x_n, x_k⟩|/‖x_k‖²", text.number(sizes["row_sum"], 4)],
        ["largest N with these norms and products, published condition", _allowed(sizes["N_allowed"])],
        *(
            [f"{name}: left side, right side", f"{text.number(lhs, 4)}, {text.number(rhs, 4)}: {outcome}"]
            for name, (lhs, rhs, outcome) in found["conditions"].items()
        ),
        *_solved(known),
        [
            "interval of λ under the published condition",
            f"({text.number(known['interval'][0], 4)}, {text.number(known['interval'][1], 4)}): "
            f"{known['interval_verdict']}",
        ],
        ["λ system", "; ".join([known["verdict"], *known["reasons"]])],
        ["λ system with margins above 1 allowed", known["slack_verdict"]],
    ]
    if found["signs"] is not None:
        held = [seed["perturbed_multipliers"] == "holds" for seed in found["signs"]["seeds"]]
        rows.append(["λ system of the perturbed set holds, draws of targets", f"{sum(held)} of {len(held)}"])
    if found["limit"] is not None:
        rows.append(
            [
                "accuracy of the limit: training, test",
                f"{text.number(found['limit']['accuracy'])}, {text.number(found['limit']['accuracy_test'])}",
            ]
        )
    return _table(["quantity", "value"], rows)


def _solved(known: Json) -> list[list[str]]:
    """Return what is known of λ: nothing without a proved error, for which the verdict has the reason."""
    if known["least"] is None:
        return []
    return [
        ["least and largest λ", f"{text.number(known['least'], 4)}, {text.number(known['largest'], 4)}"],
        ["proved error of λ", text.number(known["radius"], 2)],
        [
            "λ proved not positive, sign not proved",
            f"{text.count(known['num_not_positive'])}, {text.count(known['num_unproved'])}",
        ],
    ]


def _allowed(value: int | str | None) -> str:
    return value if isinstance(value, str) else text.count(value)


def trained(point: Json) -> Table:
    """Return what networks trained on data in hand do, over seeds of initialisation and targets."""
    metrics = point["metrics"]
    rows = [
        ["f converged", _of(point["converged_f"])],
        [
            "KKT residual of f: stationarity, slackness",
            f"{_spread(metrics['stationarity_f'])}, {_spread(metrics['slackness_f'])}",
        ],
        [
            "test points where f and its limit have one sign, of those where one is predicted",
            _spread(metrics["signs_f"]),
        ],
        ["cosine of the boundaries of f and its limit", _spread(metrics["cosine_f"])],
        ["accuracy of f on the training set", _spread(metrics["accuracy_f"])],
        ["cosine of gradient perturbations with the closed form", _spread(metrics["attack_cosine"])],
        ["g converged", _of(point["converged_g"])],
        [
            "test points where g and its limit have one sign, of those where one is predicted",
            _spread(metrics["signs_g"]),
        ],
        ["accuracy of g on the natural samples", _spread(metrics["accuracy_g"])],
        [_agreement(point), _spread(metrics["agreement"])],
        ["seeds", _runs(point)],
    ]
    return _table(["quantity", "mean ± sd over seeds"], rows)


def _agreement(point: Json) -> str:
    """Say which test points are counted: a limit predicts signs only where its λ system is decided."""
    said = [point["verdicts"][f"multipliers_{name}"] for name in ("f", "g")]
    counted = "both limits predict one"
    if not any(words["holds"] + words["fails"] for words in said) and any(w["unknown"] for w in said):
        counted = "neither output is 0, as no limit is known to predict one"
    elif any(words["unknown"] for words in said):
        counted = "both limits predict one (where a limit is not known: where the output is not 0)"
    return f"test points where f and g have one sign, of those where {counted}"


def hypotheses(found: Json, *, converged: str) -> tuple[Table, dict[str, str]]:
    """Return what both theories ask for, and which of them applies as a whole, margins left out.

    `converged` is the verdict of the row about time, which only trained networks can give.
    """
    rows = [
        Hypothesis(
            aspect=row["aspect"],
            wide=row["wide"],
            wide_verdict=Verdict(row["wide_verdict"]),
            orthogonal=row["orthogonal"],
            orthogonal_verdict=Verdict(converged if row["aspect"] == "time" else row["orthogonal_verdict"]),
        )
        for row in found["hypotheses"]
    ]
    shown = [
        [row.aspect, row.wide, row.wide_verdict.value, row.orthogonal, row.orthogonal_verdict.value]
        for row in rows
    ]
    columns = ["aspect", "wide networks, finite time", "met", "orthogonal samples, infinite time", "met"]
    whole = {
        "wide": all_of(row.wide_verdict for row in rows if row.aspect != "margin").value,
        "orthogonal": orthogonal_verdict(row for row in rows if row.aspect != "margin").value,
    }
    return _table(columns, shown), whole


def _spread(cell: Json) -> str:
    return text.spread(cell["mean"], cell["sd"]) if cell["n"] > 1 else text.number(cell["mean"])


def _ranged(cell: Json) -> str:
    """Return a mean with the smallest and the largest value, all to the same decimals."""
    shown, ends = _spread(cell), [cell["min"], cell["max"]]
    mean = shown.split(" ")[0]
    if mean == text.DASH or "e" in mean or None in ends:
        return f"{shown} [{text.number(ends[0])}, {text.number(ends[1])}]"
    places = len(mean.partition(".")[2])
    return f"{shown} [{ends[0]:.{places}f}, {ends[1]:.{places}f}]"


def _of(pair: Sequence[int]) -> str:
    return f"{pair[0]} of {pair[1]}" if pair[1] else "—"


def _holds(point: Json, column: str) -> str:
    return f"{point['verdicts'][column]['holds']} of {point['runs'] - point['failed'] - point['missing']}"


def _runs(point: Json) -> str:
    made = str(point["runs"] - point["failed"] - point["missing"])
    made += f", {point['failed']} failed" if point["failed"] else ""
    return made + (f", {point['missing']} missing" if point["missing"] else "")
