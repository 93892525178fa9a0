"""What a page of nearly orthogonal samples says, claim by claim: pure functions of its JSON value.

Each rule can come out either way; what is not known is "unknown", what a claim is not about is "hypothesis
not met".
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scipy import stats

from reports import text
from reports.orthogonal.build import CONDITIONS, ENOUGH, LEVEL, distinct
from reports.sweeps.statistics import at_most, like_one_more_seed, rank_correlation, sign_flip
from reports.verdicts import FALSE_ALARM, Outcome, verdict

Json = Mapping[str, Any]
Claim = dict[str, Any]

PUBLISHED_N = 1000  # natural samples of the published experiments, except in the sweep over N
MAP_ERROR = 0.05  # mean absolute error of a predicted accuracy that counts as predicted
TURN_ERROR = 0.05  # the same of a cosine
TURN_LEVEL = 2.0**-9  # of the sign-flip test: the smallest p-value that ten seeds can have
TURN_SEEDS = 10
_PERCENT = f"{LEVEL:.0%}".replace("%", " %")
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
        made += [
            _published(results),
            _means(results),
            _chance(results),
            *_learned(results),
            *_predicted(results),
        ]
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


def _claim(
    statement: str, source: str, rule: str, predicted: str, measured: str, outcome: Outcome | str
) -> Claim:
    return {
        "statement": statement,
        "source": source,
        "rule": rule,
        "predicted": predicted,
        "measured": measured,
        "verdict": outcome,
    }


# Published sweeps ------------------------------------------------------------------------------------------


def _series(results: Json, series: str) -> list[tuple[str, Json]]:
    """Return the points of a series with the names of their panels; equal experiments once."""
    points: Iterable[dict[str, Any]] = (
        {**point, "panel": panel["name"]} for panel in results["panels"] for point in panel["points"]
    )
    return [(p["panel"], p) for p in distinct(p for p in points if p["series"] == series)]


def _published(results: Json) -> Claim:
    cells = [point["metrics"]["accuracy_g"] for _, point in _series(results, "adversarial")]
    found = like_one_more_seed(cells)
    # Of so few values and seeds none within would not be surprising: then the rule cannot fail.
    least = at_most(0, [(c["n"] - 1) / (c["n"] + 1) for c in cells if c["inside"] is not None])
    able = found["count"] and least < FALSE_ALARM
    holds = found["p_value"] >= FALSE_ALARM if able else None
    below = sum(c["inside"] is False and c["published"] > c["max"] for c in cells)
    return _claim(
        "Published accuracies of g are like one more of our seeds",
        "published",
        f"fails if P(so few within the range of the seeds) < {FALSE_ALARM:g}, were points independent (they "
        "share seeds); with fewer natural samples than published our ranges are wider, and the test is weak",
        f"{text.number(found['expected'])} or more of {found['count']} within the range",
        f"{found['inside']} of {found['count']} within; {below} published values are above our range; "
        f"P(so few) = {text.number(found['p_value'], 2)}; {found['not_compared']} not compared",
        verdict(bool(found["count"]), holds),
    )


def _means(results: Json) -> Claim:
    """Compare published values with means over seeds, each with the error of both."""
    rows = [(name, point, point["metrics"]["accuracy_g"]) for name, point in _series(results, "adversarial")]
    rows = [row for row in rows if row[2]["published"] is not None and row[2]["n"] > 1]
    outside, differences = 0, []
    for name, point, cell in rows:
        tail = FALSE_ALARM / (4 * len(rows))
        z = float(stats.norm.isf(tail))
        # A published value is one seed of N natural samples.
        low, high = _wilson(cell["published"], int(point["x"]) if name == "N" else PUBLISHED_N, z)
        room = stats.t.isf(tail, cell["n"] - 1) * cell["sd"] / math.sqrt(cell["n"])
        # Seeds that all agree, as at 1, have no deviation: their samples still are so many.
        below, above = _wilson(cell["mean"], cell["n"] * point["sizes"]["num_train"], z)
        differences.append(cell["mean"] - cell["published"])
        outside += min(below, cell["mean"] - room) > high + cell["error"]
        outside += max(above, cell["mean"] + room) < low - cell["error"]
    n = len(differences)
    mean = sum(differences) / n if n else None
    return _claim(
        "Means over our seeds are the published accuracies of g",
        "published",
        "fails if the t or Wilson interval of our mean, the wider at each end, and the Wilson interval of "
        f"one published seed are apart by more than the reading error, at {FALSE_ALARM:g} over all points",
        "difference 0",
        f"{outside} of {n} beyond; ours minus published: mean {text.number(mean)}, largest size "
        f"{text.number(max(map(abs, differences), default=None))}",
        verdict(n > 0, None if not n else outside == 0),
    )


def _wilson(share: float, count: int, z: float) -> tuple[float, float]:
    """Return Wilson's interval of a probability from a share of `count` draws, z deviations each way."""
    share = min(max(share, 0.0), 1.0)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return middle - half, middle + half


