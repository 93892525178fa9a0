"""Synthetic Gaussian data: random labels, or two classes with shifted means."""

from dataclasses import dataclass

import numpy as np

from empirics.data.dataset import Dataset
from theory.validation import check_integer, check_real


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    dim: int  # d
    num_train: int  # N
    num_test: int = 300

    def __post_init__(self) -> None:
        for size in ("dim", "num_train", "num_test"):
            check_integer(size, getattr(self, size), minimum=1)


@dataclass(frozen=True, kw_only=True)
class GaussianData(_Sizes):
    """x ~ N(0, I), labels uniform on {−1, +1} and independent of x: nothing to generalise.

    Raises
    ------
    ValueError, TypeError
        On construction, if a size is not positive.
    """

    name = "gaussian"

    def load(self, seed: int) -> Dataset:
        """Draw training and test points."""
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(self.num_train + self.num_test, self.dim))
        y = rng.choice([-1.0, 1.0], size=len(X))
        N = self.num_train
        return Dataset(
            self.name, X[:N], y[:N], X[N:], y[N:], ("−1 (random)", "+1 (random)"), "drawn from N(0, I)"
        )


@dataclass(frozen=True, kw_only=True)
class ShiftedGaussianData(_Sizes):
    """Half of the points from N(+shift·1, I) labelled +1, half from N(−shift·1, I) labelled −1.

    An odd number of points has one more of class +1.

    Raises
    ------
    ValueError, TypeError
        On construction, if a size is not positive or the shift is not finite.
    """

    shift: float = 0.5  # each coordinate of the class means, in standard deviations

    name = "shifted-gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("shift", self.shift)

    def load(self, seed: int) -> Dataset:
        """Draw training and test points."""
        rng = np.random.default_rng(seed)
        X, y = self._draw(self.num_train, rng)
        X_test, y_test = self._draw(self.num_test, rng)
        prepared = f"drawn from N(±{self.shift:g}·1, I)"
        return Dataset(self.name, X, y, X_test, y_test, ("mean −", "mean +"), prepared)

    def _draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = np.where(np.arange(count) < (count + 1) // 2, 1.0, -1.0)
        return rng.normal(size=(count, self.dim)) + self.shift * y[:, None], y
