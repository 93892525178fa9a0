"""What a report asks of each pair of networks, as an experiment of the sweep runner."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import convert, to_builtins

from empirics.config import ExperimentConfig
from empirics.experiment import run
from empirics.measure import certified, drift, runs, simulated, times
from empirics.measure.diagnosis import Sizes
from empirics.measure.drift import Drift
from empirics.measure.result import ExperimentResult
from empirics.measure.simulated import Scan
from empirics.record import Record
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import digest
from empirics.sweep.plan import typed
from empirics.wide import WIDE
from reports import choice, drawings, prior_work
from reports.presets import Series
from reports.provenance import versions
from reports.results import Drawn, Setting

_SEEDS_IN_HAND = 4  # seeds whose networks get a certificate of their own: seconds each


@dataclass(frozen=True, kw_only=True)
class Run:
    """One pair of networks, and what is asked of it."""

    config: ExperimentConfig
    in_hand: bool = False  # certificates of its own, for its initial weights
    drawn: bool = False  # all that is drawn of the widest networks of the first seed
    over_times: bool = False  # agreement at other times of g
    drifts: bool = False  # how far pre-activations move
    num_neurons: int | None = None  # of simulations neuron by neuron
    scanned: tuple[int, ...] | None = None  # other widths that are simulated; None: not the first seed

    @classmethod
    def of_fields(cls, named: Mapping[str, Any]) -> "Run":
        """Return the run with the given fields, those of the configuration among them."""
        asked = {field.name: field.type for field in fields(cls) if field.name != "config"}
        own = {name: typed(name, value, asked[name]) for name, value in named.items() if name in asked}
        return cls(config=WIDE.make({n: v for n, v in named.items() if n not in asked}), **own)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        own = {name: value for name, value in vars(self).items() if name != "config"}
        return {**WIDE.to_json(self.config), **own}


class Measured(Record, frozen=True, kw_only=True):
    """What a run came to."""

    run: runs.Run
    sizes: Sizes
    drawn: Drawn | None = None
    drift: Drift | None = None
    scan: Scan | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> "Measured":
        """Return what a stored outcome holds; there infinity is a text, and NaN null."""
        return convert(outcome.record, cls, strict=False)


def runs_of(series: Series) -> list[Run]:
    """Return what a report runs of a series, small widths first.

    The widest networks of the first seeds get certificates of their own; the very first is also drawn.
    """
    plan = simulated.plan(series.base, series.widths, series.seeds)
    drawn = drift.drawn(series.widths, series.seeds)
    asked = []
    for config in series.configs():
        widest, first = config.width == series.widths[-1], config.seed == series.seeds[0]
        simulates = plan is not None and config.width == plan.width and config.seed in plan.seeds
        asked.append(
            Run(
                config=config,
                in_hand=widest and config.seed in series.seeds[:_SEEDS_IN_HAND],
                drawn=widest and first,
                over_times=widest,
                drifts=(config.width, config.seed) in drawn,
                num_neurons=plan.num_neurons if plan is not None and simulates else None,
                scanned=plan.scanned if plan is not None and simulates and first else None,
            )
        )
    return asked


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
        yield index, Outcome(record=to_builtins(_measure(one, device)))


# What is measured ---------------------------------------------------------------------------------------


def _measure(asked: Run, device: str) -> Measured:
    result = run(asked.config, device=device, over_times=asked.over_times)
    found = scan = None
    if asked.num_neurons is not None:
        found, scan = simulated.simulate(result, asked.num_neurons, asked.scanned or ())
    record, sizes = runs.measure(result, in_hand=asked.in_hand, simulated=found)
    return Measured(
        run=record,
        sizes=sizes,
        drawn=_drawn(result) if asked.drawn else None,
        drift=drift.measure(result) if asked.drifts else None,
        scan=None if asked.scanned is None else scan,
    )


def _drawn(result: ExperimentResult) -> Drawn:
    dataset = result.dataset
    curves = certified.curves(result)
    return Drawn(
        name=dataset.name,
        classes=dataset.classes,
        preparation=dataset.described,
        num_test=len(dataset.X_test),
        largest_norm=choice.largest_norm(dataset),
        setting=convert(result.setting, Setting, from_attributes=True),
        width_bounds=certified.width_bounds(result),
        scatter=drawings.scatter(result),
        certificates=curves,
        beside=certified.beside(result, curves),
        map=drawings.decision_map(result, curves),
        images=drawings.images(result),
        prior_work=prior_work.compare(result),
        feasibility=choice.feasibility(result),
        needed=tuple(times.needed(result.config, dataset, result.y_adv)),
        signs=times.signs(result.config, dataset, result.X_adv),
    )
