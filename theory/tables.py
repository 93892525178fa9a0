"""Results with a value a point as tables: pandas frames, and HTML and LaTeX for notebooks."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

_MOST = 20  # rows that a notebook shows


class Tabular(ABC):
    """What has named columns, one row a point."""

    @abstractmethod
    def _columns(self) -> Mapping[str, Any]:
        """Return the columns, of one length, or single values for all rows."""

    def to_frame(self) -> Any:  # noqa: ANN401
        """Return a pandas DataFrame, one row a point.

        Raises
        ------
        ImportError
            If pandas is not installed, saying what to install.
        """
        try:
            import pandas  # noqa: PLC0415
        except ImportError as error:
            msg = "to_frame needs pandas: pip install pandas"
            raise ImportError(msg) from error
        return pandas.DataFrame(self._arrays())

    def _arrays(self) -> dict[str, Any]:
        columns = {name: np.atleast_1d(np.asarray(value)) for name, value in self._columns().items()}
        made = np.broadcast_arrays(*columns.values())
        return {
            name: array.astype(str) if array.dtype == object else array
            for name, array in zip(columns, made, strict=True)
        }

    def _cells(self) -> list[list[str]]:
        arrays = self._arrays()
        rows = [
            [cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row]
            for row in zip(*(array[:_MOST].tolist() for array in arrays.values()), strict=True)
        ]
        more = len(next(iter(arrays.values()))) - len(rows)
        return [list(arrays), *rows, *([[f"{more} more"] + [""] * (len(arrays) - 1)] if more else [])]

    def _repr_html_(self) -> str:
        head, *rows = ([html.escape(cell) for cell in row] for row in self._cells())
        lines = ["<th>" + "</th><th>".join(head) + "</th>"]
        lines += ["<td>" + "</td><td>".join(row) + "</td>" for row in rows]
        return "<table><tr>" + "</tr><tr>".join(lines) + "</tr></table>"

    def _repr_latex_(self) -> str:
        rows = [
            " & ".join(rf"\text{{{cell.replace('_', chr(92) + '_')}}}" for cell in row)
            for row in self._cells()
        ]
        columns = "r" * len(self._arrays())
        return rf"$$\begin{{array}}{{{columns}}}" + r" \\ ".join(rows) + r"\end{array}$$"
