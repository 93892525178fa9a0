"""Experiments that share data and initial f, as rows of a sweep.

A row has accuracies, agreement, cosines, the regime, and predictions of g for which neither f nor its
perturbations are trained.  `empirics.experiment.run` measures one experiment in more depth.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from empirics.config import ExperimentConfig
from empirics.measure import accuracy, agreement, evaluate
from empirics.measure.times import law_of_times
from empirics.pairs import EXPECTED, Family, Network, Pair, family_key, pairs
from empirics.solvers import stop_g
from empirics.sweep.outcome import Cell, Outcome
from theory.validation import Array

__all__ = ["family_key", "run_family"]

Record = dict[str, Cell]

# The law of agreement over times takes memory of order N²; other losses than identity are integrated, which
# long times make stiff.
_LAW_SAMPLES, _LAW_TIME = 500, 100.0


def run_family(configs: Sequence[ExperimentConfig], *, device: str = "cpu") -> Iterator[tuple[int, Outcome]]:
    """Run experiments of one family; takes, yields and raises as `pairs`, with outcomes for pairs."""
    for index, pair in pairs(configs, device=device):
        if isinstance(pair, Exception):
            yield index, Outcome.failed(pair)
            continue
        try:
            yield index, Outcome(record=_record(pair))
        except EXPECTED as error:
            yield index, Outcome.failed(error)
        del pair  # its arrays, before those of the next one


def _record(pair: Pair) -> Record:
    on, f, g = pair.perturbed, pair.perturbed.f, pair.g
    family, R, y_adv = on.family, on.R, on.y_adv
    labels = family.dataset.y[family.shown], family.dataset.y_test
    f_b = family.f_b
    values: Record = {
        **_network(f),
        "cosine_published": on.mean_cosines[0],
        "cosine_derived": on.mean_cosines[1],
        "mean_target": float(y_adv.mean()),
        "zero_perturbations": int((~R.any(axis=1)).sum()),
        "sign_match_f": agreement(f.on_test, f_b[1]),
        "predicted_accuracy_f_train": accuracy(f_b[0], labels[0]),
        "predicted_accuracy_f_test": accuracy(f_b[1], labels[1]),
        **_foreseen("predicted", family, f_b[1], on.wide),
        **_foreseen("given_f", family, f.on_test, on.given),
    }
    if pair.config.scenario == "a":
        rule = on.epsilon * (family.dataset.X @ family.class_direction) + y_adv.mean()
        values["rule_accuracy_g_train"] = accuracy(rule, family.dataset.y)
    values |= {
        **_network(g),
        "agreement_train": agreement(f.on_train, g.on_train),
        "agreement_test": agreement(f.on_test, g.on_test),
    }
    return values | _from_initial(pair) | _law(pair)


def _network(network: Network) -> Record:
    """Return accuracies and the regime, each with the name of the network."""
    dataset, name, width = network.family.dataset, network.name, network.trained.final.width
    values: Record = {
        f"accuracy_{name}_train": accuracy(network.on_train, dataset.y),
        f"accuracy_{name}_test": accuracy(network.on_test, dataset.y_test),
    }
    if np.isfinite(network.lipschitz):
        values |= {
            f"tau_{name}": float(network.tau.mean()),
            f"free_predicted_{name}": float(network.free.mean()),
            f"free_{name}": float(network.counts.free.mean() / width),
        }
    values[f"flipped_{name}"] = float(network.counts.flipped.mean() / width)
    return values


def _from_initial(pair: Pair) -> Record:
    """Return what the initial weights and the theory say of g, nothing trained on the data or perturbations.

    lazy, identity loss: f(z; 0) + T_f f_b(z), perturbations along ∇f(x; 0) + T_f ∇f_b(x), g(z; 0) + T_g
    g_b(z) of those. two_point, in scenario (a): all perturbations are ± one vector, ε t_n û, û along the
    mean of those directions.  Then g sees two samples, whatever N is, and is trained on those, by its own
    solver. Derivation 16.
    """
    on, family, g = pair.perturbed, pair.perturbed.family, pair.g.trained
    start = on.f.trained
    signs_f = on.f.counts.initial + start.T * family.f_b[1]
    values: Record = {}
    if pair.config.loss == "identity":
        initial = evaluate(g.initial, family.X[family.shown]), pair.g.counts.initial
        train, test = (at_0 + g.T * velocity for at_0, velocity in zip(initial, on.lazy, strict=True))
        values |= _foreseen("lazy", family, signs_f, (train, test))
    if pair.config.scenario == "a":
        two = on.two_point(pair.stops)[stop_g(pair.config)]
        if not isinstance(two, Exception):
            values |= _foreseen("two_point", family, signs_f, two)
    return values


def _law(pair: Pair) -> Record:
    """Return the law over times for the data at hand, where that is cheap enough."""
    family, config = pair.perturbed.family, pair.config
    data = family.dataset
    if len(data.X) > _LAW_SAMPLES or len(data.X_test) > _LAW_SAMPLES or config.scenario == "b":
        return {}
    if config.loss != "identity" and max(config.T_f, config.T_g) > _LAW_TIME:
        return {}
    return law_of_times(
        data,
        T_f=config.T_f,
        T_g=config.T_g,
        loss=config.loss,
        seed=family.untrained_seed,
        epsilon=pair.perturbed.epsilon,
        targets=config.targets,
        negative_slope=config.negative_slope,
    )


def _foreseen(name: str, family: Family, signs_f: Array, g: tuple[Array, Array]) -> Record:
    return {
        f"{name}_accuracy_g_train": accuracy(g[0], family.dataset.y[family.shown]),
        f"{name}_accuracy_g_test": accuracy(g[1], family.dataset.y_test),
        f"{name}_agreement_test": agreement(signs_f, g[1]),
    }
