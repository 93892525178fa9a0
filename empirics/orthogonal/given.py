"""Data in hand: which condition holds for it, with numbers, and what its limit would be.

Nothing here trains a network; a sweep of `orthogonal` with ``data`` does, for the same configuration.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import msgspec
import numpy as np

from empirics.data import ArrayData, Dataset, DataSource, FileData
from empirics.data.dataset import class_name, preparation_for, standardised
from empirics.measure import accuracy
from empirics.orthogonal import examination
from empirics.orthogonal.config import OrthogonalConfig
from empirics.orthogonal.examination import Draw, Examination, GivenData, Known, Signs
from empirics.orthogonal.experiment import check_given
from empirics.perturb import draw_targets
from empirics.seeds import seeds_of
from theory.orthogonal import (
    Hypothesis,
    Multipliers,
    Norm,
    Orthogonality,
    hypotheses,
    limit_direction,
    limit_perturbations,
    multipliers,
    orthogonality,
    perturbed_orthogonality,
    sign_condition,
    transfer,
)
from theory.orthogonal.perturbations import num_changed
from theory.setting import Setting
from theory.validation import Array, as_points, check_integer, check_real
from theory.verdicts import Verdict

MOST_SAMPLES = 2_000  # the λ system takes a few N × N matrices and an inverse
DELTA = 0.01  # of the sign condition before targets are drawn
_FLOW_TIME = 1.0  # at which the theory of wide networks is asked; it has no "infinite"
# Of a radius: where all samples are 0 there is no scale, and the norm of huge ones is beyond float64.
_TINY, _HUGE = 1e-300, 1e300


def load_given(source: DataSource, *, num_train: int | None = None) -> Dataset:
    """Load data of any source, of a file also where it has one class alone, and keep the first samples.

    Parameters
    ----------
    source : DataSource
    num_train : int, optional
        How many training samples to keep; all if absent.

    Returns
    -------
    Dataset
        Split with seed 0.

    Raises
    ------
    ValueError, FileNotFoundError
        As the source, or if more than `MOST_SAMPLES` samples would be left.
    """
    data = _own(source) if isinstance(source, (FileData, ArrayData)) else source.load(0)
    count = len(data.X)
    if num_train is not None:
        count = min(count, check_integer("num_train", num_train, minimum=1))
    if count > MOST_SAMPLES:
        msg = (
            f"num_train must be at most {MOST_SAMPLES}, for which the pairs of samples are looked at, "
            f"got {count} samples; say how many to keep"
        )
        raise ValueError(msg)
    return replace(data, X=data.X[:count], y=data.y[:count])


def _own(source: FileData | ArrayData) -> Dataset:
    """Load data of the user; with one class alone, which other users of it refuse, make the split here."""
    rows = source.read()
    names = set(map(class_name, rows.labels))
    known = source.classes or ("1", "-1")
    if len(names) != 1 or not names <= set(known) or len(rows.X) < 2 or rows.X_test is not None:
        return source.load(0)
    sign = 1.0 if names == {known[0]} else -1.0
    order = np.random.default_rng(0).permutation(len(rows.X))
    num_test = max(1, int(source.test_fraction * len(rows.X)))
    how = preparation_for(source.standardise, rows.X.shape[1])
    parts = rows.X[order[num_test:]], rows.X[order[:num_test]]
    train, test = standardised(*parts, how, source.name)
    return Dataset(
        source.name,
        train,
        np.full(len(train), sign),
        test,
        np.full(len(test), sign),
        (known[1], known[0]),
        f"one class alone; standardise: {how}",
    )


def epsilon_for(X: Array, norm: Norm) -> float:
    """Return a radius: half of the smallest norm that is not 0 (L2), that over √d (L∞); 0.1 for L0.

    Parameters
    ----------
    X : array, shape (N, d)
    norm : {"L0", "L2", "Linf"}

    Returns
    -------
    float
    """
    X = as_points("X", X)
    if norm == "L0":
        return 0.1
    largest = float(np.abs(X).max())
    with np.errstate(over="ignore"):
        norms = largest * np.linalg.norm(X / (largest or 1.0), axis=1)  # squares of large entries overflow
    half = float(norms[norms > 0].min()) / 2 if norms.any() else 1.0
    size = min(half, _HUGE) / (1.0 if norm == "L2" else math.sqrt(X.shape[1]))
    return max(float(f"{size:.6g}"), _TINY)


def amplitude_for(X: Array, epsilon: float) -> float:
    """Return how far L0 moves a coordinate: half of the smallest norm that is not 0 over √⌈εd⌉.

    The perturbation is then as long as that of `epsilon_for` in L2.

    Parameters
    ----------
    X : array, shape (N, d)
    epsilon : float > 0
        Share of the coordinates that may change.

    Returns
    -------
    float
    """
    X = as_points("X", X)
    share = check_real("epsilon", epsilon, minimum=0, exclusive=True)
    size = epsilon_for(X, "L2") / math.sqrt(num_changed(min(share, 1.0), X.shape[1]))
    return max(float(f"{size:.6g}"), _TINY)


def examine(data: Dataset, config: OrthogonalConfig, *, num_seeds: int) -> Examination:
    """Return the conditions on data in hand with their numbers, and the limit with its perturbations.

    Parameters
    ----------
    data : Dataset
    config : OrthogonalConfig
        With the sizes of the data and ``base`` "natural"; its seed does not act.
    num_seeds : int
        How many draws of target labels, as those of `run_orthogonal` for seeds from 0.

    Returns
    -------
    Examination
        None for what is not known or not finite: ``data``; ``sizes`` R_min, R_max, p_max,
        κ, and ``N_allowed``, the largest N at which the published condition would hold with these norms and
        p_max ("any" or "none" where there is no such number); ``conditions`` (lhs, rhs, verdict) "published"
        and "derived", also for the perturbed set, whatever the targets (not without an attack);
        ``multipliers``, with how many are proved not positive, and how many of either sign are not;
        ``hypotheses`` of both theories, at flow time 1; ``limit``: accuracies of ⟨s, ·⟩; ``signs``: of the
        test points, for each seed how many have each verdict of `Transfer.condition` and `Transfer.kept`,
        and those of `sign_condition`.

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    check_given(config, data)
    slope = config.negative_slope
    found = orthogonality(data.X, negative_slope=slope)
    known = multipliers(data.X, data.y, negative_slope=slope)
    slack = multipliers(data.X, data.y, negative_slope=slope, slack=True)
    limit = _limit(data, known)
    signs, conditions = None, _conditions(found)
    if limit is not None and config.base == "natural" and config.attack != "none":
        perturbed = perturbed_orthogonality(
            data.X, direction=limit, negative_slope=slope, **config.perturbation
        )
        conditions |= _conditions(perturbed, ", perturbed")
        signs = _signs(data, config, known, limit, num_seeds)
    made = Examination(
        data=GivenData(
            name=data.name,
            N=len(data.X),
            d=data.X.shape[1],
            num_test=len(data.X_test),
            counts=(int((data.y < 0).sum()), int((data.y > 0).sum())),
            classes=data.classes,
            preparation=data.described,
            zero_rows=int((~data.X.any(axis=1)).sum()),
        ),
        sizes={name: getattr(found, name) for name in ("R_min", "R_max", "p_max", "row_sum")}
        | {"N_allowed": _allowed(found)},
        conditions=conditions,
        multipliers=_multipliers(known, slack.verdict),
        hypotheses=_hypotheses(data, config),
        limit=None
        if limit is None
        else {
            "accuracy": accuracy(data.X @ limit, data.y),
            "accuracy_test": accuracy(data.X_test @ limit, data.y_test),
        },
        signs=signs,
    )
    # JSON has no numbers that are not finite: they are read as None.
    return msgspec.json.decode(msgspec.json.encode(made), type=Examination)