def _chance(results: Json) -> Claim:
    found = [p["chance"] for _, p in _series(results, "control") if p["chance"] is not None]
    least = min((row["two_sided"] for row in found), default=None)
    right, total = sum(r["right"] for r in found), sum(r["total"] for r in found)
    return _claim(
        "Without an attack g knows nothing of the natural labels",
        "derived here",
        f"exact binomial test at each point over all seeds; fails if the smallest two-sided p-value × "
        f"{len(found)} points < {FALSE_ALARM:g}",
        "half of the natural samples right",
        f"{text.number(right / total if total else None)} of {text.count(total)} right over all points; "
        f"smallest p-value {text.number(least, 2)}",
        verdict(bool(found), None if least is None else least * len(found) >= FALSE_ALARM),
    )


def _learned(results: Json) -> list[Claim]:
    made, seen = [], set()
    for panel in results["panels"]:
        point = [p for p in panel["points"] if p["series"] == "adversarial"][-1]
        if point["key"] in seen:  # the base of another sweep
            continue
        seen.add(point["key"])
        chance = point["chance"]
        measured = point["metrics"]["accuracy_g"]
        holds = None
        if chance is not None and chance["above"] < FALSE_ALARM:
            holds = True
        elif chance is not None and chance["two_sided"] < FALSE_ALARM:
            holds = False
        made.append(
            _claim(
                f"g learns natural labels from perturbed noise, at {panel['x_label']} = {point['x']:g}",
                "published",
                f"exact binomial test against chance over all seeds: holds at p < {FALSE_ALARM:g} above 1/2, "
                "fails below",
                f"above 1/2; published {text.number(measured['published'])}",
                f"{text.spread(measured['mean'], measured['sd'])}, {measured['n']} seeds; p = "
                f"{_probability(None if chance is None else chance['above'])}",
                verdict(chance is not None, holds),
            )
        )
    return made


def _predicted(results: Json) -> list[Claim]:
    made = []
    for column, what in (
        ("accuracy_mean_g", "the linear mean map Σ y^adv x^adv"),
        ("accuracy_limit_g", "the limit Σ λ y^adv x^adv of g"),
    ):
        row = results["map"][column]
        holds = None if row["mean_error"] is None else row["mean_error"] <= MAP_ERROR
        made.append(
            _claim(
                f"The accuracy of g is that of {what}",
                "derived here",
                f"mean absolute error over the runs with an attack at most {MAP_ERROR:g}",
                "error 0",
                f"error {text.number(row['mean_error'])}, correlation {text.number(row['correlation'])}, "
                f"{text.count(row['n'])} runs",
                verdict(bool(row["n"]), holds),
            )
        )
    return made


def _probability(value: float | None) -> str:
    return "below 1e-12" if value is not None and value < 1e-12 else text.number(value, 2)


