"""Real data that scikit-learn ships: handwritten digits (8×8) and the Wisconsin breast-cancer set."""

from dataclasses import dataclass

from empirics.data.dataset import Dataset, check_classes, check_preparation, split, two_classes


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

    def load(self, seed: int) -> Dataset:
        """Split with `seed`."""
        from sklearn.datasets import load_digits  # noqa: PLC0415  (seconds to import)

        data = load_digits()
        title = f"{self.name} {self.classes[0]} vs {self.classes[1]}"
        found = two_classes(data.data, data.target, self.classes, source=self.name)
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
        from sklearn.datasets import load_breast_cancer  # noqa: PLC0415  (seconds to import)

        data = load_breast_cancer()
        labels = data.target_names[data.target]
        found = two_classes(data.data, labels, ("benign", "malignant"), source=self.name)
        return split(*found, self.test_fraction, self.standardise, seed=seed, name=self.name)
