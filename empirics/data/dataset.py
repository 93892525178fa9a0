"""What every data source delivers: a labelled training and test split, and how it was prepared."""

import math
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from itertools import combinations, groupby
from typing import Any

import numpy as np

from theory.validation import Array, as_labels, as_points, check_choice, check_real

# How features are prepared.  Statistics are those of the training part.
#   "none":   as they are;
#   "center": each feature minus its mean, then each row scaled to norm √d;
#   "zscore": each feature minus its mean and divided by its standard deviation, then rows as above;
#   "ball":   each feature minus its mean, then all points, training and test, over one number, so that the
#             largest norm is √d.
# The theory assumes ‖x‖ ≤ √d.  The row scaling makes it an equality, and takes one of d dimensions away: two
# points for d = 1, a circle for d = 2.  One scale for all keeps angles and ratios of distances.
STANDARDISATIONS = ("none", "center", "zscore", "ball")
_FEW_DIMENSIONS = 3  # up to here "ball" is the default
PREPARED = {
    "center": "centred (training means), rows scaled to norm √d",
    "zscore": "centred and divided by their deviation (training part), rows scaled to norm √d",
    "ball": "centred (training means), one scale for all points: largest norm √d",
}
# With fewer test points a share of 1/2 among them is known to ±.2 at best (.98/√n at 95 %).
_FEW_TEST_POINTS = 25
_LARGEST = 1e150  # of an entry whose square, in sums, is a float
_LONGEST = 20  # digits of a number that is written without a power of ten
_LOST = 1e-3  # of a deviation: more must not be lost to rounding
_RARE = 0.1  # share of a class that is almost absent
# Numbers with more different values than these are hardly names of classes.
_MANY_CLASSES = 20
# Numbers as programs write them: 007 and 1E1 may be codes.
_PLAIN = re.compile(r"[+-]?(?!0\d)(\d+\.?\d*|\.\d+)([eE][+-]\d{2,3})?", re.ASCII)


@dataclass(frozen=True)
class Dataset:
    """A two-class data set, split.

    Attributes
    ----------
    name : str
        For titles and file names.
    X, y : arrays, shapes (N, d) and (N,)
        Training points and labels in {−1, +1}.
    X_test, y_test : arrays, shapes (Q, d) and (Q,)
        Fresh points: another draw of a synthetic source, the held-out part of a real one.
    classes : tuple of str
        Names of the classes −1 and +1, in this order.
    preparation : str
        What was done to the features, in words.
    notices : tuple of str
        What a file or arrays were understood to be, and what of it limits the verdicts, a line each.
    """

    name: str
    X: Array
    y: Array
    X_test: Array
    y_test: Array
    classes: tuple[str, str]
    preparation: str
    notices: tuple[str, ...] = ()

    @property
    def described(self) -> str:
        """The preparation with all notices, the classes first, for pages."""
        return " · ".join((*self.notices[:1], self.preparation, *self.notices[1:]))

    @property
    def repeated(self) -> int:
        """How many test points are training points."""
        known = {row.tobytes() for row in self.X + 0.0}  # 0.0: −0 is 0
        return sum(row.tobytes() in known for row in self.X_test + 0.0)

    def __post_init__(self) -> None:
        as_points("X", self.X)
        as_labels("y", self.y, length=len(self.X))
        as_points("X_test", self.X_test, dim=self.X.shape[1])
        as_labels("y_test", self.y_test, length=len(self.X_test))


def check_preparation(test_fraction: float, standardise: str, *, auto: bool = False) -> None:
    """Check the options that the sources of real data share."""
    share = check_real("test_fraction", test_fraction, minimum=0, exclusive=True)
    if share >= 1:
        msg = f"test_fraction must lie in (0, 1), got {test_fraction}"
        raise ValueError(msg)
    check_choice("standardise", standardise, STANDARDISATIONS + ("auto",) * auto)


def check_classes(classes: tuple[str, str] | None) -> None:
    """Check the form of the names of two classes; numbers are refused, as 1 is the class "1".

    Raises
    ------
    TypeError
        If they are not a tuple of text.
    ValueError
        If they are not two.
    """
    if classes is None:
        return
    if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
        msg = f"classes must be a tuple of two names, such as ('1', '2'), got {classes!r}"
        raise TypeError(msg)
    count = len(classes)
    if count != 2:
        msg = f"classes must be two, got {count}: {', '.join(classes)}"
        raise ValueError(msg)


@dataclass(frozen=True)
class Rows:
    """Points of the user and the names of their classes, before two of them are chosen."""

    X: Array
    labels: list[str]
    X_test: Array | None = None  # absent: some of X are held out
    labels_test: list[str] | None = None
    label: str = "label"  # what the labels are called
    notes: tuple[str, ...] = ()


