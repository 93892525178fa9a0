"""One tiny report, built once and shared, by workers as well: a synthetic section and one of real data."""

import copy
import fcntl
import json
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from empirics import DigitsData, ExperimentConfig, ShiftedGaussianData
from reports import Series, formats, provenance, render, svg
from reports.build import build
from reports.provenance import Origin
from reports.results import Results
from tests.test_reports.made_up import plain
from tests.test_reports.parsed import parse

Json = dict[str, Any]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], Any]], Any]:
    """Return a function that makes what several workers need, in the one that asks first."""

    def made(name: str, make: Callable[[], Any]) -> Any:
        if "PYTEST_XDIST_WORKER" not in os.environ:
            return make()
        path = tmp_path_factory.getbasetemp().parent / name
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                path.write_bytes(pickle.dumps(make()))
            return pickle.loads(path.read_bytes())

    return made


@pytest.fixture(scope="session")
def tiny_series() -> tuple[Series, Series]:
    gaussian = ShiftedGaussianData(dim=3, num_train=8, num_test=6)
    digits = DigitsData(test_fraction=0.9)
    return (
        Series(base=ExperimentConfig(data=gaussian, width=1), widths=(16, 64, 256), seeds=(0, 1, 2)),
        Series(base=ExperimentConfig(data=digits, width=1, T_g=2.0), widths=(16, 64, 256), seeds=(0, 1)),
    )


@pytest.fixture(scope="session")
def tiny_provenance() -> Origin:
    return provenance(command="perturblearn report --data tiny", device="cpu")


@pytest.fixture(scope="session")
def tiny_and_progress(
    tiny_series: tuple[Series, Series],
    tiny_provenance: Origin,
    made_once: Callable[[str, Callable[[], Any]], Any],
) -> tuple[Results, list[tuple[float, str]]]:
    def make() -> tuple[Results, list[tuple[float, str]]]:
        calls: list[tuple[float, str]] = []
        made = build(
            tiny_series,
            provenance=tiny_provenance,
            progress=lambda share, text: calls.append((share, text)),
        )
        return made, calls

    made: tuple[Results, list[tuple[float, str]]] = made_once("tiny", make)
    return made


@pytest.fixture(scope="session")
def progress_calls(tiny_and_progress: tuple[Results, list[tuple[float, str]]]) -> list[tuple[float, str]]:
    return tiny_and_progress[1]


@pytest.fixture(scope="session")
def tiny(tiny_and_progress: tuple[Results, list[tuple[float, str]]]) -> Results:
    return tiny_and_progress[0]


@pytest.fixture(scope="session")
def tiny_results(tiny: Results) -> Json:
    """JSON values of `tiny`; shared, so never to be changed: see `fresh_results`."""
    return plain(tiny)


@pytest.fixture(scope="session")
def light_results(tiny_results: Json) -> Callable[[], Json]:
    """Return a maker of copies without what only figures read; each copy is its caller's to change."""
    light = tiny_results | {"sections": [section | {"map": None} for section in tiny_results["sections"]]}
    text = json.dumps(light)
    return lambda: json.loads(text)


@pytest.fixture
def fresh_results(tiny_results: Json) -> Json:
    """A copy of the tiny results that a test may change."""
    return copy.deepcopy(tiny_results)


@pytest.fixture(scope="session")
def tiny_drawings(tiny: Results, made_once: Callable[[str, Callable[[], Any]], Any]) -> dict[str, str]:
    """Return what is drawn on axes by its name, which is unique on the page."""

    def make() -> dict[str, str]:
        drawn: dict[str, str] = {}
        drawing = svg.drawing

        def draw(paint: Callable[..., None], name: str, *args: Any, **options: Any) -> str:
            return drawn.setdefault(name, drawing(paint, name, *args, **options))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(svg, "drawing", draw)
            render(tiny)
        return drawn

    drawn: dict[str, str] = made_once("drawings", make)
    return drawn


@pytest.fixture(scope="session")
def tiny_page(tiny: Results, tiny_drawings: dict[str, str]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        _draw_once(patch, tiny_drawings)
        return render(tiny)


@pytest.fixture(scope="session")
def document(tiny_page: str) -> Any:
    return parse(tiny_page)


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch, tiny_drawings: dict[str, str]) -> None:
    """Show the drawings of the tiny results whatever the results: for tests of the rest of the page.

    Drawing takes nearly all the time of a page.
    """
    _draw_once(monkeypatch, tiny_drawings)


@pytest.fixture
def no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what is drawn on axes empty, for tests of what surrounds it."""
    monkeypatch.setattr(svg, "drawing", lambda _paint, name, *_, **__: f'<svg id="{name}"></svg>')


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing, for tests of what else is done."""
    monkeypatch.setattr(formats, "render", lambda results: f"page of {len(results.sections)} parts")


def _draw_once(patch: pytest.MonkeyPatch, drawings: dict[str, str]) -> None:
    patch.setattr(svg, "drawing", lambda _paint, name, *_, **__: drawings[name])


@pytest.fixture(autouse=True)
def _no_line_of_progress() -> Iterator[None]:
    """Tests that compare all of stderr take longer than 20 s on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.terminal.SILENCE", 1e6)
        yield
