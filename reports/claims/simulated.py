"""Certificates by simulation of single neurons are right, lazy or not; sums of what was simulated."""

from collections.abc import Sequence

from scipy import stats

from empirics.measure.certified import COUNTS, DELTA, DYNAMICS
from empirics.measure.runs import Run
from empirics.measure.simulated import Plan, Scan
from empirics.record import Number, OfBoth, added
from reports import text
from reports.claims.certificates import VIOLATION, wrong_shares
from reports.judging import CONFIDENCE, together, unmeasured
from reports.results import OverSeeds, Section, Simulated
from reports.statistics import summarise
from reports.verdicts import FALSE_ALARM, MISSED, Claim, verdict


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


def simulated(section: Section) -> Claim:
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
    return Claim(
        key="certificates-simulated",
        evidence="simulated",
        section=section.name,
        statement="Signs and agreement that are certified by simulated neurons are right, lazy or not",
        formula=r"P(\operatorname{sgn} f \ne s) \le P(\text{out of limits}) + (E\, e^{-\lambda s X})^m",
        source="derived here",
        hypothesis=(
            f"identity loss ({'yes' if identity else 'no'}), descent in the steps simulated "
            f"({'yes' if steps else 'no'}); something is certified"
        ),
        met=identity and steps and said,
        predicted=f"certified and wrong: at most δ = {text.number(DELTA)} of the points"
        if identity
        else "nothing",
        measured=(
            f"f {text.count(totals['f'])}, agreement {text.count(totals['both'])}, agreement with f in hand "
            f"{text.count(totals['g'])} of {text.count(totals['points'])} points; "
            f"{', '.join(text.count(totals[name]) for name in ('f_wrong', 'both_wrong', 'g_wrong'))} wrong; "
            f"seeds with a wrong one: {text.count(wrong)} of {len(counted)}, so at most "
            f"{text.number(limit, 2)} of all seeds"
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
        verdict=verdict(identity and steps and said, judged.holds),
        decision=judged.decision,
        numbers={**totals, "wrong_seeds": wrong, "wrong_seeds_limit": limit},
    )