def own_dataset(
    rows: Rows,
    *,
    name: str,
    source: str,
    classes: tuple[str, str] | None,
    test_fraction: float,
    standardise: str,
    seed: int,
) -> Dataset:
    """Return the data set of the user's own points, with notices of what it was understood to be.

    Parameters
    ----------
    rows : Rows
    name, source : str
        Of the data set; of what was read, for errors.
    classes, test_fraction, standardise, seed
        As in `two_classes` and `split`; `standardise` may be "auto", see `preparation_for`.

    Raises
    ------
    ValueError
        As `two_classes` and `split`.
    """
    X, y, pair = two_classes(rows.X, rows.labels, classes, source=source)
    how = preparation_for(standardise, X.shape[1])
    if rows.X_test is None or rows.labels_test is None:
        made = split(X, y, pair, test_fraction, how, seed=seed, name=name)
    else:
        held_out = two_classes(
            rows.X_test, rows.labels_test, (pair[1], pair[0]), source=f"test points of {source}"
        )
        check_varies(X, name)
        made = _prepared((X, y), held_out[:2], pair, how, name)
    said = understood(X, y, pair, label=rows.label, total=len(rows.X))
    spelled = sorted(sorted({*rows.labels, *(rows.labels_test or ())}), key=class_name)
    written = [list(same) for _, same in groupby(spelled, class_name)]
    notes = [f"{' and '.join(same)} are equal numbers: one class" for same in written if len(same) > 1]
    return replace(made, notices=(said, *notes, *rows.notes, *_limits(made, how, _contradicted(X, y))))


def preparation_for(standardise: str, dim: int) -> str:
    """Return how features are prepared: "auto" is "ball" in three dimensions or fewer, else "zscore".

    Rows scaled to norm √d lie on a sphere of d − 1 dimensions.  With many features little is lost; with two
    or three a picture such as two half-moons becomes another one, so that what is learned is not what was
    asked.  The theory needs no more than ‖x‖ ≤ √d, which "ball" grants; its price is that points near the
    mean have ‖x‖ < √d, where fewer neurons tell them apart and bounds from norms alone are looser.
    """
    if standardise != "auto":
        return standardise
    return "ball" if dim <= _FEW_DIMENSIONS else "zscore"


def _contradicted(X: Array, y: Array) -> int:
    """Return how many rows have the features of a row of the other class."""
    signs: dict[bytes, set[float]] = {}
    keys = [row.tobytes() for row in X + 0.0]  # 0.0: −0 is 0
    for key, sign in zip(keys, y.tolist(), strict=True):
        signs.setdefault(key, set()).add(sign)
    return sum(len(signs[key]) > 1 for key in keys)


def _limits(data: Dataset, how: str, contradicted: int) -> list[str]:
    """Return what of data limits the verdicts, a line each."""
    said = []
    dim, num_test = data.X.shape[1], len(data.X_test)
    if how in {"center", "zscore"} and dim <= _FEW_DIMENSIONS:
        place = ("two points", "a circle", "a sphere")[dim - 1]
        said.append(
            f"rows scaled to norm √{dim} lie on {place}: standardise ball (--standardise ball) does not"
        )
    if num_test < _FEW_TEST_POINTS:
        error = 0.98 / math.sqrt(num_test)
        points = many(num_test, "test point")
        said.append(f"{points}: a share of them says ±{error:.1g} or more; verdicts may be unknown")
    if data.repeated == 1:
        said.append(f"1 of {many(num_test, 'test point')} is a training point: it is not fresh")
    elif data.repeated:
        said.append(f"{data.repeated} of {num_test} test points are training points: they are not fresh")
    if contradicted:
        said.append(f"{contradicted} rows have the features of a row of the other class")
    constant = int((data.X[0] == data.X).all(axis=0).sum())
    if constant:
        verb = "is" if constant == 1 else "are"
        said.append(f"{constant} of {many(dim, 'feature')} {verb} constant in the training part")
    for name, sign in zip(data.classes, (-1, 1), strict=True):
        share = float((data.y == sign).mean())
        if share < _RARE:
            said.append(f"class {name} is {100 * share:.1f} % of the training points: it is almost absent")
    return said


