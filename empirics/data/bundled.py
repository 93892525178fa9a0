"""Real data that scikit-learn ships: handwritten digits (8×8), breast cancer, iris flowers and wines."""

from dataclasses import dataclass
from functools import cache

from empirics.data.dataset import (
    Dataset,
    Rows,
    check_classes,
    check_preparation,
    own_dataset,
    split,
    two_classes,
)


@dataclass(frozen=True, kw_only=True)
class DigitsData:
    """Two classes of the 8×8 handwritten digits (E. Alpaydin, C. Kaynak, 1998); d = 64.

    Raises
    ------
    ValueError
        On construction or loading, if an option is unknown.
    """

    classes: tuple[str, str] = ("1", "2")  # the first becomes +1
    test_fraction: float = 0.3
    standardise: str = "center"

    name = "digits"

    def __post_init__(self) -> None:
        check_preparation(self.test_fraction, self.standardise)
        check_classes(self.classes)

    def read(self) -> Rows:
        """Return all points and the names of their classes."""
        return _read("load_digits")

    def load(self, seed: int) -> Dataset:
        """Split with `seed`."""
        rows = self.read()
        title = f"{self.name} {self.classes[0]} vs {self.classes[1]}"
        found = two_classes(rows.X, rows.labels, self.classes, source=self.name)
        return split(*found, self.test_fraction, self.standardise, seed=seed, name=title)


@dataclass(frozen=True, kw_only=True)
class BreastCancerData:
    """Benign (+1) against malignant (−1), 30 features (W. Wolberg et al., 1995); d = 30.

    Raises
    ------
    ValueError
        On construction, if an option is unknown.
    """

    test_fraction: float = 0.3
    standardise: str = "zscore"  # the features have different units

    name = "breast-cancer"

    def __post_init__(self) -> None:
        check_preparation(self.test_fraction, self.standardise)

    def load(self, seed: int) -> Dataset:
        """Split with `seed`."""
        rows = _read("load_breast_cancer")
        found = two_classes(rows.X, rows.labels, ("benign", "malignant"), source=self.name)
        return split(*found, self.test_fraction, self.standardise, seed=seed, name=self.name)


@dataclass(frozen=True, kw_only=True)
class _ThreeClasses:
    classes: tuple[str, str] | None = None  # which two; the first becomes +1
    test_fraction: float = 0.3
    standardise: str = "zscore"  # the features have different units

    name = ""

    def __post_init__(self) -> None:
        check_preparation(self.test_fraction, self.standardise)
        check_classes(self.classes)

    def read(self) -> Rows:
        """Return all points and the names of their classes."""
        return _read(f"load_{self.name}")

    def load(self, seed: int) -> Dataset:
        """Split with `seed`."""
        return own_dataset(
            self.read(),
            name=self.name if self.classes is None else f"{self.name} {' vs '.join(self.classes)}",
            source=self.name,
            classes=self.classes,
            test_fraction=self.test_fraction,
            standardise=self.standardise,
            seed=seed,
        )


@dataclass(frozen=True, kw_only=True)
class IrisData(_ThreeClasses):
    """Two of the three iris flowers, 50 rows each (R. A. Fisher, 1936); d = 4.

    Raises
    ------
    ValueError
        On construction or loading, if an option is unknown or `classes` are missing.
    """

    name = "iris"


@dataclass(frozen=True, kw_only=True)
class WineData(_ThreeClasses):
    """Two of three cultivars by the chemistry of 178 wines (M. Forina et al., 1991); d = 13.

    Raises
    ------
    ValueError
        On construction or loading, if an option is unknown or `classes` are missing.
    """

    name = "wine"


@cache
def _read(loader: str) -> Rows:
    from sklearn import datasets  # noqa: PLC0415  (seconds to import)

    data = getattr(datasets, loader)()
    data.data.flags.writeable = False  # it is everyone's
    return Rows(data.data, [str(name) for name in data.target_names[data.target]])
