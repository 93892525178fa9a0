"""Perturbations by gradient steps are those of the closed form, or as near as kinks allow."""

from reports import text
from reports.claims.orthogonal.rows import LEVEL, Json, claim, judge_runs, runs_rule
from reports.text import many
from reports.verdicts import Claim


def attack(results: Json) -> list[Claim]:
    """Return the claims where there are natural networks to attack: not along the ratio N/d."""
    part = results["part"]
    if part["kind"] in {"published", "data"} or part["name"] == "turning":
        return [_attack(results), _wedge(results)]
    return []


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
        f"holds: fails with one below; {runs_rule('runs below')}",
        "cosine 1",
        said,
        row["n"] + row["unknown"] > 0,
        judge_runs(row["seeds"], f"share of runs with a cosine below {LEVEL:g}"),
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
        f"{runs_rule('runs below both')}, as runs below cos θ where nothing is proved",
        f"cos θ from {low} to {high}, for orthogonal classes 2√(2γ(1 + γ²))/(1 + γ)²",
        f"{many(row['n'], 'run')}: {row['above']} above cos θ, {row['explained']} below it by what the "
        f"distance explains, {row['broken']} by more, {row['unexplained']} unexplained, {row['unknown']} "
        f"more not known; least cosine "
        f"{text.number(row['least'], 4)}, least minus cos θ {text.number(row['least_over'], 2)}",
        row["n"] + row["unknown"] > 0,
        judge_runs(row["seeds"], "share of runs with a cosine below both bounds"),
    )
