"""What a page of nearly orthogonal samples says, claim by claim: pure functions of its JSON value.

Each rule can come out either way; what is not known is "unknown", what a claim is not about is "hypothesis
not met".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from empirics.orthogonal import OrthogonalConfig
from reports import text
from reports.orthogonal.build import CONDITIONS, ENOUGH, LEVEL
from reports.orthogonal.claims_published import published_claims
from reports.orthogonal.intervals import over_seeds
from reports.orthogonal.rows import CERTAIN, Claim, claim, interval_of
from reports.sweeps.statistics import rank_correlation, sign_flip
from reports.text import many
from reports.verdicts import verdict, within

Json = Mapping[str, Any]

TURN_ERROR = 0.05  # mean absolute error of a predicted cosine that counts as predicted
TURN_LEVEL = 2.0**-9  # of the sign-flip test: the smallest p-value that ten seeds can have
TURN_SEEDS = 10
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
    return claim(
        "Training was long enough: the direction of every network converged, as limits ask for",
        "our training",
        "the KKT residual of every network fell to the tolerance within max_steps",
        "all",
        f"{row['converged']} of {many(row['trained'], 'network')}; median residual "
        f"{text.number(row['median_residual'])}{more}",
        verdict(whole if row["trained"] else None, True),
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
    decided = row["elsewhere"] or (row["n"] and not row["undecided"] and not unknown)
    return claim(
        f"Where {_NAMES[condition]}, the signs of a trained network are those of its limit{attracts}",
        _SOURCES[condition],
        f"at least {_PERCENT} of the test points where the limit predicts a sign (⟨s, z⟩ is not 0 but for "
        "rounding), for every network whose KKT residual fell to the tolerance; unknown for exceptions so "
        f"near the boundary that the tolerance explains them, and for a few among fewer than {ENOUGH} points",
        f"{_PERCENT} or more in all",
        measured,
        verdict(row["trained"] > 0, None if not decided else row["elsewhere"] == 0),
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
    every = (
        None if row["unknown"] and row["at_least_level"] == row["n"] else row["at_least_level"] == row["n"]
    )
    return claim(
        "Perturbations by gradient steps are those of the closed form",
        "derived here",
        f"mean cosine over perturbations at least {LEVEL:g} in every run where f converged and its λ system "
        "holds",
        "cosine 1",
        said,
        verdict(row["n"] + row["unknown"] > 0, every),
    )


def _wedge(results: Json) -> Claim:
    """Compare cosines of L2 perturbations with s with the bound of `gradient_cosine`, run by run."""
    row = results["attack"]["kinks"]
    decided = row["n"] and not row["unexplained"] and not row["unknown"]
    holds = False if row["broken"] else True if decided else None
    low, high = (text.number(limit, 4) for limit in row["bounds"])
    return claim(
        "Perturbations by gradient steps are as near to the closed form as kinks of the limit network, and "
        "the distance of f from it, allow",
        "derived here",
        "L2, f converged, λ system holds, and the derived condition or the signs of the limit: the least "
        "cosine of each run is at least cos θ of its own samples (Derivation 15, step 8), or what is proved "
        "for a network as far from its limit as f is; unknown below cos θ where that is nothing",
        f"cos θ from {low} to {high}, for orthogonal classes 2√(2γ(1 + γ²))/(1 + γ)²",
        f"{many(row['n'], 'run')}: {row['above']} above cos θ, {row['explained']} below it by what the "
        f"distance explains, {row['broken']} by more, {row['unexplained']} unexplained, {row['unknown']} "
        f"more not known; least cosine "
        f"{text.number(row['least'], 4)}, least minus cos θ {text.number(row['least_over'], 2)}",
        verdict(row["n"] + row["unknown"] > 0, holds),
    )


# Studies ---------------------------------------------------------------------------------------------------


def _turning(results: Json) -> list[Claim]:
    made = []
    for series in results["panels"][0]["series"]:
        points = sorted(
            (p for p in results["panels"][0]["points"] if p["series"] == series), key=lambda p: float(p["x"])
        )
        values = [p["metrics"]["turning"]["values"] for p in points]
        seeds = sorted({seed for value in values for seed in value}, key=int)
        whole = [seed for seed in seeds if all(seed in value for value in values)]
        ranks = [rank_correlation([p["x"] for p in points], [v[s] for v in values]) for s in whole]
        p_value = sign_flip(ranks) if len(points) > 1 and ranks else None
        up = sum(ranks) > 0
        few = len(ranks) < TURN_SEEDS
        holds = up if p_value is not None and not few and p_value <= TURN_LEVEL else None
        first, last = points[0]["metrics"]["turning"], points[-1]["metrics"]["turning"]
        made.append(
            claim(
                f"The boundary of g turns towards s of the natural samples as N_adv grows ({series})",
                "published",
                f"rank correlation of the cosine with N_adv, seed by seed; sign-flip test at 2⁻⁹ = "
                f"{TURN_LEVEL:.2g}; unknown below {TURN_SEEDS} seeds, which cannot reach it",
                "cosine grows",
                f"{text.spread(first['mean'], first['sd'])} at N_adv = {points[0]['x']:g} to "
                f"{text.spread(last['mean'], last['sd'])} at {points[-1]['x']:g}; "
                f"{many(len(ranks), 'seed')}, p = {text.number(p_value, 2)}"
                + (": too few seeds" if few and ranks else ""),
                verdict(bool(ranks), holds),
            )
        )
    return [*made, _follows(results)]


def _follows(results: Json) -> Claim:
    """Compare each trained g with the limit of its own perturbed set."""
    errors: dict[str, list[float]] = {}
    for point in results["panels"][0]["points"]:
        if point["series"] == "trained":
            limits = point["metrics"]["turning_limit"]["values"]
            mine = point["metrics"]["turning"]["values"]
            for seed in mine:
                if seed in limits:
                    errors.setdefault(seed, []).append(abs(mine[seed] - limits[seed]))
    every = [error for seed in errors.values() for error in seed]
    interval = over_seeds([sum(seed) / len(seed) for seed in errors.values()])
    return claim(
        "A trained g turns as the limit of its own perturbed set does",
        "derived here",
        f"mean absolute difference of the cosines with s, one mean a seed: holds if the {CERTAIN} t interval "
        f"over seeds ends below {TURN_ERROR:g}, fails if it begins above",
        "difference 0",
        f"mean {text.number(sum(every) / len(every) if every else None)}{interval_of(interval)}, largest "
        f"{text.number(max(every, default=None))}, {many(len(every), 'run')}",
        verdict(bool(every), within(None, TURN_ERROR, interval)),
    )


def _decay(results: Json) -> Claim:
    """Say where the conditions end and where the prediction does, slope by slope."""
    said, early, absent, unknown = [], 0, 0, 0
    for series in results["panels"][0]["series"]:
        points = sorted(
            (p for p in results["panels"][0]["points"] if p["series"] == series), key=lambda p: float(p["x"])
        )
        held = [_last(points, f"{c}_f") for c in CONDITIONS]
        below = _first_below(points)
        places = ", ".join("none" if x is None else f"{x:g}" for x in held)
        said.append(f"{series}: {places}; {'not seen' if below is None else f'{below:g}'}")
        if held[2] is None:
            absent += 1
        elif below is not None and below <= held[2]:
            early += 1
        elif any(_mean_share(point) is None for point in points if float(point["x"]) <= held[2]):
            unknown += 1
    return claim(
        f"The prediction fails only beyond where the λ system holds: the mean share of equal signs is at "
        f"least "
        f"{_PERCENT} up to there",
        "derived here",
        f"for each slope: the first N/d with a mean share below {_PERCENT} over all seeds, converged or "
        f"not, is "
        "beyond the largest N/d up to which λ > 0 and the pattern hold for all seeds",
        "prediction outlasts the condition at every slope where it holds somewhere",
        "largest N/d up to which all seeds meet the published, the derived condition, the λ system; "
        "first N/d "
        f"below {_PERCENT}: " + ". ".join(said),
        verdict(absent < len(said), False if early else None if unknown else True),
    )


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
        mean = _mean_share(point)
        if mean is not None and mean < LEVEL:
            return float(point["x"])
    return None


def _mean_share(point: Json) -> float | None:
    """Return the mean share of equal signs; None where a run has none."""
    metric = point["metrics"]["signs_f"]
    mean: float | None = metric["mean"] if metric["n"] == point["runs"] else None
    return mean


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
                    outcome,
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
            known["verdict"],
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
            verdict(n > 0, False if lost else True if known == n else None),
        )
    ]
