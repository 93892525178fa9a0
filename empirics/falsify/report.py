"""A counter-example as a Python file that anyone can run."""

from pathlib import Path

from empirics.falsify.search import Falsification
from empirics.sweep import disk

_TEMPLATE = '''\
"""A counter-example found by `empirics.falsify`; run it with perturblearn[empirics] installed.

Exit status 1 if the violation reproduces, 0 if it does not.
"""

import sys

from empirics.falsify import Instance, describe, measure, {factory}

STATEMENT = {statement}
INEQUALITY = {recipe}
INSTANCE = Instance(
    X={X},
    y={y},
    z={z},
    T={T!r},
    width={width!r},
    negative_slope={negative_slope!r},
    num_steps={num_steps!r},
    momentum={momentum!r},
)

if __name__ == "__main__":
    # Found with seed {search_seed} after {evaluations} candidates; the seed below was fresh.  Try others.
    result = measure(
        INEQUALITY,
        INSTANCE,
        num_initialisations={n},
        seed=int(sys.argv[1]) if len(sys.argv) > 1 else {seed},
        error_probability={error_probability!r},
    )
    print(STATEMENT)
    print(*describe(INEQUALITY, result), sep="\\n")
    print("violated" if result.violated else "not reproduced")
    sys.exit(int(result.violated))
'''


def counter_example(falsification: Falsification) -> str:
    """Return the text of a Python file that reproduces a violation; see `write_counter_example`.

    Parameters
    ----------
    falsification : Falsification
        With the verdict "violated".

    Returns
    -------
    str
    """
    instance, result = falsification.instance, falsification.measurement
    recipe = falsification.inequality.recipe
    if falsification.verdict != "violated" or instance is None or result is None:
        msg = f"falsification must have a counter-example, got the verdict {falsification.verdict!r}"
        raise ValueError(msg)
    if recipe is None:
        msg = f"inequality must have a recipe to be written, got none ({falsification.inequality.name})"
        raise ValueError(msg)
    return _TEMPLATE.format(
        factory=recipe.partition("(")[0],
        statement=repr(falsification.inequality.statement),
        recipe=recipe,
        **vars(instance) | {name: getattr(instance, name).tolist() for name in ("X", "y", "z")},
        search_seed=falsification.seed,
        evaluations=falsification.evaluations,
        n=result.n,
        seed=result.seed,
        error_probability=result.error_probability,
    )


def write_counter_example(falsification: Falsification, path: Path) -> None:
    """Write a Python file that reproduces a violation.

    Run, it prints the quantity, the bound and the excess, and exits with status 1 if the violation
    reproduces, with the seed of the claim or one given as its argument.

    Parameters
    ----------
    falsification : Falsification
        With the verdict "violated".
    path : Path

    Raises
    ------
    ValueError
        If nothing was found, or the inequality has no recipe.
    """
    disk.write_text(path, counter_example(falsification))
