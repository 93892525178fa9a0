"""What commands are asked for: options of several of them, and all of those that engines take."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from reports.terminal import Show

# What a command returns: it does the work, shows how much is done, and returns what to print.
Run = Callable[[Show], str]

Format = Literal["html", "json", "md", "pdf"]
Standardise = Literal["scalar-mean", "none", "center", "zscore", "ball"]
# An option with one or more values, which may be given again for more.
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=(1, None), allow_repeating=True)]
Folders = Annotated[tuple[Path, ...], Parameter(consume_multiple=(1, None))]
# A,B, where A may begin with a minus.
Classes = Annotated[str, Parameter(allow_leading_hyphen=True)]
# Of a table in a file.
Header = Annotated[
    Literal["yes", "no"] | None,
    Parameter(help="Whether the first row of a table is a header (default: if it has no number)."),
]
Label = Annotated[
    str | None, Parameter(help="Column of the label: its name, or its number from 1 (default: the last).")
]
Decimal = Annotated[
    Literal["point", "comma"] | None,
    Parameter(help="Decimal mark of numbers in text (default: what one of them shows)."),
]


@dataclass(frozen=True, kw_only=True)
class Files:
    """Options of data in a table."""

    header: Header = None
    label: Label = None
    index: Annotated[
        str | None, Parameter(help="Column of a table that numbers or names its rows, and is no feature.")
    ] = None
    drop_missing: Annotated[bool, Parameter(help="Leave out rows of a table that lack a value.")] = False
    decimal: Decimal = None

    @property
    def asked(self) -> dict[str, str | bool]:
        """The options that were given, as those of a source of data."""
        names = [field.name for field in fields(Files)]
        return {name: value for name in names if (value := getattr(self, name)) not in (None, False)}


Study = Literal[
    "dimension", "perturbation-size", "width", "lazy", "depth", "balance", "transfer",
    "modules", "pairs", "training-time", "agreement", "floor",
]  # fmt: skip
# The command as it was typed, from `reports.cli`.
Typed = Annotated[str, Parameter(parse=False)]


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
        quick and lazy: wide; published: far from lazy; with --depth or --module: quick.
    seeds
        Number of seeds, at least 2 (default: the preset's; with --depth or --module 14).
    out
        Output folder; what is trained is kept in its folder runs (of --depth and --module: results), and the
        same command does what is missing.
    overwrite
        Replace a report of other experiments in the output folder.
    format
        Format of the report; results.json (report.json) is written beside it; pdf: printed by Chromium.
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
    depth
        Hidden layers, any number: a report of deep networks, predicted before training.
    rates
        With --depth: whether the first layer learns or all do (default: first).
    module
        A report of any torch module with one output: mlp, gelu-mlp, layer-norm-mlp, residual-mlp, cnn, or
        FILE.py:FUNCTION, which takes a seed and, by name, dim and width if it will.
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

    depth: int | None = None
    rates: Literal["first", "all"] | None = None
    module: str | None = None
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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Sweep(Files):
    """Options of `perturblearn sweep`.

    Parameters
    ----------
    published
        A block of the published grid.
    study
        A study.
    sweeps
        Some sweeps of a block (d, N, eps, m, ...) or study, separated by commas.
    solver
        Gradient flow, descent, or descent with momentum .9; of a published block, whose optimiser has
        momentum: flow or gd.
    size
        Size of a published block; small: smaller data, same ratios, of images bundled digits (8x8) in place
        of MNIST and Fashion-MNIST (default: full).
    balanced
        In a published block, as many target labels +1 as −1.
    data
        A source, or a file as of `report`.
    classes
        With --data: two classes A,B: A becomes +1, B becomes -1.
    set
        FIELD=VALUE: a field of all experiments, such as width=100 or data.dim=20; two classes:
        data.classes=3:8.
    axis
        FIELD=V,V,...: values of a field, such as width or data.dim; several axes: their product;
        T_f,T_g=1:1,2:4 for fields that go together; pairs of classes: data.classes=1:2,3:8.
    seeds
        Number of seeds, the first being 0 where points share them (blocks: 10; studies: 10 to 40).
    out
        Folder of results.
    device
        cpu, cuda or cuda:N; one for all results of a folder.
    executor
        serial, processes or dask://host:port (default: processes; for the first 4 s of little work, and on a
        GPU, this one).
    jobs
        Number of processes (default: one a core).
    retry_failed
        Try failed experiments again.
    merge
        Add the plan to the folder's, where it does not contain it.
    dry_run
        Check the plan and count, run nothing.
    """

    published: (
        Literal["msg-a", "msg-b", "g-a", "g-b", "mnist-a", "mnist-b", "fmnist-a", "fmnist-b"] | None
    ) = None
    study: Study | None = None
    sweeps: str | None = None
    solver: Literal["flow", "gd", "gd-momentum"] | None = None
    size: Literal["full", "small"] | None = None
    balanced: bool = False
    data: str | None = None
    classes: Classes | None = None
    set: Names | None = None
    axis: Names | None = None
    seeds: int | None = None
    out: Path = Path("perturblearn-sweep")
    device: str = "cpu"
    executor: str | None = None
    jobs: int | None = None
    retry_failed: bool = False
    merge: bool = False
    dry_run: bool = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Orthogonal(Files):
    """Options of `perturblearn orthogonal`.

    Parameters
    ----------
    published
        Published sweeps of a norm.
    study
        A study.
    data
        Data in hand: a source or a file of `report`.
    sweeps
        With --published: some of d,N,N_adv,eps, separated by commas (all).
    scale
        With --published: 1 for the published sizes (20).
    rule
        With --published: what a smaller size keeps (signal).
    classes
        With --data: two classes A,B: A becomes +1, B becomes -1.
    standardise
        With --data: how features are prepared; scalar-mean: images only (of a file: none).
    num_train
        With --data: keep N training samples.
    loss
        Loss that both networks are trained with (exponential).
    set
        FIELD=VALUE: a field of all experiments, such as width=20 or max_steps=2000; negative_slope is 0.01
        with --published; lists of a study: counts=2:5:10, ratios=0.1:0.5, slopes=0.3:0.8.
    seeds
        Seeds 0 to N-1 (10).
    out
        Folder of results.
    device
        cpu, cuda or cuda:N, where networks are trained and attacked; one for all results of a folder.
    executor
        serial, processes or dask://host:port (default: processes; for the first 4 s of little work, and on a
        GPU, this one).
    jobs
        Number of processes (default: one a core).
    dry_run
        Check the options and count, run nothing.
    """

    published: Literal["L2", "Linf", "L0"] | None = None
    study: Literal["turning", "orthogonality"] | None = None
    data: str | None = None
    sweeps: str | None = None
    scale: int | None = None
    rule: Literal["signal", "per-root"] | None = None
    classes: Classes | None = None
    standardise: Standardise | None = None
    num_train: int | None = None
    loss: Literal["exponential", "logistic"] | None = None
    set: Names | None = None
    seeds: int | None = None
    out: Path = Path("perturblearn-orthogonal")
    device: str = "cpu"
    executor: str | None = None
    jobs: int | None = None
    dry_run: bool = False
