"""The published synthetic sweeps of the prior work, studies beside them, and data in hand.

Published: S. Kumano, H. Kera, T. Yamasaki, ICLR 2024; values are read off its figures
(``published_curves.csv``), each with a reading error.  N natural points, uniform on [−1, 1]^d, have random
labels; g learns from N_adv points of fresh noise with random targets, perturbed towards them, and is scored
on the natural points.  The steps of the attack are the published ones.  The published width is 1000; here it
is an option, and networks are trained to their limit.  The published 10⁵ epochs (learning rate .01, momentum
.9, initial weights on ± 1/√d) are a flow time of .1 · 10⁵: ``max_time=1e4``, ``init_scale=1``; left out is
that the learning rate falls on plateaus.

What a smaller size keeps.  Let ρ be the length of a perturbation of x = 0 along a typical direction s, whose
|s_i| are the quantiles of a normal law (Derivation 15, step 9): ε for L2, ε‖s‖/‖s‖_∞ for L∞.  For natural
samples that are nearly orthogonal, and noise that is independent of them, the linear map Σ y^adv x^adv gives
a natural sample its own label with mean over standard deviation c√(k/N)/√(1 + σ²d/(N_adv ρ²)), σ² = 1/3 the
variance of a coordinate, k the number of those that move (all but for L0) and c a number that depends on k/d.
At given N/d, k/d and N_adv/d this score moves with ρ, not with ρ/√d.  So two rules:

- "signal": d, N and N_adv are divided by the scale, ρ is kept: the score, N/d and N_adv/d are unchanged;
- "per-root": d and N are divided by the scale, ρ by its root, N_adv is kept: the score, N/d and ρ/√d are
  unchanged, N_adv/d grows.

ρ is adjusted by ε for L2 and L∞, for L0 by A, of which steps and box [−A, A]^d are multiples: k, rounded
down, is fixed by ε.  Points without a coordinate to move are left out: at 1/20 of the size those of ε < .002.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Literal

import numpy as np
from msgspec import field
from scipy.special import ndtri

from empirics.campaigns.files import AnyPart, Campaign, Point, Reading, campaign, readings
from empirics.data import Dataset
from empirics.orthogonal import OrthogonalConfig, orthogonal
from empirics.sweep import Experiment
from theory.orthogonal.gram import check_open_slope
from theory.orthogonal.perturbations import NORMS, Norm, limit_perturbations
from theory.validation import check_choice, check_integer, check_real

Rule = Literal["signal", "per-root"]
KINDS = ("published", "study", "data")
SWEEPS = ("d", "N", "N_adv", "eps")
RULES = ("signal", "per-root")
STUDIES = ("turning", "orthogonality")
SERIES = {"adversarial": "acc_adversarial_on_natural", "control": "acc_noise_baseline"}
_DATA = Campaign(
    base={"base": "natural"}, fixed=("dim", "num_train", "num_test", "seed", "f", "g", "distribution")
)
_FIELDS = tuple(item.name for item in fields(OrthogonalConfig))
_Row = tuple[str, str, float, dict[str, Any]]  # sweep, series, x, fields without the seed


class Part(AnyPart, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published sweeps of a norm, a study, or data in hand."""

    sweeps: tuple[str, ...] = SWEEPS  # of "published"
    scale: int = 20  # 1 for the published sizes
    rule: Rule = "signal"  # what a smaller size keeps
    options: dict[str, Any] = field(default_factory=dict)  # fields of the configurations; lists of a study
    # Of "data": what it was loaded from, its sizes as configured, and the digest of its content.
    source: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    content: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        check_choice("rule", self.rule, RULES)
        check_integer("scale", self.scale, minimum=1)
        if self.kind != "data":
            check_choice(self.kind, self.name, NORMS if self.kind == "published" else STUDIES)
        elif missing := [name for name in ("dim", "num_train", "num_test") if name not in self.sizes]:
            msg = f"sizes must be those of the data, dim, num_train and num_test, got no {missing[0]}"
            raise ValueError(msg)
        allowed = {*_FIELDS, *lists(self.kind, self.name)} - {*self.campaign.fixed}
        for name in self.options:
            if name not in allowed:
                why = "is set by what is run" if name in _FIELDS else "is no field"
                msg = f"set must name a field of {', '.join(sorted(allowed))}; {name!r} {why}"
                raise ValueError(msg)
        if not self.points():
            msg = f"scale must leave at least one sample, and one coordinate to move for L0, got {self.scale}"
            raise ValueError(msg)

    @property
    def campaign(self) -> Campaign:
        """What the file of the sweeps or the study says."""
        return _DATA if self.kind == "data" else campaign(self.name)

    def points(self) -> list[Point]:
        """Return the points with all experiments behind them, for each x those of every series."""
        rows = {"published": self._published, "study": self._study, "data": self._data}[self.kind]
        return [
            Point(
                block=self.name,
                sweep=sweep,
                series=series,
                x=x,
                configs=tuple(OrthogonalConfig(**made, seed=seed) for seed in range(self.seeds)),
            )
            for sweep, series, x, made in rows()
        ]

    def _published(self) -> Iterator[_Row]:
        """Yield the points of the sweeps, but those whose scaled d, N, N_adv or k (L0) is below 1."""
        base = _scaled(self.campaign.base, self.scale, self.rule)
        # Equal for all controls of the same sizes, which are then one experiment.
        idle = {"epsilon": base["epsilon"], "amplitude": 1.0}
        for sweep in self._chosen(self.campaign.sweeps()):
            for x, block in sweep.blocks():
                scaled = _scaled(block.base, self.scale, self.rule)
                made = scaled | self.options
                if min(made["dim"], made["num_train"], made["num_adv"], scaled["amplitude"]) > 0:
                    yield sweep.name, "adversarial", x, made | {"attack": "published"}
                    # The same noise and targets, without an attack.
                    yield sweep.name, "control", x, made | {"attack": "none"} | idle

    def _study(self) -> Iterator[_Row]:
        base = self.campaign.base | self.options
        values = {name: base.pop(name) for name in lists(self.kind, self.name)}
        for name, listed in values.items():
            if not listed:
                msg = f"{name} must have at least one number, got none"
                raise ValueError(msg)
        if self.name == "turning":
            for sweep in self.campaign.sweep:
                kind = {name: value for name, value in sweep.items() if name != "name"}
                for count in dict.fromkeys(values["counts"]):
                    yield self.name, sweep["name"], count, {**base, **kind, "num_adv": count}
            return
        dim = check_integer("dim", base["dim"], minimum=1)
        ratios = [check_real("ratios", ratio, minimum=0, exclusive=True) for ratio in values["ratios"]]
        for slope in dict.fromkeys(map(check_open_slope, values["slopes"])):
            for count in dict.fromkeys(max(2, round(ratio * dim)) for ratio in ratios):
                sizes = {"num_train": count, "num_adv": count, "negative_slope": slope}
                yield self.name, f"slope {slope!r}", count / dim, {**base, **sizes}

    def _data(self) -> Iterator[_Row]:
        sizes = {**self.campaign.base, "num_adv": self.sizes["num_train"]}
        yield "data", "trained", 0.0, {**sizes, **self.options, **self.sizes}

    def x_label(self, sweep: str) -> str:
        """Return what the x axis of a sweep or a study shows."""
        of_sweep = self.campaign.sweeps().get(sweep) if self.kind == "published" else None
        return self.campaign.x_label if of_sweep is None else of_sweep.x_label

    def reading(self, point: Point) -> Reading | None:
        """Return the published accuracy, None if that point was not read."""
        series = SERIES.get(point.series, "")
        return readings().get((self.campaign.figure, point.sweep, point.x, series))

    def experiment(self, data: Dataset | None = None) -> Experiment[OrthogonalConfig]:
        """Return how they are run, on the data in hand if there are some."""
        return orthogonal(data, content=self.content)

    def hashes(self) -> list[str]:
        """Return what the results of all experiments are filed under."""
        return [self.hash_of(config) for config in self.configs()]

    def hash_of(self, config: OrthogonalConfig) -> str:
        """Return what the result of an experiment is filed under."""
        return self.experiment().hash(config)

    @property
    def title(self) -> str:
        """Heading on the page."""
        if self.kind == "published":
            loss = self.options.get("loss", "exponential")
            return f"Published {self.name} sweeps at 1/{self.scale} of their size, {loss} loss"
        return f"Study: {self.name}" if self.kind == "study" else f"Data: {self.name}"


