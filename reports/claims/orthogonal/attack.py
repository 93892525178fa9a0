"""Perturbations by gradient steps are those of the closed form, or as near as kinks allow."""

from collections import Counter
from collections.abc import Sequence

from empirics.orthogonal.attacks import GRADIENT_STEPS
from reports import text
from reports.claims.orthogonal.rows import LEVEL, OrthogonalRow, Results, Run, claim, judge_runs, runs_rule
from reports.page import Section
from reports.statistics import mean
from reports.text import many
from reports.verdicts import Claim


def claims(results: Results, runs: Sequence[Run]) -> list[Claim]:
    """Return the claims where there are natural networks to attack: not along the ratio N/d."""
    if results.part.kind == "study" and results.part.name != "turning":
        return []
    attacked = [run for run in runs if run.config.attack in GRADIENT_STEPS]
    # Nothing is proved of the published steps, which end in a box.
    return [_attack(attacked), *([] if results.part.kind == "published" else [_wedge(attacked)])]


def sections(_results: Results) -> tuple[Section, ...]:
    """Return nothing: cosines are in the tables of other families."""
    return ()


def _attack(attacked: Sequence[Run]) -> Claim:
    """Count perturbations along the closed form, where f converged and its λ system holds."""
    done = [(config.seed, row) for config, row in attacked if row is not None]
    solved = [(seed, row) for seed, row in done if row.f.multipliers == "holds"]
    known = [row.attack_cosine for _, row in solved if row.f.converged]
    values = [value for value in known if value is not None]
    others = [v for _, row in done if row.f.converged is False and (v := row.attack_cosine) is not None]
    outcomes = [
        (seed, row.attack_cosine >= LEVEL if row.f.converged and row.attack_cosine is not None else None)
        for seed, row in solved
    ]
    said = (
        f"{sum(value >= LEVEL for value in values)} of {many(len(values), 'run')} with cosine ≥ {LEVEL:g}; "
        f"mean {text.number(mean(values))}, least {text.number(min(values, default=None))}"
        if known
        else "no run where f converged and its λ system holds"
    )
    if others:
        said += (
            f"; where f did not converge: mean {text.number(mean(others))} over {many(len(others), 'run')}"
        )
    if len(known) > len(values):
        said += f"; of {many(len(known) - len(values), 'run')} more no cosine is known"
    return claim(
        "Perturbations by gradient steps are those of the closed form",
        "derived here",
        f"mean cosine over perturbations at least {LEVEL:g} in every run where f converged and its λ system "
        f"holds: fails with one below; {runs_rule('runs below')}",
        "cosine 1",
        said,
        bool(known),
        judge_runs([*_lost(attacked), *outcomes], f"share of runs with a cosine below {LEVEL:g}"),
        mean=mean(values),
        least=min(values, default=None),
    )


def _lost(attacked: Sequence[Run]) -> list[tuple[int, None]]:
    return [(config.seed, None) for config, row in attacked if row is None]


def _wedge(attacked: Sequence[Run]) -> Claim:
    """Compare the least cosine of L2 perturbations of each run with what kinks of its limit allow.

    Runs count where f converged, its λ system holds, and f is near that limit: the derived condition holds,
    or the signs are those of the limit.
    """
    rows = [
        (config.seed, row, _place(row))
        for config, row in attacked
        if row is not None
        and (config.norm, row.f.multipliers) == ("L2", "holds")
        and (row.f.orthogonal_rows == "holds" or row.f.ends == "agree")
    ]
    meets = {"above": True, "explained": True, "broken": False}
    places = Counter(place for *_, place in rows)
    known = [row.numbers for _, row, place in rows if place not in {"unknown", "not converged"}]
    kinks = [numbers["kink_bound"] for numbers in known]
    least = min((numbers["attack_least"] for numbers in known), default=None)
    over = min((numbers["attack_least"] - numbers["kink_bound"] for numbers in known), default=None)
    met = len(known) + places["unknown"] > 0
    limits = f" from {text.number(min(kinks), 4)} to {text.number(max(kinks), 4)}" if kinks else ""
    return claim(
        "Perturbations by gradient steps are as near to the closed form as kinks of the limit network, and "
        "the distance of f from it, allow",
        "derived here",
        "L2, f converged, λ system holds, and the derived condition or the signs of the limit: the least "
        "cosine of each run is at least cos θ of its own samples (Derivation 15, step 8), or what is proved "
        "for a network as far from its limit as f is: fails with one run below both; "
        f"{runs_rule('runs below both')}, as runs below cos θ where nothing is proved",
        f"cos θ{limits}, for orthogonal classes 2√(2γ(1 + γ²))/(1 + γ)²",
        f"{many(len(known), 'run')}: {places['above']} above cos θ, {places['explained']} below it by what "
        f"the distance explains, {places['broken']} by more, {places['unexplained']} unexplained, "
        f"{places['unknown']} more not known; least cosine {text.number(least, 4)}, least minus cos θ "
        f"{text.number(over, 2)}"
        if met
        else "no run meets the hypothesis",
        met,
        judge_runs(
            [*_lost(attacked), *((seed, meets.get(place)) for seed, _, place in rows)],
            "share of runs with a cosine below both bounds",
        ),
        least=least,
        least_over=over,
    )


def _place(row: OrthogonalRow) -> str:
    """Say where the least cosine is, below what the limit allows also by the measured distance of f."""
    if not row.f.converged:
        return "not converged"
    if row.attack_least is None or row.kink_bound is None:
        return "unknown"
    if row.attack_least >= row.kink_bound:
        return "above"
    if row.attack_bound is None:
        return "unexplained"
    return "explained" if row.attack_least >= row.attack_bound else "broken"
