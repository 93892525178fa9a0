"""Pairs of networks of any depth or architecture: what is predicted before training, and what it gives.

Two predictions: the wide limit (Derivation 17), for fully connected networks, and the module linearised at
its initial weights, for every one.  Neither trains anything, and both take the steps that training takes.
Times too are set before training: that of g from the inputs that f, linearised, will give.  Full-batch
descent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from empirics.deep.builtin import module_digest
from empirics.deep.config import DeepConfig
from empirics.deep.expected import HOWS, expected_error
from empirics.deep.predicted import Network
from empirics.deep.times import measure_times
from empirics.measure import accuracy, agreement, cosines
from empirics.perturb import draw_targets
from empirics.seeds import seeds_of
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Cell, Outcome
from empirics.sweep.plain import digest
from empirics.wide import config_to_json, config_with, data_content, keep_arrays, restore_arrays, sizes
from theory.deep import Architecture
from theory.validation import Array, check_choice


def run_deep(configs: Sequence[DeepConfig], *, device: str = "cpu") -> Iterator[tuple[int, Outcome]]:
    """Run pairs of networks, each by itself; `device` is the CPU.

    Parameters
    ----------
    configs : sequence of DeepConfig
    device : str

    Yields
    ------
    index : int
    outcome : Outcome
    """
    check_choice("device", device, ("cpu",))
    for index, config in enumerate(configs):
        try:
            yield index, Outcome(record=(measure_times if config.untrained else measure_pair)(config))
        except Exception as error:  # modules are code of anyone
            yield index, Outcome.failed(error)


def check_pair(config: DeepConfig) -> None:
    """Refuse a pair that cannot be trained, before any training: its data, and modules on them.

    Parameters
    ----------
    config : DeepConfig

    Raises
    ------
    ValueError
        As `measure_pair`.
    """
    data_seed, f_seed, g_seed, *_ = seeds_of(config.seed)
    data = config.data.load(data_seed)
    networks = {config.g: (g_seed, config.T_g), config.f: (f_seed, config.T_f)}
    for architecture, (seed, T) in networks.items():
        if isinstance(architecture, str):
            network = Network(architecture, data.X, data.y, data.X_test, config, seed, T)
            _check_gradients(network.gradients(network.module))


def _check_gradients(gradients: Array) -> None:
    if not gradients.any():
        msg = "f must have input gradients, got 0 at all samples: is a part of it not differentiable?"
        raise ValueError(msg)


def measure_pair(config: DeepConfig) -> dict[str, Cell]:
    """Train f and g, and return what was predicted of them beside what came out.

    Parameters
    ----------
    config : DeepConfig

    Returns
    -------
    dict
        ``agreement_test``: the share of test points with equal signs.  ``linear_agreement_test``: the same
        for both modules linearised, with the perturbations of f at θ₀ + T v.  ``wide_agreement_test``: the
        mean chance of it from the initial weights of f alone, g being any network of infinite width; of fully
        connected f and g.  ``…_error_f``: relative root mean square error of f(T) − f(0), ``…_error_g``
        that of g given its inputs; ``departure_f``, ``departure_g``: of the squared error of the wide limit
        the share that is the departure of training from linearised training, against that of linearised
        training from the wide limit; ``expected_…_error``: the larger of both errors by
        `empirics.deep.expected`, where that is known; ``…_cosine``: of perturbations.  Nothing that is
        trained enters a prediction of agreement, nor ``T_f`` and ``T_g``.

    Raises
    ------
    FloatingPointError
        If training diverges; with the squared loss before it begins.
    ValueError
        If a module is none that this is about.

    Examples
    --------
    >>> from empirics import DeepConfig, ShiftedGaussianData, measure_pair
    >>> data = ShiftedGaussianData(dim=5, num_train=20, num_test=20, shift=0.5)
    >>> record = measure_pair(DeepConfig(data=data, width=64, depth=2))
    >>> 0 <= record["agreement_test"] <= 1
    True
    """
    data_seed, f_seed, g_seed, target_seed, untrained_seed = seeds_of(config.seed)
    data = config.data.load(data_seed)
    X, y, Z = data.X, data.y, data.X_test
    targets = draw_targets(len(X), kind=config.targets, rng=np.random.default_rng(target_seed))

    f = Network(config.f, X, y, Z, config, f_seed, config.T_f)
    linear_pull = f.gradients(f.lazy.moved(f.T))
    _check_gradients(linear_pull)
    g_linear = f.perturbed(
        linear_pull, targets, g_seed, config.T_g
    )  # of a time that may not exist: before training
    pull = f.gradients(f.trained)
    _check_gradients(pull)
    g = f.perturbed(pull, targets, g_seed, g_linear.T)
    found: dict[str, Cell] = {
        "T_f": f.T,
        "T_g": g.T,
        "accuracy_f_train": accuracy(f_at_X := f.at(f.trained, X), y),
        "accuracy_f_test": accuracy(f.end, data.y_test),
        "accuracy_g_train": accuracy(g_at_X := g.at(g.trained, X), y),
        "accuracy_g_test": accuracy(g.end, data.y_test),
        "agreement_train": agreement(f_at_X, g_at_X),
        "agreement_test": agreement(f.end, g.end),
        "mean_target": float(targets.mean()),
        "num_test": len(Z),
        "linear_agreement_test": agreement(f.start + f.lazy_change, g_linear.start + g_linear.lazy_change),
        "linear_accuracy_f_train": accuracy(f.lazy_at(X), y),
        "linear_accuracy_g_train": accuracy(g_linear.lazy_at(X), y),
        "linear_error_f": _relative(f.change, f.lazy_change),
        "linear_error_g": _relative(g.change, g.lazy_change),
        "linear_cosine": _mean_cosine(pull, linear_pull),
    }
    grown = [config.times if T is None else one.times for T, one in ((config.T_f, f), (config.T_g, g_linear))]
    for how in HOWS if config.loss == "identity" else ():
        expected = [expected_error(how, one, config.width, max(grown)) for one in (config.f, config.g)]
        if None not in expected:
            found[f"expected_{how}_error"] = max(error for error in expected if error is not None)
    for name, network in (("f", f), ("g", g)):
        if isinstance(network.architecture, Architecture):
            found[f"wide_error_{name}"] = _relative(network.change, network.wide_change)
            found[f"departure_{name}"] = _departure(network.change, network.lazy_change, network.wide_change)
    if isinstance(f.architecture, Architecture):
        initial = f.gradients(f.module)
        predicted = initial + f.wide_pull
        found |= {
            "wide_cosine": _mean_cosine(pull, predicted),
            "trained_cosine": _mean_cosine(pull - initial, f.wide_pull),
        }
        if isinstance(g.architecture, Architecture):
            any_g = f.perturbed(predicted, targets, g_seed, g.T)
            found["wide_agreement_test"] = any_g.wide_agreement(f.start + f.wide_change, untrained_seed)
    return found


def _relative(found: Array, expected: Array) -> float:
    """Return the root mean square of the difference over that of what was expected, 0 where both are 0."""
    if not (found.any() or expected.any()):
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))


def _departure(found: Array, linear: Array, limit: Array) -> float:
    """Return the share of what was found against linearised training, of this and that against the limit."""
    own, initial = (float(np.mean((A - B) ** 2)) for A, B in ((found, linear), (linear, limit)))
    return own / (own + initial) if own + initial > 0 else math.nan


def _mean_cosine(A: Array, B: Array) -> float:
    values = cosines(A, B)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


# The experiment of a sweep ---------------------------------------------------------------------------------


def _content(config: DeepConfig, known: dict[Any, str]) -> str | None:
    """Return a digest of the files that a configuration reads: of its data, and of modules of the user."""
    read = [data_content(config, known)]
    for name in (config.module, config.module_g or ""):
        if ("module", name) not in known:
            known["module", name] = module_digest(name) or ""
        read.append(known["module", name] or None)
    return digest(read) if any(read) else None


def _work(config: DeepConfig) -> int:
    rows, dim = sizes(config.data)
    layers = config.depth + (config.depth_g or config.depth)
    return config.num_steps * rows * config.width * (dim + layers * config.width)


DEEP = Experiment(
    name="deep",
    version=2,  # of a result: 2 sets T_g before training
    make=partial(config_with, DeepConfig),
    to_json=config_to_json,
    run=run_deep,
    key=repr,  # none share work
    work=_work,
    content=_content,
    keep=keep_arrays,
    restore=restore_arrays,
)
