"""Two sweeps that were not published: the boundary turning, and the prediction failing.

`turning_study`: as N_adv grows the boundary of g turns from the one of its mislabelled noise onto the
standard one, s of the natural samples.  `orthogonality_study`: N grows at fixed d, from samples that are
nearly orthogonal to samples that are far from it; the limit that the λ system states is put beside a
network that is trained, with the verdicts of both conditions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from empirics.orthogonal.config import OrthogonalConfig
from theory.orthogonal.gram import check_open_slope
from theory.validation import check_integer, check_real


@dataclass(frozen=True, kw_only=True)
class StudyPoint:
    """One value of what is varied, in one series, and its configurations, one a seed."""

    series: str
    x: float
    configs: tuple[OrthogonalConfig, ...]


def turning_study(
    *,
    dim: int = 1000,
    num_train: int = 10,
    counts: Sequence[int] = (2, 5, 10, 20, 50, 100, 200),
    epsilon: float = 5.0,
    num_seeds: int = 10,
    **options: Any,  # noqa: ANN401  (fields of OrthogonalConfig)
) -> tuple[StudyPoint, ...]:
    """Return the sweep over N_adv, for trained networks and for their limits.

    Parameters
    ----------
    dim, num_train : int
        d and N.
    counts : sequence of int
        N_adv; a number that is repeated counts once.
    epsilon : float
        L2 norm of the perturbations, units of the data.
    num_seeds : int
        Seeds from 0.
    **options
        Other fields of `OrthogonalConfig`.

    Returns
    -------
    tuple of StudyPoint
        Series "trained" (both networks, perturbed by gradient steps) and "limit" (neither, by s); `turning`
        is the cosine of the boundary of g with s.

    Raises
    ------
    ValueError, TypeError
        If an argument or option breaks its rule.
    """
    check_integer("num_seeds", num_seeds, minimum=1)
    _check_some("counts", counts)
    kinds: dict[str, dict[str, Any]] = {
        "trained": {"f": "trained", "attack": "gradient", "g": "trained"},
        "limit": {"f": "limit", "attack": "limit", "g": "limit"},
    }
    base: dict[str, Any] = {"dim": dim, "num_train": num_train, "epsilon": epsilon, **options}
    return tuple(
        StudyPoint(
            series=series,
            x=count,
            configs=tuple(
                OrthogonalConfig(**base, **kind, num_adv=count, seed=seed) for seed in range(num_seeds)
            ),
        )
        for series, kind in kinds.items()
        for count in dict.fromkeys(counts)
    )


def orthogonality_study(
    *,
    dim: int = 500,
    ratios: Sequence[float] = (0.004, 0.01, 0.02, 0.04, 0.1, 0.2, 0.5, 1.0),
    slopes: Sequence[float] = (0.1, 0.3, 0.5, 0.8),
    num_seeds: int = 10,
    **options: Any,  # noqa: ANN401  (fields of OrthogonalConfig)
) -> tuple[StudyPoint, ...]:
    """Return the sweep over N/d, a series for each slope γ; no g is trained.

    Parameters
    ----------
    dim : int
        d.
    ratios : sequence of float
        N/d > 0; N is rounded, and at least 2.
    slopes : sequence of float
        γ in (0, 1), each once.
    num_seeds : int
        Seeds from 0.
    **options
        Other fields of `OrthogonalConfig`.

    Returns
    -------
    tuple of StudyPoint
        x is the N/d that is run.  `signs_f` is the share of test points where the network and the limit have
        one sign, `cosine_f` that of the boundaries; `orthogonal_f` and `multipliers_f` are the verdicts.

    Raises
    ------
    ValueError, TypeError
        If an argument or option breaks its rule.
    """
    check_integer("dim", dim, minimum=1)
    check_integer("num_seeds", num_seeds, minimum=1)
    _check_some("ratios", ratios)
    _check_some("slopes", slopes)
    counts = [max(2, round(check_real("ratios", ratio, minimum=0, exclusive=True) * dim)) for ratio in ratios]
    return tuple(
        StudyPoint(
            series=f"slope {slope!r}",
            x=count / dim,
            configs=tuple(
                OrthogonalConfig(
                    **{"dim": dim, "num_train": count, "num_adv": count, "epsilon": 1.0, **options},
                    g="none",
                    negative_slope=slope,
                    seed=seed,
                )
                for seed in range(num_seeds)
            ),
        )
        for slope in dict.fromkeys(map(check_open_slope, slopes))
        for count in dict.fromkeys(counts)
    )


def _check_some(name: str, values: Sequence[float]) -> None:
    if not values:
        msg = f"{name} must have at least one number, got none"
        raise ValueError(msg)
