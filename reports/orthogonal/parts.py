"""What a folder of `perturblearn orthogonal` holds: published sweeps, a study, or data in hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from empirics.data import Dataset
from empirics.orthogonal import (
    OrthogonalConfig,
    StudyPoint,
    orthogonal,
    orthogonality_study,
    published_sweep,
    turning_study,
)
from empirics.orthogonal.published import RULES, SWEEPS, Rule
from empirics.published import Reading
from empirics.sweep import Experiment
from theory.orthogonal.perturbations import NORMS
from theory.validation import check_choice, check_integer

Kind = Literal["published", "study", "data"]
KINDS = ("published", "study", "data")
STUDIES = ("turning", "orthogonality")
SLOPE = 0.01  # of the published networks

_X_LABELS = {
    "d": "dimension d, as published",
    "N": "number of natural samples N, as published",
    "N_adv": "number of perturbations N_adv, as published",
    "eps": "ε, as published",
    "turning": "number of perturbations N_adv",
    "orthogonality": "N/d",
    "data": "",
}
# Fields that a kind sets itself, and lists that it takes beside the fields of the configuration.
_FIXED = {
    "published": {"dim", "num_train", "num_adv", "epsilon", "norm", "attack", "seed", "g"},
    "turning": {"num_adv", "f", "g", "attack", "base", "seed"},
    "orthogonality": {"num_train", "num_adv", "negative_slope", "f", "g", "base", "seed"},
    "data": {"dim", "num_train", "num_test", "seed", "f", "g", "distribution"},
}
LISTS = {"published": (), "turning": ("counts",), "orthogonality": ("ratios", "slopes"), "data": ()}
_FIELDS = tuple(item.name for item in fields(OrthogonalConfig))


@dataclass(frozen=True, kw_only=True)
class Point:
    """One value of what is varied in one series of one panel, and its configurations, one a seed."""

    panel: str
    series: str
    x: float
    configs: tuple[OrthogonalConfig, ...]
    reading: Reading | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is run and shown.

    Raises
    ------
    ValueError, TypeError
        On construction, if a name is unknown, or an option is no field, is fixed or breaks its rule.
    """

    kind: Kind
    name: str  # norm of the published sweeps, name of the study, or of the data
    seeds: int = 10  # from 0
    sweeps: tuple[str, ...] = SWEEPS  # of "published"
    scale: int = 20
    rule: Rule = "signal"
    options: Mapping[str, Any] = field(default_factory=dict)  # fields of the configurations; lists of a study
    # Of "data": what it was loaded from, its sizes as configured, and the digest of its content.
    source: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    content: str | None = None

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        check_integer("seeds", self.seeds, minimum=1)
        if self.kind == "published":
            check_choice("published", self.name, NORMS)
            check_choice("rule", self.rule, RULES)
            check_integer("scale", self.scale, minimum=1)
            for sweep in self.sweeps:
                check_choice("sweeps", sweep, SWEEPS)
            if not self.sweeps or len(set(self.sweeps)) < len(self.sweeps):
                msg = f"sweeps must name at least one, each once, got {','.join(self.sweeps) or 'none'}"
                raise ValueError(msg)
        elif self.kind == "study":
            check_choice("study", self.name, STUDIES)
        elif missing := [name for name in ("dim", "num_train", "num_test") if name not in self.sizes]:
            msg = f"sizes must be those of the data, dim, num_train and num_test, got no {missing[0]}"
            raise ValueError(msg)
        self._check_options()
        if not self.points():
            msg = f"scale must leave at least one sample, got {self.scale}"
            raise ValueError(msg)

    def _check_options(self) -> None:
        what = self.name if self.kind == "study" else self.kind
        allowed = {*_FIELDS, *LISTS[what]} - _FIXED[what]
        for name in self.options:
            if name not in allowed:
                why = "is set by what is run" if name in _FIELDS else "is no field"
                msg = f"set must name a field of {', '.join(sorted(allowed))}; {name!r} {why}"
                raise ValueError(msg)

    def points(self) -> list[Point]:
        """Return the points with all experiments behind them."""
        if self.kind == "published":
            return self._published()
        if self.kind == "study":
            study = turning_study if self.name == "turning" else orthogonality_study
            found: tuple[StudyPoint, ...] = study(num_seeds=self.seeds, **self.options)
            return [Point(panel=self.name, series=p.series, x=p.x, configs=p.configs) for p in found]
        made: dict[str, Any] = {"base": "natural", "num_adv": self.sizes["num_train"]}
        made |= {**self.options, **self.sizes}
        configs = tuple(OrthogonalConfig(**made, seed=seed) for seed in range(self.seeds))
        return [Point(panel="data", series="trained", x=0.0, configs=configs)]

    def _published(self) -> list[Point]:
        found = []
        for name in self.sweeps:
            sweep: Any = name
            options = {"negative_slope": SLOPE, **self.options}
            sizes: dict[str, Any] = {"scale": self.scale, "rule": self.rule, "num_seeds": self.seeds}
            norm: Any = self.name
            for p in published_sweep(norm, sweep, **sizes, **options):
                made = ("adversarial", p.adversarial), ("control", p.control)
                found += [
                    Point(panel=sweep, series=s, x=p.x, configs=c, reading=_reading(p, s)) for s, c in made
                ]
        return found

    def configs(self) -> list[OrthogonalConfig]:
        """Return all experiments, each once."""
        return list(dict.fromkeys(config for point in self.points() for config in point.configs))

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

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "seeds": self.seeds,
            "sweeps": list(self.sweeps),
            "scale": self.scale,
            "rule": self.rule,
            "options": dict(self.options),
            "source": dict(self.source),
            "sizes": dict(self.sizes),
            "content": self.content,
        }

    @classmethod
    def from_json(cls, made: Mapping[str, Any]) -> "Part":
        """Return the part that `to_json` wrote.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is none.
        """
        return cls(**{**made, "sweeps": tuple(made["sweeps"])})


def x_label(panel: str) -> str:
    """Return what the x axis of a panel shows."""
    return _X_LABELS[panel]


def _reading(point: Any, series: Any) -> Reading | None:  # noqa: ANN401
    found: Reading | None = point.published(series)
    return found