def _conditions(found: Orthogonality, where: str = "") -> dict[str, tuple[float | None, float | None, Known]]:
    return {
        f"published{where}": (found.lhs, found.rhs, found.verdict.value),
        f"derived{where}": (found.row_lhs, found.row_rhs, found.row_verdict.value),
    }


def _allowed(found: Orthogonality) -> int | str | None:
    """Return the largest N with lhs · N_now/N > p_max; rounding is not looked at, as it is for N_now."""
    whole = found.lhs * found.N
    if not (math.isfinite(whole) and math.isfinite(found.rhs)):
        return None
    if found.rhs == 0:
        return "any" if whole > 0 else "none"
    limit = whole / found.rhs
    if not math.isfinite(limit):
        return None
    return math.ceil(limit) - 1 if limit > 1 else "none"


def _limit(data: Dataset, known: Multipliers) -> Array | None:
    """Return s, None where it is not known, not finite or 0."""
    if known.verdict is Verdict.UNKNOWN or not np.isfinite(known.values).all():
        return None
    s = limit_direction(data.X, data.y, negative_slope=known.negative_slope, multipliers=known)
    return s if np.isfinite(s).all() and s.any() else None


def _multipliers(known: Multipliers, slack: Verdict) -> examination.Multipliers:
    low = known.interval[0]
    # Without a proved error the values are a least-squares solution, or none.
    proved = bool(np.isfinite(known.radius).all())
    least, largest = (float(known.values.min()), float(known.values.max())) if proved else (math.nan,) * 2
    return examination.Multipliers(
        verdict=known.verdict.value,
        slack_verdict=slack.value,
        reasons=known.reasons,
        interval=known.interval,
        interval_verdict=known.interval_verdict.value,
        least=least,
        largest=largest,
        radius=float(known.radius.max()),
        least_over_low=least / low if low > 0 else math.nan,
        num_not_positive=int((known.upper <= 0).sum()) if proved else None,
        num_unproved=int(((known.lower <= 0) & (known.upper > 0)).sum()) if proved else None,
    )


