"""Signs and agreement that are certified are right, of what `empirics.measure.certified` has counted."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from msgspec.structs import asdict as fields_of

from empirics.measure.certified import COUNTS, DYNAMICS, Certified
from reports import svg
from reports._matplotlib import Axes
from reports.claim_text import by_seed
from reports.inline import Content, rich
from reports.judging import CONFIDENCE, Judgement, judge_share, refuted, together, unmeasured
from reports.numbers import of_columns, records
from reports.page import Block, Figure, Prose, Table, note, say
from reports.results import Section
from reports.text import count, number, percent
from reports.verdicts import FALSE_ALARM, Claim

EVIDENCE, TITLE = "certificates", "Certificates"
# Expected share of the certified points that are wrong, over δ, which is excluded where the claim holds.
VIOLATION = 20


_NAMES = {"in hand": "weights in hand", "descent": "any descent", "flow": "gradient flow"}


def claims(section: Section) -> list[Claim]:
    """Judge certificates by their errors: none for weights in hand, at most δ for those drawn."""
    delta = section.certificates.delta
    kinds = {kind: _of_kind(section, kind) for kind in ("in hand", "descent", "flow")}
    tally = {
        kind: {name: sum(getattr(run, name) for run in runs) for name in COUNTS}
        for kind, runs in kinds.items()
    }
    identity = section.setting.loss == "identity"
    said = any(run.f or run.both for runs in kinds.values() for run in runs)
    made = Claim(
        key="certificates",
        statement="Signs and agreement that are certified are right",
        formula=r"|f_b| > B \Rightarrow \operatorname{sgn} f = \operatorname{sgn} f_b",
        source="derived here",
        hypothesis=f"identity loss ({'yes' if identity else 'no'}), full batch; something is certified",
        predicted="none wrong with weights in hand, else at most a share δ = "
        f"{number(delta)} of those certified",
        measured="; ".join(
            f"{_NAMES[kind]}: of {count(row['points'])} points the sign of f is certified at "
            f"{count(row['f'])} ({count(row['f_wrong'])} wrong), agreement at {count(row['both'])} "
            f"({count(row['both_wrong'])} wrong)"
            for kind, row in tally.items()
        ),
        samples=f"{len(section.runs)} pairs of networks × {section.num_test} points",
        rule=(
            "fails for an error with weights in hand (largest width, first seeds), or if Chernoff's bound "
            "over seeds excludes that at most a share δ of the certified signs of f, or of g, is wrong "
            f"(false alarm {FALSE_ALARM:g}); holds if it excludes {VIOLATION} δ for both ({CONFIDENCE}). "
            "Flow is judged on descent with small steps"
        ),
        numbers={f"{kind} {name}": row[name] for kind, row in tally.items() for name in row},
        **_right(section, delta).given(identity and said),
    )
    return [made]


def _of_kind(section: Section, kind: str) -> list[Certified]:
    """Return the counts of one kind of certificate, run by run."""
    return [run.certificates[kind] for run in section.runs if kind in run.certificates]


def _right(section: Section, delta: float) -> Judgement:
    if any(run.f_wrong or run.g_wrong for run in _of_kind(section, "in hand")):
        return refuted("that weights in hand prove the sign")
    judged = [
        judgement
        for kind in DYNAMICS
        for judgement in wrong_shares(
            [[run.certificates[kind] for run in runs] for runs in by_seed(section)],
            delta,
            tests=2 * len(DYNAMICS),
        )
    ]
    if not judged:
        return unmeasured("only networks with weights in hand are certified, which is no probability")
    return together(*judged)


def wrong_shares(
    counts: list[list[Certified]], delta: float, *, tests: int, of_points: bool = False
) -> list[Judgement]:
    """Judge the signs of f and of g that are certified, by the counts of each seed, over its widths.

    Which signs of f are certified depends on the data alone, and which of g on the data and f, so that given
    these at most a share δ is expected to be wrong: of the certified ones.  Agreement that is certified and
    wrong has a wrong sign of f or g.

    Parameters
    ----------
    counts : list over seeds of lists of counts
    delta : float
    tests : int
        How many judgements share the false alarm.
    of_points : bool
        Certificates by simulation depend on it, too, and can mislead together: they fail by the share that is
        wrong of all points.

    Returns
    -------
    list of Judgement
        Of f and g, without those of which nothing is certified.
    """
    judged = []
    for network in ("f", "g"):
        sums = [
            {
                name: sum(getattr(run, name) for run in runs)
                for name in ("points", network, f"{network}_wrong")
            }
            for runs in counts
        ]
        able = [one for one in sums if one[network]]
        if not able:
            continue
        certified = [one[f"{network}_wrong"] / one[network] for one in able]
        # Seeds without a certified point have no wrong one: of all points their share is 0.
        points = [one[f"{network}_wrong"] / one["points"] for one in sums if one["points"]]
        judged.append(
            judge_share(
                points if of_points else certified,
                doubtful=certified,
                allowed=delta,
                violation=VIOLATION * delta,
                what=f"wrong share of the certified signs of {network}",
                tests=tests,
                unit="seed with certified signs",
                units="seeds with certified signs",
            )
        )
    return judged


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the shares and widths that are certified before a network is initialised."""
    proof, seen = section.certificates, section.scatter.f
    yield say(f"""Before a network is initialised, sgn f(z; T) is proved where |f~b~(z)| exceeds a bound that
        fails with probability at most δ = {number(proof.delta)}; agreement, where both signs are.
        “Descent” holds for any step sizes and momentum, “flow” for gradient flow only. Elsewhere the answer
        is “unknown”, not “different”.""")

    def draw(axes: Axes) -> None:
        for name, color, label in (("f", svg.F, "sign of f"), ("both", svg.G, "agreement of f and g")):
            for dynamics, style in (("descent", "--"), ("flow", "-")):
                shares = np.array(proof.shares[name][dynamics], float)
                axes.plot(proof.widths, shares, style, color=color, label=f"{label}, {dynamics}")
        width = np.full(2, proof.published_width, float)
        axes.plot(width, [0, 1], ":", color=svg.THIRD, label="published form, constant 1")
        svg.log_x(axes)
        axes.set(xlabel="width m", ylabel="certified share", ylim=(-0.02, 1.5))
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.legend(fontsize=9, loc="upper left")

    alt = "Share of test points with a certified sign of f and certified agreement, against width"
    caption = rich(f"""Certified share of the test points; the perturbations are those of seed
        {seen.seed}, m = {count(seen.width)}. Dotted: the published width with constant 1, which
        proves nothing.""")
    numbers = of_columns({"width": proof.widths} | _flat(proof.shares))
    yield svg.figure(draw, key, "certified", alt, caption, numbers)
    yield _terms(section, key)
    yield from _beside(section)


