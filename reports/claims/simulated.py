"""Certificates by simulation of single neurons are right, lazy or not; sums of what was simulated."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import asdict as fields_of
from scipy import stats

from empirics.measure.certified import COUNTS, DELTA, DYNAMICS
from empirics.measure.runs import Run
from empirics.measure.simulated import Plan, Scan
from empirics.record import Number, OfBoth, added
from reports import svg
from reports._matplotlib import Axes
from reports.claim_text import spread
from reports.claims.certificates import VIOLATION, wrong_shares
from reports.inline import rich
from reports.judging import CONFIDENCE, together, unmeasured
from reports.numbers import Numbers, records
from reports.page import Block, Figure, Table, note, say, table
from reports.results import OverSeeds, Section, Simulated
from reports.statistics import summarise
from reports.text import count, number, percent
from reports.verdicts import FALSE_ALARM, MISSED, Claim

EVIDENCE, TITLE = "simulated", "Far from lazy: neurons simulated"
_PREDICTORS = {
    "published": "T f̂, T ĝ (published)",
    "derived": "T f_b, T g_b (lazy limit)",
    "simulated": "E f, E g (simulated)",
}
_CERTIFIED = {
    "simulation": ("by simulation", "initialisation and simulation"),
    "descent": ("lazy bounds, descent", "initialisation alone"),
    "flow": ("lazy bounds, flow", "initialisation alone"),
}
_COUNTED = {"f": "sgn f", "both": "agreement, before f is trained", "g": "agreement, f in hand"}


def total(plan: Plan, runs: Sequence[Run], scan: Scan) -> Simulated:
    """Add up the simulations of a section over its seeds."""
    records = [run.simulated for run in runs if run.simulated is not None]
    f, g = ([value for record in records if (value := record.failure[n]) is not None] for n in ("f", "g"))
    return Simulated(
        num_points=scan.num_points,
        scan=scan.scan,
        width=plan.width,
        num_neurons=plan.num_neurons,
        seeds=list(plan.seeds),
        delta=DELTA,
        totals={
            kind: added([record.counts[kind] for record in records]) for kind in ("simulation", *DYNAMICS)
        },
        failure=OfBoth(f=max(f, default=None), g=max(g, default=None)),
        misled=records[0].misled,
        sign_match=_over_seeds([record.sign_match for record in records]),
        error=_over_seeds([record.error for record in records]),
    )


def _over_seeds(records: Sequence[OfBoth[dict[str, Number]]]) -> OfBoth[dict[str, OverSeeds]]:
    def means(network: str) -> dict[str, OverSeeds]:
        return {name: summarise([one[network][name] for one in records]) for name in records[0][network]}

    return OfBoth(f=means("f"), g=means("g"))


def claims(section: Section) -> list[Claim]:
    """Judge certificates by simulation by their errors, seed by seed."""
    found = section.simulated
    counted = [run.simulated.counts["simulation"] for run in section.runs if run.simulated is not None]
    identity, steps = section.setting.loss == "identity", section.config.solver == "gd"
    said = any(run.f or run.g for run in counted)
    wrong = sum(bool(run.f_wrong or run.g_wrong or run.both_wrong) for run in counted)
    limit = None
    if counted:  # Clopper–Pearson, one-sided
        exact = stats.binomtest(wrong, len(counted), alternative="less")
        limit = float(exact.proportion_ci(1 - MISSED).high)
    totals = {name: sum(getattr(run, name) for run in counted) for name in COUNTS}
    judged = unmeasured("nothing was simulated")
    if found and counted:
        judged = together(*wrong_shares([[run] for run in counted], found.delta, tests=2, of_points=True))
    made = Claim(
        key="certificates-simulated",
        statement="Signs and agreement that are certified by simulated neurons are right, lazy or not",
        formula=r"P(\operatorname{sgn} f \ne s) \le P(\text{out of limits}) + (E\, e^{-\lambda s X})^m",
        source="derived here",
        hypothesis=(
            f"identity loss ({'yes' if identity else 'no'}), descent in the steps simulated "
            f"({'yes' if steps else 'no'}); something is certified"
        ),
        predicted=f"certified and wrong: at most δ = {number(DELTA)} of the points"
        if identity
        else "nothing",
        measured=(
            f"of {count(totals['points'])} points the sign of f is certified at {count(totals['f'])}, "
            f"agreement at {count(totals['both'])}, agreement with f in hand at {count(totals['g'])}; wrong: "
            f"{', '.join(count(totals[name]) for name in ('f_wrong', 'both_wrong', 'g_wrong'))}; "
            f"seeds with a wrong one: {count(wrong)} of {len(counted)}, so at most "
            f"{number(limit, 2)} of all seeds"
            if counted
            else "not simulated"
        ),
        samples=(
            f"{len(counted)} seeds × {found.num_points} points at m = {found.width:,}, "
            f"n = {found.num_neurons:,} simulated neurons for each network"
            if found
            else "none"
        ),
        rule=(
            "fails if Chernoff's bound over seeds excludes that the sign of f, or of g, is certified and "
            f"wrong at a share of at most δ of the points (false alarm {FALSE_ALARM:g}); holds if it "
            f"excludes a wrong share of {VIOLATION} δ of those certified for both ({CONFIDENCE}). The last "
            f"number measured is the exact binomial limit, {CONFIDENCE}"
        ),
        numbers={**totals, "wrong_seeds": wrong, "wrong_seeds_limit": limit},
        **judged.given(identity and steps and said),
    )
    return [made]


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield what independent neurons, simulated, predict and certify far from the lazy regime."""
    far = section.simulated
    if far is None:
        yield say("Not simulated: with {} loss neurons are not independent.", section.setting.loss)
        return
    neurons, signs, errors = count(far.num_neurons), far.sign_match, far.error
    yield say(f"""With the identity loss the neurons of a network are independent at every time and width, so
        {neurons} of them, trained in the same steps, show the law of f(z; T) where the lazy predictions do
        not hold. Here m = {count(far.width)}; each seed has data and perturbations of its own. E f(z; T)
        predicts the trained part, f(z; T) − f(z; 0), as E f(z; 0) = 0.""")
    numbers = records(
        {"network": network, "quantity": group, "predictor": name} | fields_of(row)
        for group, found in (("sign_match", signs), ("error", errors))
        for network in ("f", "g")
        for name, row in found[network].items()
    )
    columns = {
        "predictor": lambda name: _PREDICTORS[name],
        "sgn f(z; T) as predicted": lambda name: spread(signs.f[name]),
        "error of the trained part of f": lambda name: spread(errors.f[name]),
        "sgn g(z; T) as predicted": lambda name: spread(signs.g[name]),
        "error of the trained part of g": lambda name: (
            "other scale" if name == "published" else spread(errors.g[name])
        ),
    }
    yield table(list(_PREDICTORS), columns, name="predictors", numbers=numbers)
    yield note(f"""Errors are root mean squares over the points, relative to the trained part. Part of the
        error of E f and E g is sampling: with {neurons} neurons a relative standard error of
        {spread(errors.f["sampling"])} and {spread(errors.g["sampling"])}. ĝ is meant for its sign; its
        scale is not that of g.""")
    yield _figure(far, key, numbers)
    yield from _certified(far)


