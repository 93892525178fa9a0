"""Many experiments of this package, run once each, in this process or in others, kept in a folder.

`empirics.sweep.run_sweep` takes plans of `ExperimentConfig` alone, as a result there is filed under the
content of its data source.  Experiments here draw their data from their fields, so that the fields are the
whole identity, or are given data in hand, whose digest then belongs to it; executors, files and checksums
are the same.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from empirics.data import Dataset
from empirics.executors import Pool, run_tasks, serial
from empirics.orthogonal.config import OrthogonalConfig
from empirics.orthogonal.experiment import run_orthogonal
from empirics.outcome import Cell, Outcome
from empirics.store import DamagedError, ResultFolder, digest, plain_numbers

# Part of the identity of every result: raise it when a record means something else than before.
ORTHOGONAL_VERSION = 2

Row = dict[str, Cell]


def orthogonal_hash(config: OrthogonalConfig, *, content: str | None = None) -> str:
    """Return the SHA-256 of the fields, `ORTHOGONAL_VERSION` and the digest of given data, in hexadecimal."""
    return digest(_identity(config, content))


def data_digest(data: Dataset) -> str:
    """Return the SHA-256 of the samples, labels and test points of given data, in hexadecimal."""
    made = hashlib.sha256()
    for array in (data.X, data.y, data.X_test, data.y_test):
        made.update(repr(array.shape).encode())
        made.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return made.hexdigest()


def records(
    configs: Sequence[OrthogonalConfig],
    *,
    pool: Pool | None = None,
    folder: Path | None = None,
    data: Dataset | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return a row for each configuration: its fields, ``error`` (None if there is none), and its record.

    Parameters
    ----------
    configs : sequence of OrthogonalConfig
        Equal ones are run once.
    pool : Pool, optional
        `empirics.executors.serial()` if absent.
    folder : Path, optional
        Where results are kept as they come, and read from the next time.  Results that are damaged or failed
        are done again.
    data : Dataset, optional
        What all of them run on, see `run_orthogonal`.
    progress : callable, optional
        Told how many configurations are finished, and of how many.

    Returns
    -------
    list of dict
        In the order of `configs`, whatever order they were run in.  A field of the record is absent where it
        was not asked for.

    Raises
    ------
    OSError
        If the folder cannot be written to, or another process writes there.
    """
    content = None if data is None else data_digest(data)
    wanted = {orthogonal_hash(config, content=content): config for config in configs}
    tasks = _Tasks(wanted, data, content)
    if folder is None:
        found = tasks.run({}, pool, None, progress)
    else:
        store = ResultFolder(folder)
        with store.locked():
            kept = {name: outcome for name in wanted if (outcome := tasks.read(store, name))}
            found = tasks.run(kept, pool, store, progress)
            tasks.tables(store, found)
    return [_row(config, found[orthogonal_hash(config, content=content)]) for config in configs]


def rebuild_tables(configs: Sequence[OrthogonalConfig], folder: Path, *, content: str | None = None) -> None:
    """Write the tables of a finished folder again from its single results.

    Parameters
    ----------
    configs, folder, content
        As in `finished`, which must be true of them.

    Raises
    ------
    ValueError
        If a result is missing or not sound.
    OSError
        If the folder cannot be written to.
    """
    tasks = _Tasks({orthogonal_hash(c, content=content): c for c in configs}, None, content)
    store = ResultFolder(folder)
    with store.locked():
        found = {name: outcome for name in tasks.wanted if (outcome := tasks.read(store, name))}
        if len(found) < len(tasks.wanted):
            msg = f"results in {folder} must all be sound, got {len(found)} of {len(tasks.wanted)}"
            raise ValueError(msg)
        tasks.tables(store, found)


def finished(configs: Sequence[OrthogonalConfig], folder: Path, *, content: str | None = None) -> bool:
    """Return whether a folder holds sound results of all these; those that failed are not finished.

    Parameters
    ----------
    configs : sequence of OrthogonalConfig
    folder : Path
    content : str, optional
        From `data_digest`, where data were given.
    """
    tasks = _Tasks({orthogonal_hash(c, content=content): c for c in configs}, None, content)
    store = ResultFolder(folder)
    return all(tasks.read(store, name) for name in tasks.wanted)


@dataclass(frozen=True)
class _Tasks:
    """Configurations by hash, and the data that all of them are given, with its digest."""

    wanted: Mapping[str, OrthogonalConfig]
    data: Dataset | None
    content: str | None

    def run(
        self,
        kept: Mapping[str, Outcome],
        pool: Pool | None,
        store: ResultFolder | None,
        progress: Callable[[int, int], None] | None,
    ) -> dict[str, Outcome]:
        wanted, found = self.wanted, dict(kept)
        # Those with much work first: the last ones to run are short, and no process idles for long.
        missing = sorted(
            (name for name in wanted if name not in found), key=lambda name: -_work(wanted[name])
        )
        tasks = [wanted[name] for name in missing]
        report = progress or (lambda _done, _total: None)
        report(len(found), len(wanted))
        function = run_orthogonal if self.data is None else partial(run_orthogonal, data=self.data)
        with closing(run_tasks(pool or serial(), function, tasks)) as results:
            for index, result in results:
                name = missing[index]
                found[name] = Outcome.failed(result) if isinstance(result, BaseException) else result
                if store is not None:
                    entry = {**_identity(wanted[name], self.content), **_content(found[name])}
                    store.write(name, entry, {})
                report(len(found), len(wanted))
        return found

    def tables(self, store: ResultFolder, found: Mapping[str, Outcome]) -> None:
        """Write the tables."""
        rows = [{"hash": name, **_row(config, found[name])} for name, config in self.wanted.items()]
        store.write_tables(
            [{key: _plain(value) for key, value in row.items()} for row in rows],
            [{"hash": row["hash"], "error": row["error"]} for row in rows if row["error"]],
        )

    def read(self, store: ResultFolder, name: str) -> Outcome | None:
        """Return a sound result that is about this configuration, if there is one."""
        try:
            entry = store.read(name)
        except DamagedError:
            return None
        if entry is None or entry.get("record") is None:
            return None
        identity = _identity(self.wanted[name], self.content)
        if {part: entry.get(part) for part in identity} != identity:
            return None
        return Outcome(record={key: _number(value) for key, value in entry["record"].items()})


def _work(config: OrthogonalConfig) -> int:
    counts = (config.num_train, config.num_adv)
    return config.max_steps * config.width * sum(count * min(count, config.dim) for count in counts)


def _identity(config: OrthogonalConfig, content: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = plain_numbers(config.to_json())
    made = {"config": fields, "record_version": ORTHOGONAL_VERSION}
    return made if content is None else {**made, "data": content}


def _content(outcome: Outcome) -> dict[str, Any]:
    if outcome.record is None:
        return {"record": None, "error": outcome.error}
    return {"record": {name: _plain(value) for name, value in outcome.record.items()}, "error": None}


def _plain(value: Cell) -> Cell:
    """Return what JSON can hold: text for what is not finite, told apart again by `_number`."""
    if isinstance(value, float) and value - value != 0:
        return "nan" if value != value else ("inf" if value > 0 else "-inf")  # noqa: PLR0124
    return value


def _number(value: Cell) -> Cell:
    return float(value) if value in ("nan", "inf", "-inf") else value


def _row(config: OrthogonalConfig, outcome: Outcome) -> Row:
    return {**config.to_json(), "error": outcome.error, **(outcome.record or {})}