def lists(kind: str, name: str) -> tuple[str, ...]:
    """Return what a study takes a list of, beside the fields of the configuration."""
    base = campaign(name).base if kind == "study" and name in STUDIES else {}
    return tuple(key for key, value in base.items() if isinstance(value, list))


def _scaled(published: Mapping[str, Any], scale: int, rule: Rule) -> dict[str, Any]:
    """Return the fields of the published ones at a smaller size; `amplitude` 0 where nothing can move."""
    norm, dim = published["norm"], published["dim"] // scale
    made = dict(published) | {
        "amplitude": 1.0,
        "dim": dim,
        "num_train": published["num_train"] // scale,
        "num_adv": published["num_adv"] // (scale if rule == "signal" else 1),
    }
    # What is one unit of ε, or of A for L0, times what it must be.
    field = "amplitude" if norm == "L0" else "epsilon"
    whole, small = (
        _length(norm, size, published["epsilon"]) if size else 0.0 for size in (published["dim"], dim)
    )
    factor = whole / small if small else 0.0
    return made | {
        field: float(f"{made[field] * factor / (math.sqrt(scale) if rule == 'per-root' else 1):.6g}")
    }


@cache
def _length(norm: Norm, dim: int, epsilon: float) -> float:
    """Return ρ of the published steps, at A = 1 within [−1, 1]^d for L0."""
    direction = ndtri((1 + (np.arange(dim) + 0.5) / dim) / 2)
    box = 1.0 if norm == "L0" else None
    step = limit_perturbations(
        np.zeros((1, dim)), direction, [1], norm=norm, epsilon=epsilon, steps="published", box=box
    )
    return float(np.linalg.norm(step))
