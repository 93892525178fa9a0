"""What holds of data in hand, see `empirics.orthogonal.examine`; None for what is not known or not finite."""

from typing import Literal

import msgspec

from theory.orthogonal import Hypothesis

Known = Literal["holds", "fails", "unknown"]
Counts = dict[Known, int]


class Multipliers(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of λ of data in hand; None without a proved error, for which the verdict has reasons."""

    verdict: Known
    slack_verdict: Known
    reasons: tuple[str, ...]
    interval: tuple[float | None, float | None]
    interval_verdict: Known
    least: float | None = None
    largest: float | None = None
    radius: float | None = None
    least_over_low: float | None = None
    num_not_positive: int | None = None
    num_unproved: int | None = None


class GivenData(msgspec.Struct, frozen=True, kw_only=True):
    """Data in hand; `counts` of the samples of each of the `classes`."""

    name: str
    N: int
    d: int
    num_test: int
    counts: tuple[int, ...]
    classes: tuple[str, ...]
    preparation: str
    zero_rows: int


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts on signs of test points for one draw of targets."""

    condition: Counts
    kept: Counts
    perturbed_multipliers: Known


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts on signs of `n` test points, for each draw of targets, and before targets are drawn."""

    n: int
    delta: float
    seeds: tuple[Draw, ...]
    before: Counts


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What holds of data in hand, from `empirics.orthogonal.examine`."""

    data: GivenData
    sizes: dict[str, float | int | str | None]  # R_min, R_max, p_max, row_sum, N_allowed
    conditions: dict[str, tuple[float | None, float | None, Known]]  # left side, right side, verdict
    multipliers: Multipliers
    hypotheses: tuple[Hypothesis, ...]
    limit: dict[str, float] | None  # accuracy, accuracy_test
    signs: Signs | None
