"""Files of results: what is sound is read as it was, what is damaged is one error with file and field."""

import json
import random
from dataclasses import MISSING, fields

import pytest

from reports import SCHEMA_VERSION, schema
from reports.schema import SchemaError, check, read, written
from reports.verdicts import Claim


@pytest.fixture
def results(tiny_results):
    return json.loads(json.dumps(tiny_results))


@pytest.fixture(scope="module")
def text(tiny):
    return written(tiny)


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
    assert f"the folder holds {what}, which has none; " in said
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


def test_results_are_read_as_they_were(tiny, text, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    assert read(path) == read(tmp_path) == tiny
    assert written(read(path)) == text


def test_results_without_a_checksum_are_read(results, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    assert read(path) == check(results)


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
        changed = text[:index] + str(int(text[index]) + 1) + text[index + 1 :]
        if json.loads(changed) == json.loads(text):
            continue  # a last digit of 17 can leave the float as it was
        path.write_text(changed, encoding="utf-8")
        with pytest.raises(SchemaError):
            read(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "must hold JSON, but is damaged or truncated: "),
        (b"\xff\xfe{}", "damaged or truncated: "),
        (b"[" * 100_000, "recursion"),
        (b'{"schema_version": NaN}', "damaged or truncated: "),
        (b'{"schema_version": -Infinity}', "damaged or truncated: "),
        (b'{"schema_version": 1e400}', "damaged or truncated: "),
        (b"9" * 5000, "Integer value out of range"),
        (b"[]", "results must have the form of a report's results: expected `object`, got `array`"),
        (b"{}", "missing required field `schema_version`"),
        (b'{"schema_version": 999}', f"schema_version must be {SCHEMA_VERSION} here, got 999"),
        (b'{"schema_version": 1}', f"schema_version must be {SCHEMA_VERSION} here, got 1"),
        (b'{"schema_version": "4"}', "schema_version must be"),
        (b'{"schema_version": true}', "schema_version must be"),
        (b'{"schema_version": %d}' % SCHEMA_VERSION, "missing required field `provenance`"),
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


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_numbers_that_are_not_finite_are_not_written(results, number):
    results["provenance"]["seconds"] = number
    with pytest.raises(ValueError, match="not JSON compliant"):
        written(check(results))


def _leaves(value, keys=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key, (*keys, key)
        yield from _leaves(item, (*keys, key))


def test_values_of_another_kind_are_refused_and_named_by_their_place(results):
    """Five hundred places of all; a source of data and the versions have fields of their own."""
    own = {"data", "versions"}
    places = [(*place, path) for *place, path in _leaves(results) if not own & set(path)]
    for holder, key, path in random.Random(0).sample(places, 500):
        value, holder[key] = holder[key], b"neither"
        with pytest.raises(SchemaError, match=rf"^{path[0]}.* must have the form of a report's results"):
            check(results)
        holder[key] = value
    check(results)


@pytest.mark.parametrize("record", ["sections", "phi", "claims"])
def test_no_field_may_be_missing(results, record):
    holder = results[record][0] if record != "phi" else results[record]
    optional = (
        {"needed", "signs"}
        if record != "claims"
        else {f.name for f in fields(Claim) if f.default is not MISSING}
    )
    for name in set(holder) - optional - {"numbers"}:
        value = holder.pop(name)
        with pytest.raises(SchemaError, match=f"missing required field `{name}`"):
            check(results)
        holder[name] = value


def test_displacements_have_one_count_a_bin(results):
    for name in ("measured", "crossed", "predicted"):
        results["sections"][1]["drift"][0]["g"][name].pop()
    with pytest.raises(
        SchemaError, match=r"drift\[0\] must .*: g must have one count a bin, got 39 for 41 edges"
    ):
        check(results)


def test_lists_that_go_together_have_one_length(results):
    results["sections"][0]["scatter"]["f"]["measured"].pop()
    with pytest.raises(
        SchemaError,
        match=r"scatter\.f must have .*: must have lists of one length, got predicted 6, measured 5",
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
        (_misplace, "claims must have the name of a section or null, got 'elsewhere'"),
        (_three_classes, "expected `array` of length 2, got 3"),
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
    with pytest.raises(
        SchemaError, match=r"partial\.sections\[0\]\.name must have .* expected `str`, got `int`"
    ):
        check(results)
