"""What a page of nearly orthogonal samples says, claim by claim: pure functions of its JSON value.

Each rule can come out either way and states the violation that *holds* has excluded (`reports.judging`);
what is not known is "unknown", what a claim is not about is "hypothesis not met".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from empirics.orthogonal import OrthogonalConfig
from reports import text
from reports.judging import CONFIDENCE, FEWEST_SEEDS, Judgement, judge_mean, judge_share, together, unmeasured
from reports.orthogonal.build import CONDITIONS, ENOUGH, LEVEL
from reports.orthogonal.claims_published import published_claims
from reports.orthogonal.rows import ENOUGH_SEEDS, VIOLATION, Claim, claim, judge_runs, over, proved
from reports.sweeps.statistics import RISING_RULE, judge_rising, rank_correlation
from reports.text import many
from reports.verdicts import FALSE_ALARM

Json = Mapping[str, Any]

TURN_ERROR = 0.05  # mean absolute error of a predicted cosine that counts as predicted
WRONG = 0.1  # share of wrong signs that `ENOUGH` points of a network show: 3.2e-4 not to
_PERCENT = f"{LEVEL:.0%}".replace("%", " %")
_MAX_STEPS = OrthogonalConfig.__dataclass_fields__["max_steps"].default
_NAMES = {
    "orthogonal": "γ³R_min⁴/(3N R_max²) > p_max",
    "orthogonal_rows": "γ(1 + γ²)/(1 + 2γ + 3γ²) > κ",
    "multipliers": "λ > 0 and the sign pattern",
}
_SOURCES = {"orthogonal": "published", "orthogonal_rows": "derived here", "multipliers": "derived here"}


def claims(results: Json) -> list[Claim]:
    """Return the claims: statement, source, rule, predicted, measured, verdict.

    Parameters
    ----------
    results : mapping
        From `reports.orthogonal.build`.
    """
    kind, name = results["part"]["kind"], results["part"]["name"]
    made: list[Claim] = []
    if kind == "published":
        made += published_claims(results)
    if kind == "data":
        made += _examined(results)
    if name == "turning" and kind == "study":
        made += _turning(results)
    made.append(_converged(results))
    made += [_signs(row) for row in results["networks"] if row["verdict"] == "holds"]
    if name == "orthogonality" and kind == "study":
        made.append(_decay(results))
    if kind in {"published", "data"} or name == "turning":
        made += [_attack(results), _wedge(results)]
    return made


# Trained networks and their limits -------------------------------------------------------------------------


def _converged(results: Json) -> Claim:
    """Say whether our training was long enough, which is no claim of a paper and refutes none."""
    row = results["convergence"]
    steps = results["part"]["options"].get("max_steps", _MAX_STEPS)
    whole = row["converged"] == row["trained"]
    more = "" if whole else f"; max_steps is {steps}, raise it by --set max_steps=..."
    if row["lost"]:
        more += f"; {many(row['lost'], 'run has', 'runs have')} no result"
    return claim(
        "Training was long enough: the direction of every network converged, as limits ask for",
        "our training",
        "counted: the KKT residual of every network of these runs fell to the tolerance within max_steps; "
        "unknown while a run has no result",
        "all",
        f"{row['converged']} of {many(row['trained'], 'network')}; median residual "
        f"{text.number(row['median_residual'])}{more}",
        whole if row["trained"] else None,
        unmeasured("a run has no result")
        if row["lost"] or not row["trained"]
        else Judgement(True, "counted, nothing is drawn"),
    )


def _signs(row: Json) -> Claim:
    condition = row["condition"]
    attracts = "" if condition == "multipliers" else ", the only KKT point there"
    measured = (
        f"{row['agree']} of {many(row['converged'], 'converged network')} "
        f"({row['trained']} trained); {many(row['elsewhere'], 'ends', 'end')} elsewhere; "
        f"least share {text.number(row['least'])}"
    )
    if row["undecided"]:
        measured += (
            f"; {many(row['undecided'], 'has', 'have')} exceptions that are few or within the tolerance"
        )
    unknown = row["converged"] - row["n"]
    if unknown:
        measured += f"; of {unknown} no sign is predicted"
    if row["few"]:
        measured += f"; {many(row['few'], 'has', 'have')} fewer than {ENOUGH} such points"
    found = judge_runs(row["seeds"], "share of networks with wrong signs")
    return claim(
        f"Where {_NAMES[condition]}, the signs of a trained network are those of its limit{attracts}",
        _SOURCES[condition],
        f"a network violates it if signs differ at more than 1 % of the test points where the limit predicts "
        "one (⟨s, z⟩ is not 0 but for rounding) and neither the tolerance of training nor few points explain "
        f"it. Fails with one such network; holds if at {CONFIDENCE} an expected share of {VIOLATION:g} of "
        f"the networks of a seed with wrong signs at {WRONG:g} of all points is excluded. All others than "
        f"converged networks that agree at {ENOUGH} points or more count as violations there; "
        f"{ENOUGH_SEEDS} seeds without one are enough",
        f"{_PERCENT} or more in all",
        measured,
        row["trained"] > 0,
        found,
    )


def _attack(results: Json) -> Claim:
    row = results["attack"]["converged"]
    other = results["attack"]["not converged"]
    said = (
        f"{row['at_least_level']} of {many(row['n'], 'run')} with cosine ≥ {LEVEL:g}; mean "
        f"{text.number(row['mean'])}, "
        f"least {text.number(row['least'])}"
    )
    if other["n"]:
        said += (
            f"; where f did not converge: mean {text.number(other['mean'])} over {many(other['n'], 'run')}"
        )
    if row["unknown"]:
        said += f"; of {many(row['unknown'], 'run')} more no cosine is known"
    return claim(
        "Perturbations by gradient steps are those of the closed form",
        "derived here",
        f"mean cosine over perturbations at least {LEVEL:g} in every run where f converged and its λ system "
        f"holds: fails with one below; {_runs_rule('runs below')}",
        "cosine 1",
        said,
        row["n"] + row["unknown"] > 0,
        judge_runs(row["seeds"], f"share of runs with a cosine below {LEVEL:g}"),
    )


def _runs_rule(what: str) -> str:
    return (
        f"holds if at {CONFIDENCE} an expected share of {VIOLATION:g} of {what} is excluded, runs without a "
        "result, an unknown value or a converged f counted as such; "
        f"{ENOUGH_SEEDS} seeds without one are enough"
    )


def _wedge(results: Json) -> Claim:
    """Compare cosines of L2 perturbations with s with the bound of `gradient_cosine`, run by run."""
    row = results["attack"]["kinks"]
    low, high = (text.number(limit, 4) for limit in row["bounds"])
    return claim(
        "Perturbations by gradient steps are as near to the closed form as kinks of the limit network, and "
        "the distance of f from it, allow",
        "derived here",
        "L2, f converged, λ system holds, and the derived condition or the signs of the limit: the least "
        "cosine of each run is at least cos θ of its own samples (Derivation 15, step 8), or what is proved "
        "for a network as far from its limit as f is: fails with one run below both; "
        f"{_runs_rule('runs below both')}, as runs below cos θ where nothing is proved",
        f"cos θ from {low} to {high}, for orthogonal classes 2√(2γ(1 + γ²))/(1 + γ)²",
        f"{many(row['n'], 'run')}: {row['above']} above cos θ, {row['explained']} below it by what the "
        f"distance explains, {row['broken']} by more, {row['unexplained']} unexplained, {row['unknown']} "
        f"more not known; least cosine "
        f"{text.number(row['least'], 4)}, least minus cos θ {text.number(row['least_over'], 2)}",
        row["n"] + row["unknown"] > 0,
        judge_runs(row["seeds"], "share of runs with a cosine below both bounds"),
    )


# Studies ---------------------------------------------------------------------------------------------------


def _turning(results: Json) -> list[Claim]:
    made = []
    for series in results["panels"][0]["series"]:
        points = sorted(
            (p for p in results["panels"][0]["points"] if p["series"] == series), key=lambda p: float(p["x"])
        )
        values = [p["metrics"]["turning"]["values"] for p in points]
        whole = sorted(set.intersection(*(set(value) for value in values)), key=int)
        ranks = [rank_correlation([p["x"] for p in points], [v[s] for v in values]) for s in whole]
        incomplete = results["part"]["seeds"] - len(whole)
        first, last = points[0]["metrics"]["turning"], points[-1]["metrics"]["turning"]
        made.append(
            claim(
                f"The boundary of g turns towards s of the natural samples as N_adv grows ({series})",
                "published",
                f"rank correlation of the cosine with N_adv, seed by seed: {RISING_RULE}",
                "cosine grows",
                f"{text.spread(first['mean'], first['sd'])} at N_adv = {points[0]['x']:g} to "
                f"{text.spread(last['mean'], last['sd'])} at {points[-1]['x']:g}; of "
                f"{many(len(ranks), 'complete seed')} {sum(rank > 0 for rank in ranks)} grow, "
                f"{sum(rank < 0 for rank in ranks)} fall",
                bool(ranks),
                judge_rising(ranks, incomplete=incomplete)
                if len(points) > 1
                else unmeasured("one value of N_adv"),
            )
        )
    return [*made, _follows(results)]


def _follows(results: Json) -> Claim:
    """Compare each trained g with the limit of its own perturbed set."""
    points = [point for point in results["panels"][0]["points"] if point["series"] == "trained"]
    errors: list[float | None] = []
    every = []
    for seed in map(str, range(results["part"]["seeds"])):
        both = [
            (p["metrics"]["turning"]["values"].get(seed), p["metrics"]["turning_limit"]["values"].get(seed))
            for p in points
        ]
        found = [abs(mine - limit) for mine, limit in both if mine is not None and limit is not None]
        lost = not found or any(mine is None for mine, _ in both)
        errors.append(None if lost else sum(found) / len(found))
        every += found
    return claim(
        "A trained g turns as the limit of its own perturbed set does",
        "derived here",
        "mean absolute difference of the cosines with s, one mean a seed over its runs with a limit: holds "
        f"if the {CONFIDENCE} t interval over seeds excludes {TURN_ERROR:g} or more, fails if that at "
        f"{FALSE_ALARM:g} excludes {TURN_ERROR:g} or less; at least {FEWEST_SEEDS} seeds, all complete",
        "difference 0",
        f"mean {over(errors)}, largest {text.number(max(every, default=None))}, {many(len(every), 'run')}",
        bool(every),
        judge_mean(errors, high=TURN_ERROR, what="mean difference of the cosines"),
    )


def _decay(results: Json) -> Claim:
    """Say where the conditions end and where the prediction does, slope by slope."""
    said, inside = [], []
    for series in results["panels"][0]["series"]:
        points = sorted(
            (p for p in results["panels"][0]["points"] if p["series"] == series), key=lambda p: float(p["x"])
        )
        held = [_last(points, f"{c}_f") for c in CONDITIONS]
        below = _first_below(points)
        places = ", ".join("none" if x is None else f"{x:g}" for x in held)
        said.append(f"{series}: {places}; {'not seen' if below is None else f'{below:g}'}")
        reach = held[2]
        inside += [point for point in points if reach is not None and float(point["x"]) <= reach]
    wrong = [_wrong(point) for point in inside]
    return claim(
        f"The prediction fails only beyond where the λ system holds: the mean share of equal signs is at "
        f"least {_PERCENT} up to there",
        "derived here",
        "for each slope and each N/d up to the largest where λ > 0 and the pattern hold for all seeds, "
        "converged or not: fails if a mean share of wrong signs of "
        f"{1 - LEVEL:.2g} or less is excluded at one (false alarm {FALSE_ALARM:g} over all), holds if one of "
        f"{VIOLATION:g} or more is excluded at each at {CONFIDENCE}; {ENOUGH_SEEDS} seeds without a wrong "
        "sign are enough",
        "prediction outlasts the condition at every slope where it holds somewhere",
        "largest N/d up to which all seeds meet the published, the derived condition, the λ system; "
        "first N/d "
        f"below {_PERCENT}: " + ". ".join(said),
        bool(inside),
        together(
            *(
                judge_share(
                    known,
                    allowed=1 - LEVEL,
                    violation=VIOLATION,
                    what="mean share of wrong signs at an N/d",
                    doubtful=doubtful,
                    tests=len(wrong),
                )
                for known, doubtful in wrong
            )
        ),
    )


def _wrong(point: Json) -> tuple[list[float], list[float]]:
    """Return the shares of wrong signs by seed, what is not known as none and as all."""
    known = [1 - share for share in point["metrics"]["signs_f"]["values"].values()]
    lacking = point["runs"] - len(known)
    return known + [0.0] * lacking, known + [1.0] * lacking


def _last(points: Sequence[Json], column: str) -> float | None:
    """Return the largest x up to which a verdict holds for all runs."""
    last = None
    for point in points:
        if not point["runs"] or point["verdicts"][column]["holds"] < point["runs"]:
            break
        last = float(point["x"])
    return last


def _first_below(points: Sequence[Json]) -> float | None:
    """Return the first x whose mean share of equal signs is below the level."""
    for point in points:
        metric = point["metrics"]["signs_f"]
        if metric["n"] == point["runs"] and metric["mean"] < LEVEL:
            return float(point["x"])
    return None


# Data in hand ----------------------------------------------------------------------------------------------


def _examined(results: Json) -> list[Claim]:
    found = results["examination"]
    if found is None:
        return []
    names = {
        "published": "The samples meet the published condition of orthogonality",
        "derived": "The samples meet the derived condition of orthogonality",
        "published, perturbed": "So do the perturbed ones, whatever the targets (published condition)",
        "derived, perturbed": "So do the perturbed ones, whatever the targets (derived condition)",
    }
    formulas = {"published": _NAMES["orthogonal"], "derived": _NAMES["orthogonal_rows"]}
    made = []
    for key, statement in names.items():
        if key in found["conditions"]:
            lhs, rhs, outcome = found["conditions"][key]
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
    known = found["multipliers"]
    made.append(
        claim(
            "The limit network is a KKT point of the max-margin problem",
            "derived here",
            "λ > 0 and the sign pattern, proved with rounding errors",
            "every λ > 0",
            _solved(known),
            True,
            proved(known["verdict"]),
        )
    )
    return [*made, *_kept(found)]


def _solved(known: Json) -> str:
    """Return what is known of λ; nothing but the reason where its error is not bounded."""
    why = "; ".join(known["reasons"])
    if known["least"] is None:
        return why or "no error of λ is proved"
    return (
        f"least λ {text.number(known['least'])}, {text.number(known['least_over_low'])} of the published "
        f"lower limit 1/(2R_max²); {text.count(known['num_not_positive'])} proved not positive, the sign "
        f"of {text.count(known['num_unproved'])} not proved" + (f"; {why}" if why else "")
    )


def _kept(found: Json) -> list[Claim]:
    signs = found["signs"]
    if signs is None:
        return []
    n = signs["n"] * len(signs["seeds"])
    counts = {
        what: {
            word: sum(seed[what][word] for seed in signs["seeds"]) for word in ("holds", "fails", "unknown")
        }
        for what in ("condition", "kept")
    }
    both = counts["condition"]["holds"], counts["kept"]["holds"]
    lost = counts["kept"]["fails"]
    known = both[1] + lost
    # Then both sets have one KKT point, which is the limit network.
    only = all(found["conditions"][key][2] == "holds" for key in ("derived", "derived, perturbed"))
    return [
        claim(
            "The limit boundary of the set perturbed along s has the sign of the old one at every test point"
            + (", and so has every KKT point" if only else ""),
            "derived here",
            "λ systems of both sets; holds if it is proved for every test point and draw of targets, fails "
            "if one sign is proved lost",
            "all kept",
            f"{text.number(both[1] / n)} kept, {text.number(lost / n)} lost, "
            f"{text.number(1 - known / n)} unknown, of "
            f"{many(n, 'point and draw', 'points and draws')}; the sign condition "
            f"alone gives {text.number(both[0] / n)}; before targets are drawn (δ = {signs['delta']:g}) "
            f"{text.number(signs['before']['holds'] / signs['n'])}",
            n > 0,
            proved("fails" if lost else "holds" if known == n else "unknown"),
        )
    ]
