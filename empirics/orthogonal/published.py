"""The published synthetic sweeps of the prior work, at sizes two cores can do, beside what was published.

Published: S. Kumano, H. Kera, T. Yamasaki, ICLR 2024; values are read off its figures
(``published_curves.csv`` of this package), each with a reading error.  N natural points, uniform on
[−1, 1]^d, have random labels; g learns from N_adv points of fresh noise with random targets, perturbed
towards them, and is scored on the natural points.  Base: d = 10⁴, N = 1000, N_adv = 10⁴, ε = .78 (L2), .03
(L∞, no figure read), 5 % of the coordinates (L0), m = 1000 and slope .01 (options here).  Not reproduced:
10⁵ epochs of descent with momentum and a learning rate that falls on plateaus, and an L∞ step along g/max|g|
in place of signs.  How far an L0 step went is not known; at full size it is 1 here.

What a smaller size keeps.  Let ρ be the length of a perturbation, ε (L2), ε√d (L∞) or A√⌈εd⌉ (L0).  For
natural samples that are exactly orthogonal, of equal norms, perturbed along their limit s, and noise that is
independent of them, the linear map Σ y^adv x^adv gives a natural sample its own label with mean over standard
deviation near (ρ/σ) √(N_adv/N) (L2; c times that with c = √(2/π) for L∞), σ² = 1/3 the variance of a
coordinate.  At given N/d and N_adv/d this score moves with ρ, not with ρ/√d.  So two rules:

- "signal": d, N and N_adv are divided by the scale, ρ is kept: the score, N/d and N_adv/d are unchanged;
- "per-root": d and N are divided by the scale, ρ by its root, N_adv is kept: the score, N/d and ρ/√d are
  unchanged, N_adv/d grows.

L0 rounds the number of coordinates up: at 1/20 of the size ε < .002 means a single one.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from empirics.orthogonal.config import OrthogonalConfig
from empirics.published import Reading
from theory.orthogonal.perturbations import NORMS, Norm
from theory.validation import check_choice, check_integer

Sweep = Literal["d", "N", "N_adv", "eps"]
Rule = Literal["signal", "per-root"]
SWEEPS = ("d", "N", "N_adv", "eps")
RULES = ("signal", "per-root")
SERIES = {"adversarial": "acc_adversarial_on_natural", "control": "acc_noise_baseline"}

_BASE = {"d": 10_000, "N": 1000, "N_adv": 10_000}
_EPSILON: dict[str, float] = {"L2": 0.78, "Linf": 0.03, "L0": 0.05}
_VALUES: dict[str, tuple[float, ...]] = {
    "d": (100, 500, 1000, 2500, 5000, 10_000),
    "N": (1000, 2000, 3000, 5000, 10_000),
    "N_adv": (100, 500, 1000, 2500, 5000, 10_000),
}
# Values of ε; those of L2 and L0 are published points.
_SIZES: dict[str, tuple[float, ...]] = {
    "L2": (0.05, 0.1, 0.2, 0.3, 0.6, 0.78),
    "Linf": (0.002, 0.004, 0.008, 0.012, 0.024, 0.03),
    "L0": (0.001, 0.002, 0.004, 0.008, 0.02, 0.05),
}


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """One published point: its x, and the configurations that are run for it."""

    norm: Norm
    sweep: Sweep
    x: float  # as published, whatever the scale
    adversarial: tuple[OrthogonalConfig, ...]  # one a seed
    # The same noise and targets, without an attack; ε and the amplitude, which do not act, are the base's.
    control: tuple[OrthogonalConfig, ...]

    def published(self, series: Literal["adversarial", "control"]) -> Reading | None:
        """Return the published accuracy, None if that point was not read."""
        return readings().get((self.norm, self.sweep, self.x, series))


def published_sweep(
    norm: Norm,
    sweep: Sweep,
    *,
    scale: int = 20,
    rule: Rule = "signal",
    num_seeds: int = 10,
    **options: Any,  # noqa: ANN401  (fields of OrthogonalConfig)
) -> tuple[SweepPoint, ...]:
    """Return the points of one published sweep, reduced.

    Parameters
    ----------
    norm : {"L2", "Linf", "L0"}
    sweep : {"d", "N", "N_adv", "eps"}
        What is varied; ε is published in units of the data, for L0 as a share of the coordinates.
    scale : int
        1 for the published sizes.
    rule : {"signal", "per-root"}
        What a smaller size keeps; see the top of this file.
    num_seeds : int
        At least 1; seeds from 0.
    **options
        Other fields of `OrthogonalConfig`, such as `width` or `negative_slope`.

    Returns
    -------
    tuple of SweepPoint
        In the order of x.  Points whose scaled d, N or N_adv is below 1 are left out.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, or an option is no field or breaks its rule.
    """
    check_choice("norm", norm, NORMS)
    check_choice("sweep", sweep, SWEEPS)
    check_choice("rule", rule, RULES)
    check_integer("scale", scale, minimum=1)
    check_integer("num_seeds", num_seeds, minimum=1)
    points = []
    base = _fields(norm, "eps", _EPSILON[norm], scale, rule)
    # Equal for all controls of the same sizes, which are then one experiment.
    idle = {name: base[name] for name in ("epsilon", "amplitude")}
    for x in _SIZES[norm] if sweep == "eps" else _VALUES[sweep]:
        fields = _fields(norm, sweep, x, scale, rule)
        if min(fields["dim"], fields["num_train"], fields["num_adv"]) >= 1:
            made = {
                attack: tuple(
                    OrthogonalConfig(**{**fields, **options, "attack": attack, **size, "seed": seed})
                    for seed in range(num_seeds)
                )
                for attack, size in (("gradient", {}), ("none", idle))
            }
            points.append(
                SweepPoint(norm=norm, sweep=sweep, x=x, adversarial=made["gradient"], control=made["none"])
            )
    return tuple(points)


def _fields(norm: Norm, sweep: Sweep, x: float, scale: int, rule: Rule) -> dict[str, Any]:
    sizes: dict[str, float] = {**_BASE, "eps": _EPSILON[norm], sweep: x}
    if sweep == "d" and norm == "L2":
        # Published with ε/√d as at the base.
        sizes["eps"] *= math.sqrt(x / _BASE["d"])
    root = math.sqrt(scale)
    if norm == "L2" and rule == "per-root":
        sizes["eps"] /= root
    if norm == "Linf" and rule == "signal":
        sizes["eps"] *= root
    return {
        "amplitude": root if norm == "L0" and rule == "signal" else 1.0,
        "norm": norm,
        "dim": int(sizes["d"]) // scale,
        "num_train": int(sizes["N"]) // scale,
        "num_adv": int(sizes["N_adv"]) // (scale if rule == "signal" else 1),
        "epsilon": float(f"{sizes['eps']:.6g}"),
    }


@cache
def readings() -> Mapping[tuple[str, str, float, str], Reading]:
    """Return the published values by norm, sweep, x and series (keys of `SERIES`)."""
    text = resources.files("empirics.orthogonal").joinpath("published_curves.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        norm = row["figure"].split("_")[1]
        for series, column in zip(SERIES, ("y1", "y2"), strict=True):
            value, error = float(row[column].lstrip("~")), float(row["reading_error"])
            found[norm, row["sweep"], float(row["x"]), series] = Reading(value, error)
    return found
