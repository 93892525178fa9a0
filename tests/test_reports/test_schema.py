"""Files of results: what is sound is read as it was, what is damaged is one error with file and field."""

import copy
import json
import random

import pytest

from reports import SCHEMA_VERSION, schema, schema_fields
from reports.schema import SchemaError, check, fields, read, values, written

WRONG = {
    "text": 1,
    "text?": 1,
    "number": "1",
    "number?": "1",
    "count": -1,
    "count?": 0.5,
    "flag": 1,
    "flag?": 0,
    "verdict": "true",
    "list": {},
    "object": [],
}


@pytest.fixture
def results(tiny_results):
    return json.loads(json.dumps(tiny_results))


@pytest.fixture(scope="module")
def text(tiny_results):
    return written(tiny_results)


def _holder(value, place):
    """Return the list or object that holds a place such as sections[0].name, and the key there."""
    parts = place.replace("[", ".[").split(".")
    keys = [int(part[1:-1]) if part.startswith("[") else part for part in parts]
    for key in keys[:-1]:
        value = value[key]
    return value, keys[-1]


# Other folders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "what", "command"),
    [
        ({"blocks": []}, "a sweep", "sweep"),
        ({"kind": "orthogonal", "part": {}}, "a study of orthogonal samples", "orthogonal"),
    ],
)
def test_folder_of_another_command_is_named_as_such(tmp_path, plan, what, command):
    folder = tmp_path / "some results"
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(FileNotFoundError) as caught:
        read(folder)
    said = str(caught.value)
    assert f"the folder holds {what}, and render and compare are for reports" in said
    assert f"its page again: perturblearn {command} --out '{folder}'; " in said
    assert f"perturblearn index '{folder}' ..." in said


@pytest.mark.parametrize("plan", [None, "{", b"\xff"])
def test_folder_that_holds_nothing_known_is_named_alone(tmp_path, plan):
    if plan is not None:
        (tmp_path / "plan.json").write_bytes(plan if isinstance(plan, bytes) else plan.encode())
    with pytest.raises(
        FileNotFoundError, match=r"results must be a file that exists, got '.*results\.json'$"
    ):
        read(tmp_path)


# Sound ------------------------------------------------------------------------------------------------


def test_results_are_read_as_they_were(tiny_results, text, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    assert read(path) == read(tmp_path) == json.loads(json.dumps(tiny_results))
    assert written(read(path)) == text


def test_results_without_a_checksum_are_read(results, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    assert read(path) == results


def test_every_field_of_the_table_is_there(results):
    for path, _ in fields(results):
        if "map?" not in path and not path.startswith("phi.curves"):
            assert path.endswith("*") or list(values(results, path)) or "[]" in path, path


# Damaged ----------------------------------------------------------------------------------------------


def test_no_truncation_is_read(text, tmp_path):
    path = tmp_path / "results.json"
    end = len(text.rstrip())
    for length in [0, 1, end - 1, *random.Random(0).sample(range(2, end - 1), 40)]:
        path.write_text(text[:length], encoding="utf-8")
        with pytest.raises(SchemaError, match="must hold JSON, but is damaged or truncated: ") as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_every_changed_digit_is_found(text, tmp_path):
    path = tmp_path / "results.json"
    places = [index for index, character in enumerate(text) if character in "12345678"]
    for index in random.Random(1).sample(places, 25):
        path.write_text(text[:index] + str(int(text[index]) + 1) + text[index + 1 :], encoding="utf-8")
        with pytest.raises(SchemaError):
            read(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe{}", "utf-8"),
        (b"[" * 100_000, "recursion"),
        (b'{"schema_version": NaN}', "numbers must be finite, got NaN"),
        (b'{"schema_version": -Infinity}', "numbers must be finite, got -Infinity"),
        (b"9" * 5000, "4300"),
        (b"[]", "results must be an object, got []"),
        (b"{}", "must have schema_version, got none"),
        (b'{"schema_version": 999}', f"schema_version must be {SCHEMA_VERSION} here, got 999"),
        (b'{"schema_version": 1}', f"schema_version must be {SCHEMA_VERSION} here, got 1"),
        (b'{"schema_version": "4"}', "schema_version must be"),
        (b'{"schema_version": true}', "schema_version must be"),
        (b'{"schema_version": %d}' % SCHEMA_VERSION, "results must have provenance, got none"),
    ],
)
def test_what_is_no_results_is_one_error(content, what, tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(SchemaError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_beyond_float64_are_refused(results):
    for number in (float("inf"), float("nan"), 10**400):
        results["provenance"]["seconds"] = number
        with pytest.raises(SchemaError, match=r"provenance\.seconds must be a finite number, got"):
            check(results)


@pytest.mark.parametrize(
    ("path", "kind"),
    [field for field in schema_fields.FIELDS if field[0] != "schema_version"],  # a test of its own
)
def test_each_field_is_checked(tiny_results, path, kind):
    place, _ = list(values(tiny_results, path))[-1]
    if kind != "any":
        damaged = copy.deepcopy(tiny_results)
        holder, key = _holder(damaged, place)
        holder[key] = WRONG[kind]
        with pytest.raises(SchemaError) as caught:
            check(damaged)
        assert f"{place} must be " in str(caught.value)
    if not path.endswith(("[]", "*")):
        damaged = copy.deepcopy(tiny_results)
        holder, key = _holder(damaged, place)
        del holder[key]
        with pytest.raises(SchemaError) as caught:
            check(damaged)
        assert f"must have {place}, got none" in str(caught.value)


def test_displacements_have_one_count_a_bin(results):
    for name in ("measured", "crossed", "predicted"):
        results["sections"][1]["drift"][0]["g"][name].pop()
    with pytest.raises(SchemaError, match=r"drift\[0\]\.g must have one count a bin, got 39 for 41 edges"):
        check(results)


def test_lists_that_go_together_have_one_length(results):
    results["sections"][0]["scatter"]["f"]["measured"].pop()
    with pytest.raises(
        SchemaError, match=r"scatter\.f must have lists of one length, got predicted 6, measured 5"
    ):
        check(results)


def _drop_run(results):
    results["sections"][0]["runs"].pop()


def _rename(results):
    results["sections"][1]["name"] = results["sections"][0]["name"]


def _misplace(results):
    results["claims"][-1]["section"] = "elsewhere"


def _three_classes(results):
    results["sections"][0]["classes"].append("third")


def _no_sections(results):
    results["sections"] = []


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_drop_run, "runs must be one for each width and seed (9), got 8, without (256, 2)"),
        (_rename, "sections must have names that differ"),
        (_misplace, "section must be the name of a section or null, got 'elsewhere'"),
        (_three_classes, "classes must be two names"),
        (_no_sections, "sections must have names that differ, at least one"),
    ],
)
def test_parts_must_agree(results, damage, what):
    damage(results)
    with pytest.raises(SchemaError) as caught:
        check(results)
    assert what in str(caught.value)


def test_older_reports_are_refused(results):
    results["schema_version"] = schema.SCHEMA_VERSION - 1
    with pytest.raises(SchemaError, match="use the perturblearn that made the report"):
        check(results)


def test_partial_is_checked(results):
    results["partial"] = {"done": 1, "planned": 2, "missing": [], "sections": [{"name": 3}]}
    with pytest.raises(SchemaError, match=r"partial\.sections\[0\]\.name must be a text, got 3"):
        check(results)
