"""Agreement of fully connected networks at given times, beside that of other pairs, which are not trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from empirics.deep.config import DeepConfig
from empirics.deep.predicted import Network
from empirics.measure import accuracy, agreement
from empirics.measure.times import law_of_times
from empirics.perturb import draw_targets
from empirics.seeds import seeds_of
from empirics.sweep.outcome import Cell
from theory.validation import Array


def measure_times(config: DeepConfig) -> dict[str, Cell]:
    """Train f and g for given times, and return their agreement beside what is known before.

    Parameters
    ----------
    config : DeepConfig
        With times, and a number of untrained pairs.

    Returns
    -------
    dict
        ``agreement_test``: the share of test points with equal signs.  ``law_…_test``: as
        `empirics.measure.times.law_of_times`.  ``given_agreement_test``: the share in the wide limit, from
        the initial weights of f and g, by the same steps; ``others_agreement_test``: the mean of that over
        the untrained pairs, which share nothing but the data with this one.  Its expectation over
        networks and targets is that of ``given_…``, so that ``agreement_test − given_… + others_…`` has
        that of ``agreement_test``, with less of the noise of initial networks.  ``flipped_…``: the share of
        neurons of all layers that change their sign at the test points.

    Raises
    ------
    FloatingPointError, ValueError
        As `measure_pair`.

    Examples
    --------
    >>> from empirics import DeepConfig, ShiftedGaussianData
    >>> from empirics.deep.times import measure_times
    >>> data = ShiftedGaussianData(dim=5, num_train=20, num_test=20, shift=0.5)
    >>> record = measure_times(DeepConfig(data=data, width=500, T_f=1.0, T_g=1.0, untrained=2))
    >>> abs(record["agreement_test"] - record["given_agreement_test"]) < 0.2
    True
    """
    data_seed, *own, untrained_seed = seeds_of(config.seed)
    data = config.data.load(data_seed)
    Z = data.X_test

    def pair(seeds: Sequence[int]) -> tuple[Network, Callable[[Array], Network], float]:
        """Return f, what makes g of its gradients, and their agreement in the wide limit."""
        f_seed, g_seed, target_seed = seeds
        targets = draw_targets(len(data.X), kind=config.targets, rng=np.random.default_rng(target_seed))
        f = Network(config.f, data.X, data.y, Z, config, f_seed, config.T_f)
        g_on = partial(f.perturbed, targets=targets, seed=g_seed, T=config.T_g)
        wide = g_on(f.gradients(f.module) + f.wide_pull)
        return f, g_on, agreement(f.start + f.wide_change, wide.start + wide.wide_change)

    f, g_on, given = pair(own)
    g = g_on(f.gradients(f.trained))
    others = np.random.SeedSequence(untrained_seed).generate_state(3 * config.untrained).reshape(-1, 3)
    found: dict[str, Cell] = {
        "accuracy_f_train": accuracy(f.at(f.trained, data.X), data.y),
        "accuracy_f_test": accuracy(f.end, data.y_test),
        "accuracy_g_train": accuracy(g.at(g.trained, data.X), data.y),
        "accuracy_g_test": accuracy(g.end, data.y_test),
        "agreement_test": agreement(f.end, g.end),
        "given_agreement_test": given,
        "others_agreement_test": float(np.mean([pair([int(word) for word in one])[2] for one in others])),
        "num_test": len(Z),
    }
    for name, network in (("f", f), ("g", g)):
        before, after = (network.active(module) for module in (network.module, network.trained))
        found[f"flipped_{name}"] = float(np.mean(before != after))
    return found | law_of_times(
        data,
        T_f=f.T,
        T_g=g.T,
        loss=config.loss,
        seed=untrained_seed,
        num_networks=config.untrained,
        epsilon=config.length(Z.shape[1]),
        targets=config.targets,
        architecture=f.wide,
        scenario=config.scenario,
    )