# Trained networks and their limits -------------------------------------------------------------------------


def _converged(results: Json) -> Claim:
    row = results["convergence"]
    return _claim(
        "All networks were trained until their direction converged",
        "published",
        "the KKT residual of every network fell to the tolerance within max_steps",
        "all",
        f"{row['converged']} of {row['trained']} networks; median residual "
        f"{text.number(row['median_residual'])}",
        verdict(row["trained"] > 0, row["converged"] == row["trained"]),
    )


def _signs(row: Json) -> Claim:
    condition = row["condition"]
    attracts = "" if condition == "multipliers" else ", the only KKT point there"
    measured = (
        f"{row['agree']} of {row['n']} converged networks ({row['trained']} trained); "
        f"{row['elsewhere']} end elsewhere; least share {text.number(row['least'])}"
    )
    if row["undecided"]:
        measured += f"; {row['undecided']} have exceptions that are few or within the tolerance"
    decided = row["elsewhere"] or (row["n"] and not row["undecided"])
    return _claim(
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
        f"{row['at_least_level']} of {row['n']} runs with cosine ≥ {LEVEL:g}; mean "
        f"{text.number(row['mean'])}, "
        f"least {text.number(row['least'])}"
    )
    if other["n"]:
        said += f"; where f did not converge: mean {text.number(other['mean'])} over {other['n']} runs"
    return _claim(
        "Perturbations by gradient steps are those of the closed form",
        "derived here",
        f"mean cosine over perturbations at least {LEVEL:g} in every run where f converged and its λ system "
        "holds",
        "cosine 1",
        said,
        verdict(row["n"] > 0, row["at_least_level"] == row["n"] if row["n"] else None),
    )


def _wedge(results: Json) -> Claim:
    """Compare cosines of L2 perturbations with s with the bound of `gradient_cosine`, run by run."""
    row = results["attack"]["kinks"]
    holds = False if row["broken"] else True if row["n"] and not row["unexplained"] else None
    low, high = (text.number(limit, 4) for limit in row["bounds"])
    return _claim(
        "Perturbations by gradient steps are as near to the closed form as kinks of the limit network, and "
        "the distance of f from it, allow",
        "derived here",
        "L2, f converged, λ system holds, and the derived condition or the signs of the limit: the least "
        "cosine of each run is at least cos θ of its own samples (Derivation 15, step 8), or what is proved "
        "for a network as far from its limit as f is; unknown below cos θ where that is nothing",
        f"cos θ from {low} to {high}, for orthogonal classes 2√(2γ(1 + γ²))/(1 + γ)²",
        f"{row['n']} runs: {row['above']} above cos θ, {row['explained']} below it by what the distance "
        f"explains, {row['broken']} by more, {row['unexplained']} unexplained; least cosine "
        f"{text.number(row['least'], 4)}, least minus cos θ {text.number(row['least_over'], 2)}",
        verdict(row["n"] > 0, holds),
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
            _claim(
                f"The boundary of g turns towards s of the natural samples as N_adv grows ({series})",
                "published",
                f"rank correlation of the cosine with N_adv, seed by seed; sign-flip test at 2⁻⁹ = "
                f"{TURN_LEVEL:.2g}; unknown below {TURN_SEEDS} seeds, which cannot reach it",
                "cosine grows",
                f"{text.spread(first['mean'], first['sd'])} at N_adv = {points[0]['x']:g} to "
                f"{text.spread(last['mean'], last['sd'])} at {points[-1]['x']:g}; {len(ranks)} seeds, "
                f"p = {text.number(p_value, 2)}" + (": too few seeds" if few and ranks else ""),
                verdict(bool(ranks), holds),
            )
        )
    return [*made, _follows(results)]