def two_classes(
    X: Array, labels: Iterable[Any], classes: tuple[str, str] | None, *, source: str
) -> tuple[Array, Array, tuple[str, str]]:
    """Map two named classes to labels explicitly: the first to +1, the second to −1; drop the others.

    Parameters
    ----------
    X : array, shape (N, d)
    labels : iterable of length N
        Class of each row: numbers or text, see `class_name`.
    classes : pair of str, optional
        Which two; "A|B" joins classes, unless one is called so.  May be absent if the labels have two values:
        the larger of two numbers, else the later in the alphabet, becomes +1.
    source : str
        Name of the data, for errors.

    Returns
    -------
    X, y, classes
        The rows kept, labels in {−1, +1}, and the names of the classes (−1, +1).

    Raises
    ------
    ValueError
        If a class does not occur, or no classes are named and labels have not two values, or some that differ
        in case or spelling alone.
    """
    names = list(map(class_name, labels))
    present = in_order(set(names))
    if classes is None:
        if len(present) != 2 or len(set(map(_spelling, present))) == 1:
            raise ValueError(_not_two(names, present, source))
        classes = (present[1], present[0])
    positive, negative = classes = (class_name(classes[0]), class_name(classes[1]))
    parts = [[name] if name in present else name.split("|") for name in classes]
    for name in (*parts[0], *parts[1]):
        if class_name(name) not in present:
            msg = f"classes must occur in {source}, got {name!r}; present are {', '.join(present[:10])}"
            raise ValueError(msg)
    first, second = ({class_name(name) for name in part} for part in parts)
    if first & second:
        msg = f"classes must be two different ones, got {(first & second).pop()!r} twice"
        raise ValueError(msg)
    keep = np.array([name in first | second for name in names])
    y = np.where([name in first for name in names], 1.0, -1.0)
    return X[keep], y[keep], (negative, positive)


def understood(X: Array, y: Array, classes: tuple[str, str], *, label: str = "label", total: int) -> str:
    """Return in one line what rows with labels were taken for: sizes, and which class is which sign.

    Parameters
    ----------
    X, y, classes
        From `two_classes`.
    label : str
        What the column of labels is called.
    total : int
        Number of rows before those of other classes were left out.
    """
    signs_of = zip(("+1", "−1"), reversed(classes), (y > 0, y < 0), strict=True)
    counted = ", ".join(f"{name} → {sign} ({int(which.sum())})" for sign, name, which in signs_of)
    left = f" ({total - len(X)} of other classes left out)" if total > len(X) else ""
    return f"{many(len(X), 'row')}{left}, {many(X.shape[1], 'feature')}, {label}: {counted}"