def _figure(far: Simulated, key: str, numbers: Numbers) -> Figure:
    """Draw the error of the three predictors of the trained part."""
    kinds = {"published": "T f̂, T ĝ", "derived": "T f_b, T g_b", "simulated": "E f, E g"}

    def draw(axes: Axes) -> None:
        for network, offset in (("f", -0.12), ("g", 0.12)):
            shown = [
                (place + offset, far.error[network][name])
                for place, name in enumerate(kinds)
                if (network, name) != ("g", "published")  # on another scale
            ]
            known = [(x, row.mean, row.sd or 0.0) for x, row in shown if row.mean is not None]
            places, means = [x for x, *_ in known], [mean for _, mean, _ in known]
            bars = [min(sd, 0.999 * abs(mean)) for _, mean, sd in known]
            style: Any = {"fmt": svg.MARKERS[network], "color": svg.COLORS[network], "capsize": 2}
            axes.errorbar(places, means, yerr=bars, label=f"trained part of {network}", **style)
        axes.set(ylabel="relative error", xlim=(-0.5, 2.5))
        axes.set_ylim(bottom=0)
        axes.set_xticks(range(len(kinds)), list(kinds.values()))
        axes.legend()

    alt = "Relative error of the published, the lazy and the simulated prediction of the trained outputs"
    caption = rich(f"""Three predictions of the trained part at m = {count(far.width)}: errors as in the
        table, bars are one standard deviation over seeds. The published one for g has another scale.""")
    return svg.figure(draw, key, "predictors", alt, caption, numbers)


def _certified(far: Simulated) -> Iterator[Block]:
    totals, failure, scan = far.totals, far.failure, far.scan
    first = f"certified at m = {count(far.width)}, of {count(totals['simulation'].points)} points"
    cells = []
    for kind, (label, random) in _CERTIFIED.items():
        right, wrong = ([count(getattr(totals[kind], n + end)) for n in _COUNTED] for end in ("", "_wrong"))
        cells.append((label, *right, ", ".join(wrong), random))
    numbers = records({"certificate": kind} | fields_of(row) for kind, row in totals.items())
    columns = (first, *_COUNTED.values(), "wrong", "what is random")
    yield Table(columns, tuple(cells), name="simulated", numbers=numbers)
    yield note(f"""Each with P(certified and wrong) ≤ δ = {number(far.delta)} at a point, δ/2 for each
        network, over what is random. By simulation one may also say it in two steps: the simulation of a
        network misleads at a point with probability at most {number(far.misled)}; if it does not, the sign
        that it certifies is wrong, over the initialisation alone, with probability at most
        {number(failure.f)} for f and {number(failure.g)} for g (the largest over points and seeds).
        Rounding of the training is not covered.""")
    if scan:
        first = f"certified share by simulation, n = {count(far.num_neurons)}"
        headings = (first, *(f"m = {count(row.width)}" for row in scan))
        rows = [(said, *(percent(getattr(row, name)) for row in scan)) for name, said in _COUNTED.items()]
        yield Table(headings, tuple(rows), name="simulated-widths", numbers=records(scan))
        yield note(f"""Data and perturbations of seed {far.seeds[0]}. A width much above n is out of reach of
            a simulation; lazy bounds need the widths above.""")