def _hypotheses(data: Dataset, config: OrthogonalConfig) -> tuple[Hypothesis, ...]:
    setting = Setting(
        dim=config.dim,
        N=config.num_train,
        width=config.width,
        negative_slope=config.negative_slope,
        epsilon=config.epsilon,
        T_f=_FLOW_TIME,
        T_g=_FLOW_TIME,
        scenario="b",
        loss=config.loss,
    )
    return hypotheses(data.X, data.y, setting, norm=config.norm, biases=False)


def _signs(
    data: Dataset, config: OrthogonalConfig, known: Multipliers, limit: Array, num_seeds: int
) -> Signs:
    """Return how many test points keep their sign after learning from perturbations of the limit."""
    slope, asked, seeds = config.negative_slope, config.perturbation, []
    for seed in range(num_seeds):
        targets = draw_targets(config.num_adv, rng=np.random.default_rng(seeds_of(seed)[3]))
        X_adv = limit_perturbations(data.X, limit, targets, **asked)
        found = transfer(
            data.X_test,
            X=data.X,
            y=data.y,
            X_adv=X_adv,
            y_adv=targets,
            negative_slope=slope,
            multipliers=known,
        )
        condition, kept = map(_counted, (found.condition, found.kept))
        seeds.append(
            Draw(condition=condition, kept=kept, perturbed_multipliers=found.perturbed.verdict.value)
        )
    before = sign_condition(
        data.X_test, base=data.X, direction=limit, negative_slope=slope, delta=DELTA, **asked
    )
    return Signs(n=len(data.X_test), delta=DELTA, seeds=tuple(seeds), before=_counted(before.verdicts))


def _counted(verdicts: Iterable[Verdict]) -> dict[Known, int]:
    counts = Counter(verdicts)
    return {verdict.value: counts[verdict] for verdict in Verdict}
