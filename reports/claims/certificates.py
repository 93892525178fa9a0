"""Signs and agreement that are certified are right, of what `empirics.measure.certified` has counted."""

from empirics.measure.certified import COUNTS, DYNAMICS, Certified
from reports import text
from reports.claim_text import by_seed
from reports.judging import CONFIDENCE, Judgement, judge_share, refuted, together, unmeasured
from reports.results import Section
from reports.verdicts import FALSE_ALARM, Claim, verdict

# Expected share of the certified points that are wrong, over δ, which is excluded where the claim holds.
VIOLATION = 20


def certificates(section: Section) -> Claim:
    """Judge certificates by their errors: none for weights in hand, at most δ for those drawn."""
    delta = section.certificates.delta
    kinds = {kind: _of_kind(section, kind) for kind in ("in hand", "descent", "flow")}
    tally = {
        kind: {name: sum(getattr(run, name) for run in runs) for name in COUNTS}
        for kind, runs in kinds.items()
    }
    identity = section.setting.loss == "identity"
    said = any(run.f or run.both for runs in kinds.values() for run in runs)
    judged = _right(section, delta)
    return Claim(
        key="certificates",
        evidence="certificates",
        section=section.name,
        statement="Signs and agreement that are certified are right",
        formula=r"|f_b| > B \Rightarrow \operatorname{sgn} f = \operatorname{sgn} f_b",
        source="derived here",
        hypothesis=f"identity loss ({'yes' if identity else 'no'}), full batch; something is certified",
        met=identity and said,
        predicted="none wrong with weights in hand, else at most a share δ = "
        f"{text.number(delta)} of those certified",
        measured="; ".join(
            f"{kind}: f {text.count(row['f'])}, agreement {text.count(row['both'])} of "
            f"{text.count(row['points'])} points, {text.count(row['f_wrong'])} and "
            f"{text.count(row['both_wrong'])} wrong"
            for kind, row in tally.items()
        ),
        samples=f"{len(section.runs)} pairs of networks × {section.num_test} points",
        rule=(
            "fails for an error with weights in hand (largest width, first seeds), or if Chernoff's bound "
            "over seeds excludes that at most a share δ of the certified signs of f, or of g, is wrong "
            f"(false alarm {FALSE_ALARM:g}); holds if it excludes {VIOLATION} δ for both ({CONFIDENCE}). "
            "Flow is judged on descent with small steps"
        ),
        verdict=verdict(identity and said, judged.holds),
        decision=judged.decision,
        numbers={f"{kind} {name}": row[name] for kind, row in tally.items() for name in row},
    )


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
