"""Numbers behind figures and tables: all there, one click away, and equal to those of the results."""

import csv
import io
import json
import re
from urllib.parse import unquote

import html5lib
import numpy as np
import pytest

from reports import numbers, text
from tests.test_reports.parsed import HTML

# Of every section with pixels, a plane and simulated neurons.
NAMES = {
    "free", "drift_f", "drift_g", "error", "scatter_f", "scatter_g", "cosine", "over_time", "certified",
    "terms", "map", "predictors", "causes", "images",
}  # fmt: skip


@pytest.fixture(scope="module")
def linked(document):
    """Rows of every CSV on the page by the name it is saved under."""
    found = {}
    for link in document.iter(f"{HTML}a"):
        if link.get("class") == "csv":
            start, _, content = link.get("href").partition(",")
            assert start == "data:text/csv;charset=utf-8"
            rows = list(csv.reader(io.StringIO(unquote(content))))
            assert found.setdefault(link.get("download").removesuffix(".csv"), rows) == rows
    return found


def _floats(value):
    if isinstance(value, dict):
        return {number for item in value.values() for number in _floats(item)}
    if isinstance(value, list):
        return {number for item in value for number in _floats(item)}
    return {float(value)} if isinstance(value, (int, float)) else set()


def _texts(value):
    if isinstance(value, (dict, list)):
        return {t for item in (value.values() if isinstance(value, dict) else value) for t in _texts(item)}
    return {value} if isinstance(value, str) else set()


def _as_number(cell):
    try:
        return float(cell)
    except ValueError:
        return None


def test_every_figure_has_its_numbers_below_it(document):
    figures = list(document.iter(f"{HTML}figure"))
    assert len(figures) > 20
    for figure in figures:
        (details,) = figure.iter(f"{HTML}details")
        assert [link.get("class") for link in details.iter(f"{HTML}a")] == ["csv"]


def test_every_number_of_a_csv_is_one_of_the_results(linked, tiny_results):
    plain = json.loads(json.dumps(tiny_results))
    known, texts = _floats(plain), _texts(plain)
    assert {f"digits-1-vs-2-{name.replace('_', '-')}" for name in NAMES} <= set(linked)
    assert {"verdicts-agreement-s1", "verdicts-agreement-s2"} <= set(linked)
    for name, (columns, *rows) in linked.items():
        assert rows or name.endswith(("failed", "simulated-widths")), name
        cells = [_as_number(cell) for row in rows for cell in row if cell not in texts]
        assert {cell for cell in cells if cell is not None} <= known, name
        assert all(len(row) == len(columns) for row in rows), name


def test_csv_of_a_figure_holds_all_that_it_draws(linked, tiny_results):
    section = tiny_results["sections"][1]
    columns, *rows = linked["digits-1-vs-2-scatter-f"]
    assert columns == ["predicted", "measured"]
    drawn = section["scatter"]["f"]
    assert rows == [[repr(p), repr(q)] for p, q in zip(drawn["predicted"], drawn["measured"], strict=True)]
    columns, *rows = linked["digits-1-vs-2-drift-g"]
    counts = [int(row[columns.index("crossed")]) for row in rows]
    assert counts == [count for row in section["drift"] for count in row["g"]["crossed"]]
    columns, *rows = linked["digits-1-vs-2-map"]
    for name in ("f", "g", "f_b", "g_b"):
        values = [float(cell) for row in rows if row[0] == name for cell in row[2:]]
        assert values == section["map"][name]
    assert {row[0] for row in rows} <= {"f", "g", "f_b", "g_b", "certified"}
    columns, *rows = linked["digits-1-vs-2-images"]
    for name, pictures in section["images"]["pictures"].items():
        for number, values in enumerate(pictures, start=1):
            assert [float(row[columns.index(f"{name} {number}")]) for row in rows] == values


def test_points_of_the_map_have_columns_of_their_own(linked, tiny_results):
    columns, *rows = linked["digits-1-vs-2-map-points"]
    assert columns == ["label", "first axis", "second axis"]
    drawn = tiny_results["sections"][1]["map"]
    assert rows == [[repr(v) for v in (n, *at)] for n, at in zip(drawn["labels"], drawn["data"], strict=True)]


def test_csv_of_runs_is_every_run(linked, tiny_results):
    columns, *rows = linked["shifted-gaussian-runs"]
    runs = tiny_results["sections"][0]["runs"]
    for row, run in zip(rows, runs, strict=True):
        for group in ("f", "g", "cosines", "agreement"):
            for name, value in run[group].items():
                cell = row[columns.index(f"{group}.{name}")]
                assert cell == ("" if value is None else repr(value))


def test_numbers_below_a_figure_are_those_of_its_csv(document):
    for figure in document.iter(f"{HTML}figure"):
        for table in figure.iter(f"{HTML}table"):
            (link,) = (a for a in figure.iter(f"{HTML}a") if a.get("class") == "csv")
            columns, *rows = csv.reader(io.StringIO(unquote(link.get("href").partition(",")[2])))
            shown = [[("".join(cell.itertext())) for cell in row] for row in table.iter(f"{HTML}tr")]
            assert shown[0] == columns
            assert len(shown) == 1 + min(len(rows), numbers.SHOWN)
            for cells, row in zip(shown[1:], rows, strict=False):
                for cell, exact in zip(cells, row, strict=True):
                    number = _as_number(exact)
                    assert cell == (text.number(number, 6) if exact == "" or number is not None else exact)


def test_csv_reads_back_as_it_was():
    rows = [{"a": 0.1, "b": {"c": 1e-300, "d": None}, "e": [1], "f": 'x, "y"\n'}, {"a": 7, "f": "=SUM(A1)"}]
    table = numbers.records(rows)
    assert table.columns == ("a", "b.c", "b.d", "f")
    assert list(csv.reader(io.StringIO(table.csv()))) == [
        ["a", "b.c", "b.d", "f"],
        ["0.1", "1e-300", "", 'x, "y"\n'],
        ["7", "", "", "'=SUM(A1)"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "\n=", " \n\t-", "\u00a0@"])
def test_text_that_a_spreadsheet_would_compute_is_text(start):
    ((cell,),) = list(csv.reader(io.StringIO(numbers.records([{"a": f"{start}1"}]).csv())))[1:]
    assert cell == f"'{start}1"


def test_numbers_of_numpy_are_plain():
    row = {"a": np.float64(0.1), "b": np.int64(3), "c": np.float32(0.5), "d": -0.25, "e": True}
    assert numbers.records([row]).csv() == "a,b,c,d,e\n0.1,3,0.5,-0.25,True\n"


def test_hostile_text_stays_within_the_link():
    hostile = '"><script>alert(1)</script>&<a href="x'
    link = str(numbers.records([{"name": hostile}]).link("name"))
    assert link.count("<") == 2
    assert re.fullmatch(r'<a class="csv" download="[^"]*" href="[^"<>]*">CSV</a>', link)
    (element,) = html5lib.parseFragment(link, treebuilder="etree")
    assert unquote(element.get("href").partition(",")[2]) == numbers.records([{"name": hostile}]).csv()


def test_columns_must_have_one_length():
    with pytest.raises(ValueError, match="shorter"):
        numbers.of_columns({"a": [1], "b": []})
