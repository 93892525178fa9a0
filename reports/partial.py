"""A report of what was done before an interruption: the report of a smaller grid of widths and seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypeVar

from empirics.config import ExperimentConfig
from reports.build import Progress, build
from reports.presets import Series

_T = TypeVar("_T")
_Task = tuple[Any, ...]


class Recorder(Executor):
    """An executor that keeps what each task gave, and gives that again instead of running the task twice.

    Tasks run in another executor, or in this process, one after the other.  The first argument of a task is
    its `ExperimentConfig`.
    """

    def __init__(self, known: Sequence[tuple[_Task, Any]] = ()) -> None:
        self.inner: Executor | None = None
        self.outcomes: list[tuple[_Task, Any]] = list(known)
        self._waiting: list[tuple[_Task, Future[Any]]] = []

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:  # noqa: ANN401
        """Run a task, or give what it gave before."""
        future: Future[_T] = Future()
        for task, outcome in self.outcomes:
            if task == args:
                future.set_result(outcome)
                return future
        if self.inner is not None:
            future = self.inner.submit(fn, *args, **kwargs)
            self._waiting.append((args, future))
        else:
            future.set_result(fn(*args, **kwargs))
            self.outcomes.append((args, future.result()))
        return future

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Any,  # noqa: ANN401
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[_T]:
        """Run tasks, at once in another executor; give copies of their results in order.

        Copies, since `build` changes what it is given.
        """
        tasks = list(zip(*iterables, strict=True))
        if self.inner is None:
            return (deepcopy(self.submit(fn, *task).result()) for task in tasks)
        futures = [self.submit(fn, *task) for task in tasks]
        return (deepcopy(future.result(timeout)) for future in futures)

    def collect(self) -> None:
        """Take in the results of another executor that are there; the others are lost."""
        for task, future in self._waiting:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.outcomes.append((task, future.result()))
        self._waiting, self.inner = [], None

    @property
    def started(self) -> bool:
        """Whether any task was given."""
        return bool(self.outcomes or self._waiting)

    def configs(self) -> list[ExperimentConfig]:
        """Return the configurations that are done."""
        return [task[0] for task, _ in self.outcomes]


def smaller(series: Series, done: Sequence[ExperimentConfig]) -> Series | None:
    """Return the largest first part of a series that is done: whole widths, else seeds of the first one.

    None if that is not two seeds of the first width.
    """
    grid = {
        width: [seed for seed in series.seeds if replace(series.base, width=width, seed=seed) in done]
        for width in series.widths
    }
    whole = 0
    while whole < len(series.widths) and len(grid[series.widths[whole]]) == len(series.seeds):
        whole += 1
    if whole:
        return replace(series, widths=series.widths[:whole])
    seeds = tuple(grid[series.widths[0]])
    if len(seeds) < 2:
        return None
    return replace(series, widths=series.widths[:1], seeds=seeds)


def build_partial(
    all_series: Sequence[Series],
    recorder: Recorder,
    *,
    provenance: Mapping[str, Any],
    device: str,
    progress: Progress,
) -> dict[str, Any] | None:
    """Return the report of the runs that are done, with ``partial``; None if there are too few for any.

    As if no more had been asked for: what a report draws of its widest networks, and these were not the
    widest, is run again.

    Parameters
    ----------
    all_series : sequence of Series
        What was asked for.
    recorder : Recorder
        What is done.
    provenance, device, progress
        As `reports.build`.
    """
    recorder.collect()
    done = recorder.configs()
    parts = [(series, smaller(series, done)) for series in all_series]
    kept = [(series, part) for series, part in parts if part is not None]
    if not kept:
        return None
    results = build(
        [part for _, part in kept],
        provenance=dict(provenance),
        device=device,
        progress=progress,
        executor=Recorder(recorder.outcomes),
    )
    results["partial"] = {
        "done": sum(config in done for series in all_series for config in series.configs()),
        "planned": sum(len(series.widths) * len(series.seeds) for series in all_series),
        "sections": [
            {
                "name": section["name"],
                "widths": list(part.widths),
                "planned_widths": list(series.widths),
                "seeds": list(part.seeds),
                "planned_seeds": list(series.seeds),
            }
            for section, (series, part) in zip(results["sections"], kept, strict=True)
        ],
        "missing": [series.base.data.name for series, part in parts if part is None],
    }
    return results
