"""Steps between instances: at random, to a neighbour, to something simpler; and how far they may go."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from empirics.falsify.instance import FLOW_STEPS, Instance
from theory.validation import Array, check_integer


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much is tried, and how large it may be.

    Raises
    ------
    ValueError, TypeError
        On construction, if a number is out of range.
    """

    evaluations: int = 200  # candidates in the search, ≥ 1
    restarts: int = 8  # into which they are divided, ≥ 1
    shrinks: int = 150  # candidates while shrinking, ≥ 0
    max_dim: int = 24  # d ≥ 1
    max_samples: int = 4  # N ≥ 1
    max_width: int = 4096  # m ≥ 1

    def __post_init__(self) -> None:
        for name in ("evaluations", "restarts", "max_dim", "max_samples", "max_width"):
            check_integer(name, getattr(self, name), minimum=1)
        check_integer("shrinks", self.shrinks, minimum=0)


# Search -----------------------------------------------------------------------------------------------


def random_instance(rng: np.random.Generator, budget: Budget) -> Instance:
    """Return a random instance: sizes on a logarithmic scale, half of the time the special values."""

    def size(high: int) -> int:
        return min(high, int(np.exp(rng.uniform(0, np.log(high + 1)))))

    dim, N = size(budget.max_dim), size(budget.max_samples)
    X = rng.standard_normal((N, dim)) + rng.choice([0.0, 1.0]) * rng.standard_normal(dim)
    X *= rng.choice([1.0, 10 ** rng.normal()])
    return Instance(
        X=X,
        y=rng.choice([-1.0, 1.0], N),
        z=_sample(X, rng) if rng.random() < 0.5 else rng.standard_normal(dim),
        T=float(10 ** rng.normal(0, 0.5)),
        width=size(max(1, budget.max_width // 8)),
        negative_slope=_slope(rng),
        num_steps=_steps(rng),
        momentum=float(rng.choice([0.0, 0.5, 0.9], p=[0.6, 0.2, 0.2])),
    )


def moved(instance: Instance, rng: np.random.Generator, budget: Budget) -> Instance:
    """Return an instance with one thing changed."""
    return _MOVES[rng.integers(len(_MOVES))](instance, rng, budget)


def _scale(instance: Instance, rng: np.random.Generator, _: Budget) -> Instance:
    factor = rng.choice([0.5, 2.0])
    return replace(instance, X=factor * instance.X, z=factor * instance.z)


def _change_network(instance: Instance, rng: np.random.Generator, budget: Budget) -> Instance:
    width = min(budget.max_width, max(1, round(instance.width * float(np.exp(rng.normal(0, 0.7))))))
    return replace(instance, width=width, num_steps=_steps(rng))


def _change_samples(instance: Instance, rng: np.random.Generator, budget: Budget) -> Instance:
    """Drop a sample or add one near another."""
    samples = instance.N
    if samples > 1 and (samples >= budget.max_samples or rng.random() < 0.5):
        return _without(instance, int(rng.integers(samples)))
    if samples >= budget.max_samples:
        return instance
    row = instance.X[rng.integers(samples)] + _noise(instance, rng, instance.z.shape)
    label = rng.choice([-1.0, 1.0])
    return replace(instance, X=np.vstack([instance.X, row]), y=np.append(instance.y, label))


_MOVES: tuple[Callable[[Instance, np.random.Generator, Budget], Instance], ...] = (
    lambda one, rng, _: replace(one, X=one.X + _noise(one, rng, one.X.shape)),
    lambda one, rng, _: replace(one, z=one.z + _noise(one, rng, one.z.shape)),
    lambda one, rng, _: replace(one, z=_sample(one.X, rng)),
    lambda one, rng, _: replace(one, y=np.where(np.arange(one.N) == rng.integers(one.N), -one.y, one.y)),
    _scale,
    lambda one, rng, _: replace(one, T=one.T * float(np.exp(rng.normal(0, 0.5)))),
    _change_network,
    lambda one, rng, _: replace(one, negative_slope=_slope(rng)),
    lambda one, rng, budget: _resized(one, int(rng.integers(1, budget.max_dim + 1))),
    _change_samples,
)


def _noise(instance: Instance, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    size = math.sqrt(float(np.mean(instance.X**2))) or 1.0
    return np.asarray(10 ** rng.uniform(-2, 0) * size * rng.standard_normal(shape))


def _sample(X: Array, rng: np.random.Generator) -> Array:
    return np.asarray(rng.choice([-1.0, 1.0]) * X[rng.integers(len(X))])


def _slope(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, rng.random()]))


def _steps(rng: np.random.Generator) -> int:
    return int(rng.choice([1, 2, FLOW_STEPS]))


def _without(instance: Instance, n: int) -> Instance:
    return replace(instance, X=np.delete(instance.X, n, axis=0), y=np.delete(instance.y, n))


def _resized(instance: Instance, dim: int) -> Instance:
    """Return the instance in another dimension, coordinates repeated or dropped, ‖·‖/√d of each row kept."""
    rows = np.vstack([instance.X, instance.z])
    resized = np.resize(rows.T, (dim, len(rows))).T
    before, after = (np.sqrt(np.mean(array**2, axis=1, keepdims=True)) for array in (rows, resized))
    resized = resized * np.divide(before, after, out=np.ones_like(after), where=after > 0)
    return replace(instance, X=resized[:-1], z=resized[-1])


# Shrinking --------------------------------------------------------------------------------------------


def complexity(instance: Instance) -> tuple[float, ...]:
    """Return what shrinking lowers: samples, dimension, a point of its own, digits, labels, width, steps."""
    own = not np.any(np.all(instance.z == instance.X, axis=1))
    numbers = [*instance.X.flat, *instance.z, instance.T, instance.negative_slope, instance.momentum]
    digits = sum(len(repr(float(number))) for number in numbers)
    negative = int(np.sum(instance.y < 0))
    return instance.N, instance.dim, own, digits, negative, instance.width, instance.num_steps


def simpler(instance: Instance) -> Iterator[Instance]:
    """Yield what to try in place of an instance, the boldest first; not all of it is simpler."""
    yield from _fewer_samples(instance)
    # Numbers before dimensions: a row of equal numbers stays one when coordinates are dropped.
    yield from _rounder_data(instance)
    for dim in (1, instance.dim // 2, instance.dim * 3 // 4, instance.dim - 1):
        if dim >= 1:
            yield _resized(instance, dim)
    yield from _plainer_network(instance)


def _fewer_samples(instance: Instance) -> Iterator[Instance]:
    if instance.N > 1:
        for n in range(instance.N):
            yield replace(instance, X=instance.X[[n]], y=instance.y[[n]])
        for n in range(instance.N):
            yield _without(instance, n)
    for row in instance.X:
        yield replace(instance, z=row)


def _rounder_data(instance: Instance) -> Iterator[Instance]:
    for rounded in _ROUNDINGS:
        yield replace(instance, X=rounded(instance.X), z=rounded(instance.z))
    for rounded in _ROUNDINGS:
        yield replace(instance, X=rounded(instance.X))
        yield replace(instance, z=rounded(instance.z))
    yield replace(instance, y=np.ones_like(instance.y))


def _plainer_network(instance: Instance) -> Iterator[Instance]:
    for slope in (0.0, 0.5, round(instance.negative_slope, 1)):
        if slope < 1:
            yield replace(instance, negative_slope=slope)
    T = instance.T
    for time in (1.0, 2.0, float(math.ceil(T)), float(f"{T:.1g}"), float(f"{T:.2g}")):
        yield replace(instance, T=time)
    yield replace(instance, momentum=0.0)
    for width in (1, instance.width // 4, instance.width // 2, instance.width - 1):
        if width >= 1:
            yield replace(instance, width=width)
    yield replace(instance, num_steps=1)


_ROUNDINGS: tuple[Callable[[Array], Array], ...] = (
    np.ones_like,
    np.sign,
    np.round,
    lambda values: np.round(values, 1),
    lambda values: np.round(values, 2),
)
