"""A report as an object: results, rows, figures, files, and itself in a notebook."""

import html
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Generic, TypeVar

from empirics.sweep import disk, executors
from reports import formats, schema, svg
from reports.build import build as run_series
from reports.claims.sweeps.rows import SweepResults
from reports.page import Page
from reports.presets import Series
from reports.provenance import provenance
from reports.render import page
from reports.results import Results
from reports.runs import NUMBERS, shown
from reports.sweeps.page import page_of, write_results
from reports.text import legible
from theory.validation import check_choice, check_kind

_R = TypeVar("_R", Results, SweepResults)


@dataclass(frozen=True, kw_only=True, repr=False)
class _Shown(ABC, Generic[_R]):
    """What results are shown as: rows of claims, figures, and themselves in a notebook."""

    results: _R

    @property
    def table(self) -> list[dict[str, str | bool | None]]:
        """One row for each claim, what was predicted and measured, the verdict, and how it was decided."""
        return [
            {
                "data": claim.section,
                "claim": claim.statement,
                "source": claim.source,
                "hypothesis": claim.hypothesis,
                "met": claim.met,
                "predicted": claim.predicted,
                "measured": claim.measured,
                "n": claim.samples,
                "verdict": claim.verdict,
                "decision": claim.decision,
            }
            for claim in self.results.claims
        ]

    @property
    def figures(self) -> dict[str, str]:
        """SVG texts that need no page, by name: "phi", "monte-carlo", and "DATA: NAME" for each data set."""
        return {name: svg.standalone(drawn) for name, drawn in self._page().figures.items()}

    @abstractmethod
    def _page(self) -> Page:
        """Return the page."""

    @abstractmethod
    def _names(self) -> Iterable[str]:
        """Return what it is a report of."""

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, which a notebook's styles do not reach, nor it theirs."""
        text = html.escape(self._page().html())
        style = "width:100%;height:800px;border:0"
        return f'<iframe sandbox="allow-downloads" srcdoc="{text}" title="report" style="{style}"></iframe>'

    def __repr__(self) -> str:
        verdicts = [claim.verdict for claim in self.results.claims]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in schema.VERDICTS if v in verdicts)
        return f"Report of {', '.join(map(legible, self._names()))}: {counts}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Report(_Shown[Results]):
    """A report made from results.

    Attributes
    ----------
    results : Results
    """

    @classmethod
    def read(cls, path: Path | str) -> "Report":
        """Return the report of a results.json, or of the folder it lies in; raises as `schema.read`."""
        return cls(results=schema.read(formats.as_path("path", path)))

    def write(
        self, folder: Path | str, format: formats.Format = "html", *, overwrite: bool = False
    ) -> list[Path]:
        """Write results.json and, except for "json", the report in this format; return the paths.

        Raises as `reports.formats.files`, and OSError if nothing can be written, or the folder holds a report
        of other experiments and `overwrite` is not said; all are written, or none.
        """
        place = formats.as_path("folder", folder)
        formats.check_output(place, format)
        check_kind("overwrite", overwrite, bool, "True or False")
        if not overwrite:
            sections = self.results.sections
            formats.check_replaced(place, ((s.config, s.widths, s.seeds) for s in sections))
        contents = formats.files(self.results, format)
        formats.write(place, contents)
        return [place / name for name in contents]

    def _page(self) -> Page:
        return page(self.results)

    def _names(self) -> Iterable[str]:
        return (section.name for section in self.results.sections)


@dataclass(frozen=True, kw_only=True, repr=False)
class SweepReport(_Shown[SweepResults]):
    """A report of networks of any depth or architecture.

    Attributes
    ----------
    results : SweepResults
    """

    def write(
        self, folder: Path | str, format: formats.Format = "html", *, overwrite: bool = False
    ) -> list[Path]:
        """Write report.json, report.html and, for "md" and "pdf", the report in this format.

        Raises ValueError or TypeError if an argument breaks its rule, and OSError if nothing can be written,
        or the folder holds another one and `overwrite` is not said.
        """
        place = formats.as_path("folder", folder)
        check_choice("format", format, formats.FORMATS)
        check_kind("overwrite", overwrite, bool, "True or False")
        numbers = place / NUMBERS
        disk.check_output(numbers)
        if numbers.exists() and not overwrite:
            msg = formats.another(place)
            raise FileExistsError(msg)
        return list(dict.fromkeys([numbers, write_results(place, self.results, format)]))

    def _page(self) -> Page:
        return shown(self.results, page_of)

    def _names(self) -> Iterable[str]:
        return (section.title for section in self.results.sections)


def build(
    all_series: Series | Sequence[Series],
    *,
    device: str = "cpu",
    command: str = "reports.build",
    executor: Executor | None = None,
) -> Report:
    """Run all experiments of a report and return it.

    Parameters
    ----------
    all_series : Series or sequence of Series
        One section each; `reports.series` makes them.
    device : str
        "cpu" or "cuda".
    command : str
        What the report says that it was made by.
    executor : concurrent.futures.Executor, optional
        Where experiments run; in this process, one after the other, if absent.

    Returns
    -------
    Report

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        If an argument breaks its rule, there is no series, or data cannot be loaded.
    RuntimeError
        If an experiment failed.

    Examples
    --------
    >>> from empirics import ExperimentConfig, ShiftedGaussianData
    >>> from reports import Series, build
    >>> data = ShiftedGaussianData(dim=3, num_train=8, num_test=6)
    >>> made = Series(base=ExperimentConfig(data=data, width=1), widths=(16, 64, 256), seeds=(0, 1))
    >>> build(made).results.sections[0].name
    'shifted-gaussian'
    """
    check_kind("all_series", all_series, (Series, Sequence), "a Series or a sequence of them")
    chosen = [all_series] if isinstance(all_series, Series) else list(all_series)
    for one in chosen:
        check_kind("all_series", one, Series, "a Series or a sequence of them")
    check_kind("executor", executor, (Executor, NoneType), "a concurrent.futures.Executor or None")
    if not chosen:
        msg = "all_series must be at least one, got none"
        raise ValueError(msg)
    results = run_series(
        chosen,
        provenance=provenance(command=command, device=device),
        device=device,
        pool=None if executor is None else executors.given(executor),
    )
    return Report(results=results)
