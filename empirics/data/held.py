"""Arrays in memory as a source of data."""

import hashlib
import io
import json
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from empirics.data.dataset import Dataset, Rows, check_classes, check_preparation, own_dataset
from empirics.data.file import rows_of_arrays
from theory.validation import as_points, check_frames, frame_names

_NAMES = ("X", "y", "X_test", "y_test")


class _Digest(str):
    """A digest that holds what it is of: a plan, which names arrays by it, keeps them."""

    __slots__ = ("rows",)
    rows: Rows

    def __deepcopy__(self, _memo: object) -> Self:
        return self


# By digest, as long as anything holds that: a configuration read from a plan finds its arrays again.
_HELD: weakref.WeakValueDictionary[str, Rows] = weakref.WeakValueDictionary()


@dataclass(frozen=True, init=False)
class ArrayData:
    """Points and labels in memory; two of them are equal if their content and options are.

    Parameters
    ----------
    X : array, shape (N, d)
        Of numpy, torch or jax, a data frame of pandas, or (without `y`) a ``Bunch`` of scikit-learn.
    y : array, shape (N,)
        Labels, numbers or text; of two values or with `classes`.
    X_test, y_test : arrays, shapes (Q, d) and (Q,), optional
        Test points; a share `test_fraction` of X is held out if absent.
    name : str
        Of the data set and of the file that `archive` is written to.
    classes, test_fraction, standardise
        As for `FileData`.
    digest : str
        Of arrays that this process holds already, in place of them.

    Raises
    ------
    ValueError, TypeError
        If shapes, types or values do not fit, columns or rows of data frames are in another order than those
        they belong to, or the process holds no arrays with this digest.
    """

    digest: str  # SHA-256 of the content
    name: str = "arrays"
    classes: tuple[str, str] | None = None
    test_fraction: float = 0.3
    standardise: str = "auto"

    def __init__(
        self,
        X: Any = None,  # noqa: ANN401  (of any library)
        y: Any = None,  # noqa: ANN401
        X_test: Any = None,  # noqa: ANN401
        y_test: Any = None,  # noqa: ANN401
        *,
        name: str = "arrays",
        classes: tuple[str, str] | None = None,
        test_fraction: float = 0.3,
        standardise: str = "auto",
        digest: str | None = None,
    ) -> None:
        check_preparation(test_fraction, standardise, auto=True)
        check_classes(classes)
        if not isinstance(name, str) or not name or any(mark in name for mark in "/\\\0\n"):
            msg = f"name must be that of a file, got {name!r}"
            raise ValueError(msg)
        if X is None:
            rows = _HELD.get(digest or "")
            if rows is None:
                msg = f"arrays must be given again, as this process does not hold any with digest {digest}"
                raise ValueError(msg)
        else:
            rows = _rows(X, y, X_test, y_test)
        own = _Digest(_digest(rows))
        own.rows = _HELD.setdefault(own, rows)
        values = (own, name, classes, test_fraction, standardise)
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)

    def read(self) -> Rows:
        """Return the points and the names of their classes."""
        assert isinstance(self.digest, _Digest)
        return self.digest.rows

    def load(self, seed: int) -> Dataset:
        """Map the classes and split with `seed`."""
        return own_dataset(
            self.read(),
            name=self.name,
            source=self.name,
            classes=self.classes,
            test_fraction=self.test_fraction,
            standardise=self.standardise,
            seed=seed,
        )

    def content_hash(self) -> str:
        """Return the SHA-256 (hex) of the content."""
        return self.digest

    def archive(self) -> bytes:
        """Return the .npz file of the arrays, from which `FileData` loads the same data sets."""
        rows, stream = self.read(), io.BytesIO()
        arrays: dict[str, Any] = {"X": rows.X, "y": np.array(rows.labels)}
        if rows.X_test is not None and rows.labels_test is not None:
            arrays |= {"X_test": rows.X_test, "y_test": np.array(rows.labels_test)}
        np.savez(stream, **arrays)
        return stream.getvalue()


def _rows(X: Any, y: Any, X_test: Any, y_test: Any) -> Rows:  # noqa: ANN401
    if y is None and {"data", "target"} <= set(dir(X)):  # a Bunch
        names = getattr(X, "target_names", None)
        X, y = X.data, X.target
        plain = np.asarray(y)
        if names is not None and plain.ndim == 1 and plain.dtype.kind in "iu" and plain.max() < len(names):
            y = np.asarray(names)[plain]
    given = {"X": X, "y": y, "X_test": X_test, "y_test": y_test}
    columns = frame_names(X, "columns")
    if isinstance(X, tuple) and y is None:
        msg = f"X must be an array, got a tuple of {len(X)}: give X and y as two arguments"
        raise TypeError(msg)
    if y is None or isinstance(y, str):
        msg = "y must be given: one label a row of X" if y is None else f"y must be an array, got {y!r}"
        if columns:
            label = y if y in columns else columns[-1]
            msg += f"; of a data frame, give X.drop(columns={label!r}) and X[{label!r}]"
        raise ValueError(msg)
    check_frames(given)
    arrays = {name: _plain(name, value) for name, value in given.items() if value is not None}
    for name in ("X", "X_test"):
        if name in arrays:
            as_points(name, arrays[name])
    rows = rows_of_arrays(arrays, _NAMES)
    label = getattr(y, "name", None)  # of a series
    return replace(rows, label=label) if isinstance(label, str) and label else rows


def _plain(name: str, value: Any) -> np.ndarray:  # noqa: ANN401
    """Return an array of numpy: of a tensor its values, of objects numbers or text if all are of one type."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        msg = f"{name} must be an array of numbers or text, got {type(value).__name__}: {error}"
        raise TypeError(msg) from error
    if array.dtype == object:
        items: Sequence[Any] = array.ravel().tolist()
        kinds = {type(item) for item in items}
        if len(kinds) == 1 and kinds <= {str, int, float, bool, bytes}:
            return np.array(array.tolist())
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        msg = f"{name} must be an array of numbers or text, of one type, got {found}"
        raise TypeError(msg)
    return array


def _digest(rows: Rows) -> str:
    said = json.dumps([rows.X.shape, rows.labels, rows.labels_test, rows.X_test is None])
    digest = hashlib.sha256(said.encode())
    for points in (rows.X, rows.X_test):
        if points is not None:
            digest.update(np.ascontiguousarray(points).tobytes())
    return digest.hexdigest()
