"""What holds of data in hand: conditions, the limit network, signs that are kept.  Nothing is trained."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from empirics.orthogonal.examination import Examination, Multipliers
from reports import text
from reports.claims.orthogonal.rows import OrthogonalPoint, Results, Run, claim, of_converged, of_runs, proved
from reports.claims.orthogonal.signs import NAMES
from reports.page import Prose, Section, Table, note
from reports.prior_work import all_of, orthogonal_verdict
from reports.shown import SAID, spread
from reports.text import many
from reports.verdicts import Claim
from theory.verdicts import Verdict


def claims(results: Results, _runs: Sequence[Run]) -> list[Claim]:
    """Return the claims about data in hand; none without them."""
    found = results.examination
    if found is None:
        return []
    names = {
        "published": "The samples meet the published condition of orthogonality",
        "derived": "The samples meet the derived condition of orthogonality",
        "published, perturbed": "So do the perturbed ones, whatever the targets (published condition)",
        "derived, perturbed": "So do the perturbed ones, whatever the targets (derived condition)",
    }
    formulas = {"published": NAMES["orthogonal"], "derived": NAMES["orthogonal_rows"]}
    made = []
    for key, statement in names.items():
        if key in found.conditions:
            lhs, rhs, outcome = found.conditions[key]
            source = key.split(",")[0]
            made.append(
                claim(
                    statement,
                    "published" if source == "published" else "derived here",
                    f"{formulas[source]}, rounding taken into account",
                    f"right side below {text.number(lhs, 4)}",
                    f"right side {text.number(rhs, 4)}",
                    True,
                    proved(outcome),
                )
            )
    known = found.multipliers
    made.append(
        claim(
            "The limit network is a KKT point of the max-margin problem",
            "derived here",
            "λ > 0 and the sign pattern, proved with rounding errors",
            "every λ > 0",
            _solved(known),
            True,
            proved(known.verdict),
        )
    )
    return [*made, *_kept(found)]


def _solved(known: Multipliers) -> str:
    """Return what is known of λ; nothing but the reason where its error is not bounded."""
    why = "; ".join(known.reasons)
    if known.least is None:
        return why or "no error of λ is proved"
    return (
        f"least λ {text.number(known.least)}, {text.number(known.least_over_low)} of the published "
        f"lower limit 1/(2R_max²); {text.count(known.num_not_positive)} proved not positive, the sign "
        f"of {text.count(known.num_unproved)} not proved" + (f"; {why}" if why else "")
    )


def _kept(found: Examination) -> list[Claim]:
    signs = found.signs
    if signs is None:
        return []
    n = signs.n * len(signs.seeds)
    alone = sum(draw.condition["holds"] for draw in signs.seeds)
    kept = sum(draw.kept["holds"] for draw in signs.seeds)
    lost = sum(draw.kept["fails"] for draw in signs.seeds)
    # Then both sets have one KKT point, which is the limit network.
    only = all(found.conditions[key][2] == "holds" for key in ("derived", "derived, perturbed"))
    return [
        claim(
            "The limit boundary of the set perturbed along s has the sign of the old one at every test point"
            + (", and so has every KKT point" if only else ""),
            "derived here",
            "λ systems of both sets; holds if it is proved for every test point and draw of targets, fails "
            "if one sign is proved lost",
            "all kept",
            f"{text.number(kept / n)} kept, {text.number(lost / n)} lost, "
            f"{text.number(1 - (kept + lost) / n)} unknown, of "
            f"{many(n, 'point and draw', 'points and draws')}; the sign condition "
            f"alone gives {text.number(alone / n)}; before targets are drawn (δ = {signs.delta:g}) "
            f"{text.number(signs.before['holds'] / signs.n)}",
            n > 0,
            proved("fails" if lost else "holds" if kept + lost == n else "unknown"),
        )
    ]


# What the page shows ------------------------------------------------------------------------------------


def sections(results: Results) -> Iterator[Section]:
    """Yield the quantities of data in hand, which theory applies to them, and what networks do."""
    found, part = results.examination, results.part
    if found is not None:
        yield Section(
            "Conditions",
            (note("Nothing is trained here; rounding errors are part of the verdicts."), _conditions(found)),
            "examined",
        )
        yield Section("Which theory applies", _theories(found, results), "theories")
    if part.kind == "data":
        said = "Seeds are those of initialisations and of the random targets; the data stay."
        said += " " + SAID["orthogonal"]["amplitude"] if part.options.get("norm") == "L0" else ""
        yield Section("Networks trained on it", (Prose(said), trained(results.panels[0].points[0])), "p1")


def _theories(found: Examination, results: Results) -> tuple[Prose, Table]:
    """Return what both theories ask for; the row about time is that of the networks that were trained."""
    converged = long_enough(*results.panels[0].points[0].converged["f"], results.part.seeds)
    rows = [
        replace(row, orthogonal_verdict=converged) if row.aspect == "time" else row
        for row in found.hypotheses
    ]
    others = [row for row in rows if row.aspect != "margin"]
    wide, orthogonal = all_of(row.wide_verdict for row in others), orthogonal_verdict(others)
    said = note(f"""For the networks of this page, without biases, all but the margins: wide networks
        {wide.value}, orthogonal samples {orthogonal.value}. Where λ > 0 and the pattern hold
        without a condition of orthogonality the latter is unknown: there may be other KKT points. The
        row of time is from the networks trained below; wide networks are asked at flow time 1, and
        perturblearn report trains those, with biases and the identity loss.""")
    columns = "aspect", "wide networks, finite time", "met", "orthogonal samples, infinite time", "met"
    cells = tuple(
        (row.aspect, row.wide, row.wide_verdict.value, row.orthogonal, row.orthogonal_verdict.value)
        for row in rows
    )
    return said, Table(columns, cells, wide=True)


def long_enough(done: int, asked: int, seeds: int) -> Verdict:
    """Return whether every f converged; unknown while one has no result."""
    return Verdict.FAILS if done < asked else Verdict.HOLDS if asked == seeds else Verdict.UNKNOWN


def _conditions(found: Examination) -> Table:
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
        "f converged": of_converged(point.converged["f"]),
        "KKT residual of f: stationarity, slackness": f"{shown['stationarity_f']}, {shown['slackness_f']}",
        signs.format("f"): shown["signs_f"],
        "cosine of the boundaries of f and its limit": shown["cosine_f"],
        "accuracy of f on the training set": shown["accuracy_f"],
        "cosine of gradient perturbations with the closed form": shown["attack_cosine"],
        "g converged": of_converged(point.converged["g"]),
        signs.format("g"): shown["signs_g"],
        "accuracy of g on the natural samples": shown["accuracy_g"],
        _agreement(point): shown["agreement"],
        "seeds": of_runs(point),
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
