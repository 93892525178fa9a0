"""Networks on nearly orthogonal samples as experiments of a sweep, on data that are drawn or in hand.

The fields of a configuration are its whole identity, as data are drawn from them; or data are given, and
their digest belongs to it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, get_type_hints

import numpy as np

from empirics.data import Dataset
from empirics.orthogonal.config import OrthogonalConfig
from empirics.orthogonal.experiment import run_orthogonal
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Outcome
from empirics.sweep.plan import typed

# Part of the identity of every result: raise it when a record means something else than before.
ORTHOGONAL_VERSION = 3


def data_digest(data: Dataset) -> str:
    """Return the SHA-256 of the samples, labels and test points of given data, in hexadecimal.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    str
    """
    made = hashlib.sha256()
    for array in (data.X, data.y, data.X_test, data.y_test):
        made.update(repr(array.shape).encode())
        made.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return made.hexdigest()


def orthogonal(data: Dataset | None = None, *, content: str | None = None) -> Experiment[OrthogonalConfig]:
    """Return experiments with nearly orthogonal samples, as `empirics.sweep` runs them.

    Parameters
    ----------
    data : Dataset, optional
        What all configurations run on, see `run_orthogonal`.
    content : str, optional
        From `data_digest`, of data that are not in hand: their results can be looked at, not made.

    Returns
    -------
    Experiment
    """
    content = content if data is None else data_digest(data)
    return Experiment(
        name="orthogonal",
        version=ORTHOGONAL_VERSION,
        make=_make,
        to_json=OrthogonalConfig.to_json,
        run=partial(_run, data, content),
        key=repr,  # none share work
        work=_work,
        content=partial(_content, content),
    )


def _make(named: Mapping[str, Any]) -> OrthogonalConfig:
    hints = get_type_hints(OrthogonalConfig)
    return OrthogonalConfig(**{name: typed(name, value, hints.get(name)) for name, value in named.items()})


def _run(
    data: Dataset | None, content: str | None, configs: Sequence[OrthogonalConfig], *, device: str
) -> Iterator[tuple[int, Outcome]]:
    if data is None and content is not None:
        msg = f"data must be given where results are missing, got only their digest {content}"
        raise ValueError(msg)
    for index, config in enumerate(configs):
        yield index, run_orthogonal(config, data, device=device)


def _content(content: str | None, _config: OrthogonalConfig, _known: dict[Any, str]) -> str | None:
    return content


def _work(config: OrthogonalConfig) -> int:
    counts = (config.num_train, config.num_adv)
    return config.max_steps * config.width * sum(count * min(count, config.dim) for count in counts)
