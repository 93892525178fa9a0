"""One tiny report, built once and shared: a synthetic section and one of real data."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from empirics import DigitsData, ExperimentConfig, ShiftedGaussianData
from reports import Series, figures, provenance, render
from reports.build import build

Results = dict[str, Any]


@pytest.fixture(scope="session")
def tiny_series() -> tuple[Series, Series]:
    gaussian = ShiftedGaussianData(dim=3, num_train=8, num_test=6)
    digits = DigitsData(test_fraction=0.9)
    return (
        Series(base=ExperimentConfig(data=gaussian, width=1), widths=(16, 64, 256), seeds=(0, 1, 2)),
        Series(base=ExperimentConfig(data=digits, width=1, T_g=2.0), widths=(16, 64, 256), seeds=(0, 1)),
    )


@pytest.fixture(scope="session")
def tiny_provenance() -> dict[str, Any]:
    return provenance(command="perturblearn report --data tiny", device="cpu")


@pytest.fixture(scope="session")
def progress_calls() -> list[tuple[float, str]]:
    """Filled while `tiny_results` is built."""
    return []


@pytest.fixture(scope="session")
def tiny_results(
    tiny_series: tuple[Series, Series],
    tiny_provenance: dict[str, Any],
    progress_calls: list[tuple[float, str]],
) -> Results:
    """Shared, so never to be changed: see `fresh_results`."""
    return build(
        tiny_series,
        provenance=tiny_provenance,
        progress=lambda share, text: progress_calls.append((share, text)),
    )


@pytest.fixture(scope="session")
def light_results(tiny_results: Results) -> Callable[[], Results]:
    """Return a maker of copies without what only figures read; each copy is its caller's to change."""
    light = tiny_results | {"sections": [section | {"map": None} for section in tiny_results["sections"]]}
    text = json.dumps(light)
    return lambda: json.loads(text)


@pytest.fixture
def fresh_results(tiny_results: Results) -> Results:
    """A copy of the tiny results that a test may change."""
    return copy.deepcopy(tiny_results)


@pytest.fixture(scope="session")
def tiny_drawings(tiny_results: Results) -> dict[str, dict[str, str | None]]:
    """Return what there is to draw of each section."""
    sections = enumerate(tiny_results["sections"], start=1)
    return {f"s{index}": figures.section_figures(section, f"s{index}") for index, section in sections}


@pytest.fixture(scope="session")
def tiny_page(tiny_results: Results, tiny_drawings: dict[str, dict[str, str | None]]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "section_figures", lambda _, key: tiny_drawings[key])
        return render(tiny_results)


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch, tiny_drawings: dict[str, dict[str, str | None]]) -> None:
    """Show the drawings of the tiny results whatever the results: for tests of the rest of the page.

    Drawing takes nearly all the time of a page.
    """
    monkeypatch.setattr(figures, "section_figures", lambda _, key: tiny_drawings[key])
