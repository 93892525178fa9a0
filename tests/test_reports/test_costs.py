"""The page of costs: whole on its own, its numbers those of the file, the same bytes for the same results."""

import json
import re

import html5lib
import pytest

from empirics import costs
from empirics.costs import AXES, Costs, Row, slopes
from reports.cli import main
from reports.costs import NUMBERS, PAGE, Made, Results, figure, render, write
from reports.provenance import Machine
from tests.test_reports.made_up import plain


def results(peak=lambda x: 2**20 * x):
    rows = tuple(
        Row(
            axis=axis,
            solver=solver,
            x=x,
            seconds=(1e-3 * x**power,),
            least=1e-3 * x**power,
            peak_bytes=peak(x),
        )
        for axis, power in (("N", 2), ("dim", 1), ("width", 1), ("queries", 1))
        for solver in AXES[axis]
        for x in (16, 32, 64)
    )
    base = {"N": 16, "dim": 16, "width": 16, "queries": 16, "T": 1.0, "num_steps": 3}
    origin = Made(
        command="x",
        versions={"python": "3"},
        revision=None,
        blas_threads=1,
        machine=Machine(system="y", threads=1, device="cpu"),
    )
    return Results(base=base, repeats=1, rows=rows, slopes=slopes(rows), schema_version=1, provenance=origin)


def test_figures_say_the_slopes():
    made = figure(results(), "N", "seconds").svg
    assert made.count(": slope 2<") == 3
    assert "against number of samples N" in made
    assert figure(results(), "queries", "seconds") is None
    assert figure(results(), "queries", "seconds", "theory").svg.count(": slope 1<") == 4
    assert figure(results(), "dim", "bytes").svg.count(": slope 1<") == 3


@pytest.mark.parametrize("size", [None, 0])
def test_memory_that_is_not_known_is_not_drawn(size):
    made = results(peak=lambda _: size)
    assert figure(made, "N", "bytes") is None
    assert figure(made, "N", "seconds") is not None
    page = render(made)
    assert page.count("<figure>") == 6
    assert ("—" in page) or size == 0


def test_page_is_whole_and_the_same_for_the_same_results(tmp_path):
    page = render(results())
    document = html5lib.HTMLParser(strict=True).parse(page)
    assert document is not None
    assert page.count("<figure>") == 12
    (found,) = re.findall(r'<p class="short">([^<]*)</p>', page)
    assert found.startswith(
        "Time grows with a power of the number of samples N, fitted over all sizes: 2 for exact"
    )
    assert page.index(found) < page.index("<figure>") < page.index("What to do next") < page.index("<h2>")
    assert not re.search(r"<(script|link|img|iframe)", page)
    identifiers = re.findall(r'\sid="([^"]*)"', page)
    assert len(identifiers) == len(set(identifiers))
    folder = tmp_path / "costs"
    assert write(folder, results()) == folder / PAGE
    assert json.loads((folder / NUMBERS).read_text("utf-8")) == plain(results())
    assert (folder / PAGE).read_text("utf-8") == page


def test_command_writes_a_page(tmp_path, capsys, monkeypatch):
    def measure(*, repeats, progress):
        progress(1, 2)
        made = results()
        return Costs(base=made.base, repeats=repeats, rows=made.rows, slopes=made.slopes)

    monkeypatch.setattr(costs, "measure", measure)
    assert main(["costs", "--out", str(tmp_path), "--repeats", "2"]) == 0
    assert capsys.readouterr().out == f"page:    {tmp_path / PAGE}\n"
    written = json.loads((tmp_path / NUMBERS).read_text("utf-8"))
    assert written["repeats"] == 2
    assert written["provenance"]["command"] == "perturblearn costs --repeats 2"
    assert str(tmp_path) not in (tmp_path / NUMBERS).read_text("utf-8")


def test_command_tells_what_is_wrong(tmp_path, capsys):
    assert main(["costs", "--out", str(tmp_path), "--repeats", "0"]) == 2
    assert capsys.readouterr().err == "perturblearn: error: repeats must be >= 1, got 0\n"
    assert not list(tmp_path.iterdir())
