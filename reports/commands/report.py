"""`perturblearn report`: networks trained, compared with the theory, and a page of it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from reports.commands.options import Classes, Files, Format, Names, Run, Standardise, Typed


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Report:
    """Options of `perturblearn report`.

    Parameters
    ----------
    data
        digits, shifted-gaussian, gaussian, breast-cancer, iris, wine, mnist, fashion-mnist, a file, or a
        folder of IDX files; one section each (default: digits shifted-gaussian). Files: .csv, .tsv, .json,
        .npy with the label in the last column, .npz with arrays X, y or x_train, y_train; with the extra
        files .parquet, .feather, .xlsx.
    preset
        quick and lazy: wide; published: far from lazy.
    seeds
        Number of seeds, at least 2 (default: the preset's).
    out
        Output folder; what is trained is kept in its folder runs, and the same command does what is missing.
    overwrite
        Replace a report of other experiments in the output folder.
    format
        Format of the report; results.json is written beside it; pdf: printed by Chromium.
    device
        cpu, cuda or cuda:N.
    executor
        serial, processes or dask://host:port (default: processes for much work on the CPU).
    jobs
        Number of processes (default: one a core).
    """

    data: Names | None = None
    preset: Literal["quick", "lazy", "published"] = "quick"
    seeds: int | None = None
    out: Path = Path("perturblearn-report")
    overwrite: bool = False
    format: Format = "html"
    device: str = "cpu"
    executor: str | None = None
    jobs: int | None = None


@Parameter(name="*", group="Data")
@dataclass(frozen=True, kw_only=True)
class Data(Files):
    """Options of the data of `perturblearn report`.

    Parameters
    ----------
    classes
        Two classes A,B: A becomes +1, B becomes -1 (default: of two classes the later one is +1); A|C joins
        two; all: a report for each pair, and a page that lists them.
    standardise
        How features are prepared (scalar-mean: images only; of a file: zscore, up to 3 features ball).
    test_fraction
        Share of real data held out, in (0, 1).
    dim
        d of Gaussian data.
    num_train
        N of Gaussian data and of images.
    num_test
        Test points of Gaussian data and of images.
    shift
        Class means ±shift·1 of shifted Gaussian data.
    """

    classes: Classes | None = None
    standardise: Standardise | None = None
    test_fraction: float | None = None
    dim: int | None = None
    num_train: int | None = None
    num_test: int | None = None
    shift: float | None = None


@Parameter(name="*", group="Setting (default: the preset's)")
@dataclass(frozen=True, kw_only=True)
class Setting:
    """Options of the networks of `perturblearn report`.

    Parameters
    ----------
    widths
        Increasing widths, separated by commas.
    negative_slope
        γ of the leaky ReLU, in [0, 1).
    loss
        Loss that both networks are trained with.
    scenario
        a: perturbations alone; b: added to samples.
    epsilon
        ε, the L2 norm of perturbations (√d if absent).
    T_f
        Flow time of f; without momentum learning rate × steps.
    T_g
        Flow time of g, in the same unit.
    num_steps
        Steps of gradient descent.
    momentum
        Heavy-ball momentum, in [0, 1).
    targets
        Target labels of perturbations.
    precision
        Precision of the networks.
    """

    widths: str | None = None
    negative_slope: float | None = None
    loss: Literal["identity", "logistic", "squared", "exponential"] | None = None
    scenario: Literal["a", "b"] | None = None
    epsilon: float | None = None
    T_f: float | None = None
    T_g: float | None = None
    num_steps: int | None = None
    momentum: float | None = None
    targets: Literal["random", "balanced"] | None = None
    precision: Literal["float32", "float64"] | None = None


def report(
    *, options: Report = Report(), data: Data = Data(), setting: Setting = Setting(), command: Typed
) -> Run:
    """Train networks, compare them with the theory, write an HTML page and results.json."""
    from reports.making import make

    return partial(make, options, data, setting, command=command)
