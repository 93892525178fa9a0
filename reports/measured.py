"""What a report asks of each pair of networks, as an experiment of the sweep runner."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import theory
from empirics.config import ExperimentConfig
from empirics.experiment import ExperimentResult, run
from empirics.measure import agreement, certified, diagnosis, drift, simulated
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import digest, finite
from empirics.sweep.plan import typed
from empirics.wide import WIDE
from reports import choice, drawings, prior_work
from reports.presets import Series
from reports.provenance import versions

# Expected share of free neurons for which the section tabulates the width it takes.
FREE_SHARE = 0.1
_SEEDS_IN_HAND = 4  # seeds whose networks get a certificate of their own: seconds each

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One pair of networks, and what is asked of it."""

    config: ExperimentConfig
    in_hand: bool = False  # certificates of its own, for its initial weights
    drawn: bool = False  # all that is drawn of the widest networks of the first seed
    drifts: bool = False  # how far pre-activations move
    num_neurons: int | None = None  # of simulations neuron by neuron
    scanned: tuple[int, ...] | None = None  # other widths that are simulated; None: not the first seed

    @classmethod
    def of_fields(cls, named: Mapping[str, Any]) -> "Run":
        """Return the run with the given fields, those of the configuration among them."""
        asked = {field.name: field.type for field in fields(cls) if field.name != "config"}
        own = {name: typed(name, value, asked[name]) for name, value in named.items() if name in asked}
        return cls(config=WIDE.make({n: v for n, v in named.items() if n not in asked}), **own)

    def to_json(self) -> Json:
        """Return the fields as plain JSON values."""
        own = {name: value for name, value in vars(self).items() if name != "config"}
        return {**WIDE.to_json(self.config), **own}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a run came to."""

    record: Json  # numbers of this pair of networks
    details: Json  # what its section shows of it alone

    @classmethod
    def of(cls, outcome: Outcome) -> "Measured":
        """Return what a stored outcome holds, with the numbers that JSON does not know."""
        return cls(**_opened(outcome.record))


def runs_of(series: Series) -> list[Run]:
    """Return what a report runs of a series, small widths first.

    The widest networks of the first seeds get certificates of their own; the very first is also drawn.
    """
    plan = simulated.plan(series.base, series.widths, series.seeds)
    drawn = drift.drawn(series.widths, series.seeds)
    runs = []
    for config in series.configs():
        widest, first = config.width == series.widths[-1], config.seed == series.seeds[0]
        simulates = plan is not None and config.width == plan.width and config.seed in plan.seeds
        runs.append(
            Run(
                config=config,
                in_hand=widest and config.seed in series.seeds[:_SEEDS_IN_HAND],
                drawn=widest and first,
                drifts=(config.width, config.seed) in drawn,
                num_neurons=plan.num_neurons if plan is not None and simulates else None,
                scanned=plan.scanned if plan is not None and simulates and first else None,
            )
        )
    return runs


def experiment(device: str = "cpu") -> Experiment[Run]:
    """Return the experiment whose results are the parts of a report, trained on one kind of device."""
    return Experiment(
        name="report",
        version=digest([_code(), versions(), device.partition(":")[0]]),
        make=Run.of_fields,
        to_json=Run.to_json,
        run=_run,
        key=repr,  # none share work
        work=lambda _run: 0,  # in the order given: small widths make a report of what is done
        content=_content,
        joint=True,
    )


@cache
def _code() -> str:
    """Return a digest of the code: what other code has computed is computed again."""
    made, root = hashlib.sha256(), Path(__file__).parents[1]
    for package in ("theory", "empirics", "reports"):
        for path in sorted((root / package).rglob("*.py")):
            made.update(path.read_bytes())
    return made.hexdigest()


def _content(run: Run, known: dict[Any, str]) -> str | None:
    return WIDE.content(run.config, known)


def _run(configs: Sequence[Run], *, device: str) -> Iterator[tuple[int, Outcome]]:
    for index, one in enumerate(configs):
        yield index, Outcome(record=finite(vars(_measure(one, device)), _sealed))


def _sealed(number: float) -> Json:
    """Return a number that JSON does not know: in the store none is lost."""
    return {"float": str(number)}


def _opened(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        if value.keys() == {"float"}:
            return float(value["float"])
        return {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value


# What is measured ---------------------------------------------------------------------------------------


def _measure(asked: Run, device: str) -> Measured:
    result = run(asked.config, device=device)
    record, details = _run_record(result, in_hand=asked.in_hand), _details(result) if asked.drawn else {}
    if asked.drifts:
        record["drift"] = drift.measure(result)
    if asked.num_neurons is not None:
        record["simulated"], scan = simulated.simulate(result, asked.num_neurons, asked.scanned or ())
        details |= {"simulated": scan} if asked.scanned is not None else {}
    return Measured(record=record, details=details)


def _run_record(result: ExperimentResult, *, in_hand: bool) -> Json:
    return {
        "width": result.config.width,
        "seed": result.config.seed,
        "f": asdict(result.f) | _errors(result, "f"),
        "g": asdict(result.g) | _errors(result, "g"),
        "cosines": asdict(result.cosines),
        "agreement": asdict(result.agreement),
        "conditions": [asdict(counts) for counts in result.conditions],
        "zero_gradients": result.zero_gradients,
        "certificates": certified.counts(result, in_hand=in_hand),
        "diagnosis": diagnosis.examine(result),
    }


def _errors(result: ExperimentResult, network: str) -> dict[str, float]:
    """With another loss than identity, replace the errors of f_b by those of the lazy limit of that loss."""
    if result.setting.loss == "identity":
        return {}
    points, T = drawings.points_of(result, network)
    velocity = drawings.velocity(result, network, result.dataset.X_test)
    measured = (points.final - points.initial) / T if T > 0 else np.full(len(velocity), np.nan)
    return {
        "error": float(np.sqrt(np.mean((measured - velocity) ** 2))),
        "scale": float(np.sqrt(np.mean(velocity**2))),
        "sign_match": agreement(points.final, velocity),
    }


def _details(result: ExperimentResult) -> Json:
    dataset = result.dataset
    curves = certified.curves(result)
    return {
        "name": dataset.name,
        "classes": list(dataset.classes),
        "preparation": dataset.described,
        "num_test": len(dataset.X_test),
        "largest_norm": choice.largest_norm(dataset),
        "setting": asdict(result.setting),
        "width_bounds": _width_bounds(result),
        "scatter": {
            "f": drawings.scatter(result, "f"),
            "g": drawings.scatter(result, "g"),
        },
        "certificates": curves,
        "beside": certified.beside(result, curves),
        "map": drawings.decision_map(result, curves),
        "images": drawings.images(result),
        "prior_work": prior_work.compare(result),
        "feasibility": choice.feasibility(result),
    }


def _width_bounds(result: ExperimentResult) -> Json:
    """Widths from which the expected free share is at most `FREE_SHARE`, and the published width."""
    Z, setting = result.dataset.X_test, result.setting
    s = theory.preactivation_scale(Z)
    kappa_f, kappa_g = theory.kappa(Z, X=result.dataset.X), theory.kappa(Z, X=result.X_adv)
    by_network = {"f": kappa_f, "g": kappa_g, "both": np.maximum(kappa_f, kappa_g)}
    rows = []
    networks: tuple[theory.Network, ...] = ("f", "g", "both")
    for network in networks:
        data = theory.width_bound(
            setting, free_share=FREE_SHARE, network=network, kappa=by_network[network], s=s
        )
        norms = theory.width_bound(setting, free_share=FREE_SHARE, network=network)
        rows.append(
            {
                "network": network,
                "from_data_median": float(np.median(data)),
                "from_data_largest": float(data.max()),
                "from_norms": float(norms),
            }
        )
    published = theory.published_width(setting)
    return {"free_share": FREE_SHARE, "rows": rows, "published": published}