def many(count: int, what: str) -> str:
    """Return a count with its noun: "1 row", "2 rows"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _not_two(names: list[str], present: list[str], source: str) -> str:
    """Return the error for labels that are not two values, with the option to paste."""
    listed = ", ".join(present[:10]) + (", ..." if len(present) > 10 else "")
    msg = f"classes must be two, but {source} has {len(present)} in its labels: {listed}"
    if len(present) > _MANY_CLASSES and all(map(is_number, present)):
        return f"{msg}; these labels look continuous: {len(present)} values in {len(names)} rows"
    by_spelling: dict[Decimal | str, list[str]] = {}
    for name in present:
        by_spelling.setdefault(_spelling(name), []).append(name)
    joined = list(by_spelling.values())
    alike = [" and ".join(group) for group in joined if len(group) > 1]
    if alike:
        one = "the first becomes +1, | joins what is one"
        msg += f", where {', '.join(alike)} differ in spelling alone; name two, {one}: "
    elif len(present) > 2:
        msg += "; name two, the first becomes +1: "
    groups = joined if len(joined) > 1 else [[name] for name in present]
    if len(groups) > 1:
        counts = Counter(names)
        often = sorted(groups, key=lambda group: -sum(counts[name] for name in group))[:2]
        first, second = ("|".join(group) for group in sorted(often, key=groups.index, reverse=True))
        pasted = f"--classes {shlex.quote(f'{first},{second}')}, in Python "
        msg += f"{'' if ',' in first + second else pasted}classes=({first!r}, {second!r})"
    return msg


def class_pairs(rows: Rows, *, source: str) -> list[tuple[str, str]]:
    """Return all pairs of classes, in each the later one first.

    Raises
    ------
    ValueError
        If there is one class alone or too many to be classes, or two differ in spelling alone.
    """
    names = list(map(class_name, rows.labels))
    present = in_order(set(names))
    if not 2 <= len(present) <= _MANY_CLASSES or len(set(map(_spelling, present))) < len(present):
        raise ValueError(_not_two(names, present, source).replace("two", "two or more", 1))
    return [(first, second) for second, first in combinations(present, 2)]


def _spelling(name: str) -> Decimal | str:
    """Return what names that differ in case alone, or in how a number is written, have in common."""
    with suppress(InvalidOperation):  # of exponents beyond all
        return Decimal(name) if is_number(name) else name.casefold()
    return name


def split(
    X: Array,
    y: Array,
    classes: tuple[str, str],
    test_fraction: float,
    standardise: str,
    *,
    seed: int,
    name: str,
) -> Dataset:
    """Shuffle, split and standardise real data.

    Parameters
    ----------
    X, y, classes
        From `two_classes`.
    test_fraction : float in (0, 1)
        Share of the rows held out, rounded down, at least one.
    standardise : {"none", "center", "zscore", "ball"}
        See `STANDARDISATIONS`.
    seed : int
        Of the shuffle.
    name : str
        Passed on.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If fewer than 4 rows, one class only in the training part, or constant data.
    """
    if len(X) < 4:
        msg = f"data must have at least 4 rows of the two classes, got {len(X)} in {name}"
        raise ValueError(msg)
    check_varies(X, name)
    order = np.random.default_rng(seed).permutation(len(X))
    num_test = max(1, int(test_fraction * len(X)))
    test, train = order[:num_test], order[num_test:]
    if len(set(y[train])) < 2:
        msg = f"data must have both classes in its training part, got one in {name}"
        raise ValueError(msg)
    return _prepared((X[train], y[train]), (X[test], y[test]), classes, standardise, name)


def _prepared(
    train: tuple[Array, Array], test: tuple[Array, Array], classes: tuple[str, str], how: str, name: str
) -> Dataset:
    X, X_test = standardised(train[0], test[0], how, name)
    prepared = f"features {PREPARED.get(how, 'as they are')}"
    return Dataset(name, X, train[1], X_test, test[1], classes, prepared)


def check_varies(X: Array, name: str) -> None:
    """Check that not all rows are equal."""
    if (X[0] == X).all():
        msg = f"data must not be constant, got {len(X)} equal rows in {name}"
        raise ValueError(msg)


def standardised(train: Array, test: Array, how: str, name: str) -> tuple[Array, Array]:
    """Return both sets of points prepared as `how` says, by the training points alone."""
    if how == "none":
        return train, test
    # A feature that never varies carries nothing: it becomes exactly 0.  (Its rounded mean would leave a
    # rounding error behind, which division by an equally tiny deviation would blow up.)
    varies = (train != train[0]).any(axis=0)
    sizes = np.abs(np.concatenate([train, test])).max(axis=0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = np.where(varies, train.mean(axis=0), train[0])
        deviations = np.where(varies, train.std(axis=0), 1.0)
    lost = ~(np.isfinite(deviations) & (deviations > 0)) | (sizes > _LARGEST)
    if lost.any():
        column = int(lost.argmax())
        msg = (
            f"features must have sizes and deviations that can be squared, got entries up to "
            f"{sizes[column]:.3g} in feature {column + 1} of {name}; rescale it, or use 'none'"
        )
        raise ValueError(msg)
    rounding = np.finfo(np.float64).eps * sizes
    if (varies & (rounding > _LOST * deviations)).any():
        column = int((varies * rounding / deviations).argmax())
        msg = (
            f"features must vary by more than their rounding, got entries up to {sizes[column]:.3g} that "
            f"differ by {np.ptp(train[:, column]):.3g} at most in feature {column + 1} of {name}, which "
            "float64 rounds; subtract what they have in common before, or leave the feature out"
        )
        raise ValueError(msg)
    scale = deviations if how == "zscore" else np.ones(train.shape[1])
    if how == "ball":
        parts = [part - mean for part in (train, test)]
        largest = max(float(np.linalg.norm(part, axis=1).max()) for part in parts)
        return parts[0] * (math.sqrt(train.shape[1]) / largest), parts[1] * (
            math.sqrt(train.shape[1]) / largest
        )
    parts = []
    for part in (train, test):
        rows = (part - mean) / scale
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rounding = 4 * np.finfo(np.float64).eps * np.linalg.norm(np.abs(train).max(axis=0) / scale)
        if (norms <= rounding).any():
            msg = f"rows must differ from the mean to be scaled, got one equal to it in {name}; use 'none'"
            raise ValueError(msg)
        parts.append(rows * (np.sqrt(train.shape[1]) / norms))
    return parts[0], parts[1]


def is_number(text: str) -> bool:
    """Return whether a text stands for a real number in plain ASCII, be it NaN or infinite.

    Digits of other scripts and underscores, which Python reads, are no numbers in a file.
    """
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def class_name(label: object) -> str:
    """Return the name of a class: that of its number for 1, 1.0, "1.0" and "+1"; else the text.

    Numbers are those that a program would write: "007" and "1E1" are text.  Bytes are in UTF-8.
    """
    return _named(label.decode() if isinstance(label, bytes) else str(label))


@lru_cache(maxsize=1024)
def _named(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        return text
    number = Context(prec=len(text)).normalize(Decimal(text))
    return "0" if not number else f"{number:f}" if abs(number.adjusted()) <= _LONGEST else str(number)


def in_order(names: set[str]) -> list[str]:
    """Return names in the order of their numbers if each is one, − before +, else that of the alphabet."""
    if names == {"-", "+"}:  # in the order of codes + comes first
        return ["-", "+"]
    if all(map(_PLAIN.fullmatch, names)):
        return sorted(names, key=Decimal)
    return sorted(names, key=lambda name: (name.casefold(), name))