def _terms(section: Section, key: str) -> Figure:
    """Draw the median terms of the flow bound, stacked, against width, beside the median prediction."""
    proof = section.certificates
    colors = {
        "initial network and kernel": svg.F,
        "drift": svg.G,
        "flip fluctuation": svg.THIRD,
        "flips": svg.SHADE,
    }
    values = [np.array(proof.terms[name], dtype=float) for name in colors]
    prediction = proof.median_prediction

    def draw(axes: Axes) -> None:
        if np.isfinite(values).all():
            stacked: Any = {"colors": list(colors.values()), "labels": list(colors), "alpha": 0.75}
            axes.stackplot(proof.widths, values, **stacked)
        if prediction is not None:
            axes.axhline(prediction, color=svg.INK, linestyle="--", label="median |f_b|")
        svg.log_x(axes)
        top = 4 * (prediction or 0) or 1
        axes.set(xlabel="width m", ylabel="bound of |f(z; T)/T − f_b(z)|", ylim=(0, top))
        axes.legend(fontsize=9, loc="upper right")

    alt = "Terms of the bound, stacked, against width, beside the median size of the prediction"
    caption = rich("""What the flow bound for f consists of, median over test points, stacked. Where the stack
        is well below the dashed line most signs are proved.""")
    numbers = of_columns({"width": proof.widths, **proof.terms})
    return svg.figure(draw, key, "terms", alt, caption, numbers)


def _flat(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{name}.{kind}": values for name, kinds in groups.items() for kind, values in kinds.items()}


def _beside(section: Section) -> Iterator[Block]:
    beside, proof = section.beside, section.certificates
    widths, required, wanted = beside.widths, proof.required, proof.shares_wanted
    kinds = (*DYNAMICS, "limit")
    yield Prose("Published form beside ours", "subheading")
    yield say(f"""The published Õ hides constants and logarithms; here its constant is 1, without a logarithm:
        an order of growth, which proves no sign. Ours has every constant, δ = {number(proof.delta)} for
        both networks together. Thresholds on |f̂(z)| and |ĝ(z)|; ours, which are on |f~b~| and |g~b~|, are
        put on that scale point by point; medians over the test points, and in brackets the factor ours /
        published: above 1 ours asks for more, below 1 for less.""")
    rows: list[tuple[Content, ...]] = []
    for name, label in (("f", "(a) |f̂(z)|"), ("g", "(b) |ĝ(z)|")):
        row = beside.networks[name]
        ours = (_times(number, row.ours[kind], row.factors[kind]) for kind in kinds)
        rows.append((label, number(row.size), number(row.published), *ours))
        proved = (percent(row.proved[kind]) for kind in kinds)
        rows.append(("points above it", "", percent(row.met), *proved))
    here = f"m = {count(beside.width)}"
    columns = ("threshold", "median size", "published", f"ours, descent, {here}", f"ours, flow, {here}")
    numbers = records({"network": n} | fields_of(beside.networks[n]) for n in ("f", "g"))
    yield Table((*columns, rich("ours, m = 10^15^")), tuple(rows), name="thresholds", numbers=numbers)
    rows = []
    for place, share in enumerate(wanted):
        of_f = (count(required["f"][kind][place]) for kind in DYNAMICS)
        of_both = (
            _times(count, required["both"][kind][place], widths.factors[kind][place]) for kind in DYNAMICS
        )
        rows.append((f"sign of f at {percent(share)}", "", *of_f))
        rows.append((f"agreement at {percent(share)}", count(widths.published), *of_both))
    of_data = _flat({**required, "ours / published": widths.factors})
    published: dict[str, Any] = {"share of the points": wanted, "published": [widths.published] * len(wanted)}
    numbers = of_columns({**published, **of_data})
    headings = ("width that certifies", rich("published $d^2 (T_f + T_g)^2$"), "ours, descent", "ours, flow")
    yield Table(headings, tuple(rows), name="required", numbers=numbers)
    if any(None in row for found in required.values() for row in found.values()):
        yield note("""“—”: no width up to 10^15^ will do, since the initial network, which no width makes
            small, outweighs too many predictions at these times.""")
    yield note("""With an O(1) error of the predicted velocity, which a direct proof needs, the published
        width is too small for every constant on some data (Derivation 12; `perturblearn falsify published`).
        That is about the error; signs may agree all the same.""")


def _times(show: Callable[[float | None], str], value: float | None, factor: float | None) -> str:
    return show(value) + ("" if factor is None else f" (× {number(factor)})")