def _follows(results: Json) -> Claim:
    """Compare each trained g with the limit of its own perturbed set."""
    errors = []
    for point in results["panels"][0]["points"]:
        if point["series"] == "trained":
            limits = point["metrics"]["turning_limit"]["values"]
            mine = point["metrics"]["turning"]["values"]
            errors += [abs(mine[seed] - limits[seed]) for seed in mine if seed in limits]
    mean = sum(errors) / len(errors) if errors else None
    return _claim(
        "A trained g turns as the limit of its own perturbed set does",
        "derived here",
        f"mean absolute difference of the cosines with s at most {TURN_ERROR:g}, over runs",
        "difference 0",
        f"mean {text.number(mean)}, largest {text.number(max(errors, default=None))}, {len(errors)} runs",
        verdict(bool(errors), None if mean is None else mean <= TURN_ERROR),
    )


def _decay(results: Json) -> Claim:
    """Say where the conditions end and where the prediction does, slope by slope."""
    said, early, unknown = [], 0, 0
    for series in results["panels"][0]["series"]:
        points = sorted(
            (p for p in results["panels"][0]["points"] if p["series"] == series), key=lambda p: float(p["x"])
        )
        held = [_last(points, f"{c}_f") for c in CONDITIONS]
        below = _first_below(points)
        places = ", ".join("none" if x is None else f"{x:g}" for x in held)
        said.append(f"{series}: {places}; {'not seen' if below is None else f'{below:g}'}")
        if held[2] is None:
            unknown += 1
        elif below is not None and below <= held[2]:
            early += 1
    return _claim(
        f"The prediction fails only beyond where the λ system holds: the mean share of equal signs is at "
        f"least "
        f"{_PERCENT} up to there",
        "derived here",
        f"for each slope: the first N/d with a mean share below {_PERCENT} over all seeds, converged or "
        f"not, is "
        "beyond the largest N/d up to which λ > 0 and the pattern hold for all seeds",
        "prediction outlasts the condition at every slope",
        "largest N/d up to which all seeds meet the published, the derived condition, the λ system; "
        "first N/d "
        f"below {_PERCENT}: " + ". ".join(said),
        verdict(unknown < len(said), early == 0),
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
        mean = point["metrics"]["signs_f"]["mean"]
        if mean is not None and mean < LEVEL:
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
                _claim(
                    statement,
                    "published" if source == "published" else "derived here",
                    f"{formulas[source]}, rounding taken into account",
                    f"right side below {text.number(lhs, 4)}",
                    f"right side {text.number(rhs, 4)}",
                    outcome,
                )
            )
    known = found["multipliers"]
    why = "; ".join(known["reasons"])
    made.append(
        _claim(
            "The limit network is a KKT point of the max-margin problem",
            "derived here",
            "λ > 0 and the sign pattern, proved with rounding errors",
            "every λ > 0",
            f"least λ {text.number(known['least'])}, {text.number(known['least_over_low'])} of the published "
            f"lower limit 1/(2R_max²); {text.count(known['num_not_positive'])} proved not positive, the sign "
            f"of {text.count(known['num_unproved'])} not proved" + (f"; {why}" if why else ""),
            known["verdict"],
        )
    )
    return [*made, *_kept(found)]


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
        _claim(
            "The limit boundary of the set perturbed along s has the sign of the old one at every test point"
            + (", and so has every KKT point" if only else ""),
            "derived here",
            "λ systems of both sets; holds if it is proved for every test point and draw of targets, fails "
            "if one sign is proved lost",
            "all kept",
            f"{text.number(both[1] / n)} kept, {text.number(lost / n)} lost, "
            f"{text.number(1 - known / n)} unknown, of {text.count(n)} points and draws; the sign condition "
            f"alone gives {text.number(both[0] / n)}; before targets are drawn (δ = {signs['delta']:g}) "
            f"{text.number(signs['before']['holds'] / signs['n'])}",
            verdict(n > 0, False if lost else True if known == n else None),
        )
    ]
