"""Where a condition holds, the signs of a trained network are those of its limit."""

from reports import text
from reports.claims.orthogonal.rows import ENOUGH, ENOUGH_SEEDS, PERCENT, VIOLATION, Json, claim, judge_runs
from reports.judging import CONFIDENCE
from reports.text import many
from reports.verdicts import Claim, Source

WRONG = 0.1  # share of wrong signs that `ENOUGH` points of a network show: 3.2e-4 not to
# Each implies the next.
CONDITIONS = ("orthogonal", "orthogonal_rows", "multipliers")
NAMES = {
    "orthogonal": "γ³R_min⁴/(3N R_max²) > p_max",
    "orthogonal_rows": "γ(1 + γ²)/(1 + 2γ + 3γ²) > κ",
    "multipliers": "λ > 0 and the sign pattern",
}
_SOURCES: dict[str, Source] = {
    "orthogonal": "published",
    "orthogonal_rows": "derived here",
    "multipliers": "derived here",
}


def signs(results: Json) -> list[Claim]:
    """Return a claim a condition that holds somewhere."""
    return [_signs(row) for row in results["networks"] if row["verdict"] == "holds"]


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
        f"Where {NAMES[condition]}, the signs of a trained network are those of its limit{attracts}",
        _SOURCES[condition],
        f"a network violates it if signs differ at more than 1 % of the test points where the limit predicts "
        "one (⟨s, z⟩ is not 0 but for rounding) and neither the tolerance of training nor few points explain "
        f"it. Fails with one such network; holds if at {CONFIDENCE} an expected share of {VIOLATION:g} of "
        f"the networks of a seed with wrong signs at {WRONG:g} of all points is excluded. All others than "
        f"converged networks that agree at {ENOUGH} points or more count as violations there; "
        f"{ENOUGH_SEEDS} seeds without one are enough",
        f"{PERCENT} or more in all",
        measured,
        row["trained"] > 0,
        found,
    )
