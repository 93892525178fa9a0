"""`perturblearn phi`: the kernel matrix Φ of points in files."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from reports.options import Files, Run
from reports.terminal import Show

if TYPE_CHECKING:
    from theory.validation import Array


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Phi(Files):
    """Options of `perturblearn phi`.

    Parameters
    ----------
    label
        Column to leave out, by its name, or by its number from 1; none: all are coordinates (needed if one
        looks like a label).
    negative_slope
        γ of the leaky ReLU, in [0, 1).
    weight_variance
        σ_w² of the weights, > 0.
    bias_variance
        σ_b² of the biases, >= 0.
    out
        An .npy or .csv file (printed if absent).
    """

    label: str | None = None
    negative_slope: float = 0.0
    weight_variance: float = 1.0
    bias_variance: float = 1.0
    out: Path | None = None


def phi(points: Path, others: Path | None = None, /, *, options: Phi = Phi()) -> Run:
    """Print the kernel matrix Φ of points in files, or write it.

    Parameters
    ----------
    points
        Rows of Φ: an array (.npy), or a table of numbers (.csv, .tsv, .json, ...).
    others
        Columns of Φ (the same points if absent).
    """
    import theory
    from empirics.data.file import options_of, read_points
    from empirics.sweep import disk

    def run(_show: Show) -> str:
        out = options.out
        if out is not None and out.suffix not in {".npy", ".csv"}:
            msg = f"out must end in .npy or .csv, got {str(out)!r}"
            raise ValueError(msg)
        files = [path for path in (points, others) if path is not None]
        if out is not None:
            disk.check_output(out)
            disk.check_apart(out, files)
        tables = [path for path in files if path.suffix != ".npy"]

        def points_in(path: Path) -> "Array":
            asked: dict[str, Any] = dict(options.asked)
            asked = {name: asked[name] for name in asked if name in options_of(path.name)}
            if path not in tables and tables and not re.fullmatch("none|[1-9][0-9]*", options.label or ""):
                asked.pop("label", None)  # the name of a column of the table
            return read_points(path, **asked)

        for name in options.asked:
            if not any(name in options_of(path.name) for path in files):
                msg = f"--{name.replace('_', '-')} must come with a table, such as a .csv file"
                raise ValueError(msg)
        K = theory.phi(
            *map(points_in, files),
            negative_slope=options.negative_slope,
            weight_variance=options.weight_variance,
            bias_variance=options.bias_variance,
        )
        # Each number is the shortest text that reads back as the same one.
        table = "\n".join(",".join(map(repr, row)) for row in K.tolist())
        if out is None:
            return table
        if out.suffix == ".npy":
            disk.write_array(out, K)
        else:
            disk.write_text(out, table + "\n")
        return f"Φ, {K.shape[0]} × {K.shape[1]}: {out}"

    return run
