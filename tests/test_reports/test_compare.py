"""Comparisons: what changed beyond its spread, at the error probability that is stated."""

import copy
import math

import numpy as np
import pytest
from scipy import stats

from empirics.measure.result import Agreement, Cosines, Measures
from reports.claims.theorem import in_words
from reports.commands.compare import shown
from reports.compare import compare as compared, difference
from reports.inline import plain as plain_text
from reports.pages.comparison import page
from reports.schema import check
from tests.test_reports.made_up import plain


def checked(results):
    """Return JSON values as results, with the claims that their sections have."""
    names = {None, *(section["name"] for section in results["sections"])}
    return check(results | {"claims": [claim for claim in results["claims"] if claim["section"] in names]})


def compare(a, b, **options):
    """Return a comparison of JSON values as JSON values."""
    return plain(compared(checked(a), checked(b), **options))


GROUPS = {"f": Measures, "g": Measures, "cosines": Cosines, "agreement": Agreement}
# Eight others are; p-values are not compared.
NOT_DRAWN = {"error", "scale", "free_pvalue", "sign_match"}
FALSE_ALARM = 1e-6  # of each test here that draws numbers


def _rows(comparison, outcome):
    return [row for section in comparison["sections"] for row in section["rows"] if row["outcome"] == outcome]


@pytest.fixture
def other(tiny_results):
    return copy.deepcopy(tiny_results)


# Data -------------------------------------------------------------------------------------------------


def test_other_data_are_said_before_all_else(tiny_results, other, tmp_path):
    assert compared(check(tiny_results), check(other)).apart == []
    name = tiny_results["sections"][0]["name"]
    other["sections"][0]["config"]["data"]["test_fraction"] = 0.5
    said = f"Different data: {name} of other sources or options. Numbers may differ for that reason."
    found = compared(check(tiny_results), check(other))
    assert found.apart[0] == said
    text = page(found).markdown()
    assert text.index(said) < text.index("## Verdicts that changed")
    printed = shown(found)
    assert printed.index(said) < printed.index("Verdicts that changed")


# One quantity -----------------------------------------------------------------------------------------


def test_shared_seeds_are_paired_as_scipy_does():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=9), rng.normal(size=9)
    found = difference(dict(enumerate(x.tolist())), dict(enumerate(y.tolist())))
    expected = stats.ttest_rel(y, x)
    assert (found.kind, found.n, found.df) == ("paired", (9, 9), 8)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.difference == pytest.approx(y.mean() - x.mean(), rel=1e-12)


def test_seeds_apart_are_compared_by_welch_as_scipy_does():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=5), 3 * rng.normal(size=12)
    found = difference(dict(enumerate(x.tolist())), {100 + k: v for k, v in enumerate(y.tolist())})
    expected = stats.ttest_ind(y, x, equal_var=False)
    assert (found.kind, found.n) == ("independent", (5, 12))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.df == pytest.approx(expected.df, rel=1e-9)


def test_pairs_are_by_seed_whatever_their_order():
    a, b = {0: 1.0, 1: 2.0, 2: 4.0}, {2: 4.5, 0: 1.25, 1: 2.75}
    assert difference(a, b).difference == pytest.approx(0.5)
    assert difference(a, b).error == pytest.approx(0.25 / math.sqrt(3))
    assert difference(a, b | {9: 100.0}).n == (3, 3)  # seeds of one report alone are left out


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ({0: 1.0, 1: None}, {0: 1.0, 1: 2.0}, "a number is missing"),
        ({0: 1.0, 1: math.nan}, {0: 1.0, 1: 2.0}, "a number is missing"),
        ({0: 1.0}, {0: 2.0}, "fewer than two seeds"),
        ({0: 1.0}, {1: 2.0, 2: 3.0}, "fewer than two seeds"),
        ({0: 1.0, 1: 2.0}, {1: 2.0, 2: 3.0}, "one seed in common"),
        ({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0}, "the difference has no spread"),
        ({0: 0.1, 1: 0.2}, {0: 0.4, 1: 0.5}, "the difference has no spread"),  # but for rounding
        ({0: 1.0, 1: 1.0}, {2: 2.0, 3: 2.0}, "the difference has no spread"),
        ({0: 1e308, 1: -1e308}, {0: -1e308, 1: 1e308}, "overflow"),
    ],
)
def test_what_cannot_be_tested_is_unknown(a, b, reason):
    found = difference(a, b)
    assert (found.outcome, found.p) == ("unknown", None)
    assert found.reason.startswith(reason)


def test_equal_numbers_are_equal():
    assert difference({0: 1.0, 1: 2.0}, {1: 2.0, 0: 1.0}).outcome == "equal"
    assert difference({0: 1.0}, {0: 1.0}).outcome == "equal"
    assert difference({0: 1.0, 1: 1.0}, {2: 1.0, 3: 1.0}).outcome == "equal"
    assert difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 1.0}).outcome is None


# Two reports ------------------------------------------------------------------------------------------


def test_a_report_is_equal_to_itself(tiny_results, other):
    same = compare(tiny_results, other)
    assert (same["verdicts"], same["settings"], same["alone"]) == ([], [], [[], []])
    assert same["counts"]["beyond"] == same["counts"]["within"] == 0
    assert all(not section["fixed"] for section in same["sections"])
    assert list(same["counts"]) == ["beyond", "within", "equal", "unknown"]


def test_every_scalar_of_every_run_is_compared_with_both_means(tiny_results, other):
    for section, original in zip(
        compare(tiny_results, other)["sections"], tiny_results["sections"], strict=True
    ):
        rows = {(row["quantity"], row["widths"][0]): row for row in section["rows"]}
        for by_width in original["by_width"]:
            for group in ("f", "g", "cosines", "agreement"):
                for name, summary in by_width[group].items():
                    if name == "free_pvalue" or summary["mean"] is None:
                        continue
                    row = rows[f"{group}.{name}", by_width["width"]]
                    assert row["a"]["mean"] == pytest.approx(summary["mean"], rel=1e-12, abs=1e-300)
                    assert row["a"]["sd"] == pytest.approx(summary["sd"], rel=1e-9, abs=1e-15)
                    assert row["b"]["n"] == summary["n"]


def test_counts_of_points_are_compared_as_shares(tiny_results, other):
    """Another test set has another number of points: the same share of it is no change."""
    for section in other["sections"]:
        for run in section["runs"]:
            diagnosis = run["diagnosis"]
            inner = [value for value in diagnosis.values() if isinstance(value, dict)]
            for counts in (*run["certificates"].values(), diagnosis, *inner):
                counts |= {name: 3 * count for name, count in counts.items() if isinstance(count, int)}
    found = compare(tiny_results, other)
    rows = [row for section in found["sections"] for row in section["rows"]]
    shares = [row for row in rows if row["quantity"].startswith(("certificates.", "diagnosis."))]
    assert "certificates.flow.f, share of points" in {row["quantity"] for row in shares}
    assert all(row["a"] == row["b"] for row in shares if row["quantity"].endswith("share of points"))
    assert any(row["a"]["mean"] > 0 for row in shares)


def test_what_changed_is_found_and_nothing_else(tiny_results, other):
    section = other["sections"][0]
    for run in section["runs"]:
        if run["width"] == 64:
            run["f"]["mean_tau"] += 10 + 1e-4 * run["seed"]
    section["setting"]["T_f"] = 7.0
    section["largest_norm"] = 99.0
    changed = next(claim for claim in other["claims"] if claim["section"] == section["name"])
    changed["verdict"] = "unknown" if changed["verdict"] != "unknown" else "fails"
    found = compare(tiny_results, other)
    (row,) = _rows(found, "beyond")
    assert (row["quantity"], row["widths"], row["kind"], row["n"]) == (
        "f.mean_tau",
        [64, 64],
        "paired",
        [3, 3],
    )
    assert row["low"] < 10 < row["high"]
    assert [(r["name"], r["a"], r["b"]) for r in found["settings"]] == [("T_f", 1.0, 7.0)]
    assert [(r["key"], r["b"]["verdict"]) for r in found["verdicts"]] == [
        (changed["key"], changed["verdict"])
    ]
    assert [r["b"] for r in found["sections"][0]["fixed"]] == [99.0]


def test_reports_of_one_data_set_each_are_paired_whatever_its_name(tiny_results, other):
    one = tiny_results | {"sections": tiny_results["sections"][:1]}
    two = other | {"sections": other["sections"][1:]}
    (section,) = compare(one, two)["sections"]
    assert section["names"] == [one["sections"][0]["name"], two["sections"][0]["name"]]
    assert compare(tiny_results, two)["alone"] == [[one["sections"][0]["name"]], []]
    both = " and ".join(section["names"])
    changed = next(claim for claim in two["claims"] if claim["section"] == section["names"][1])
    changed["verdict"] = "unknown" if changed["verdict"] != "unknown" else "fails"
    found = compared(checked(one), checked(two))
    assert {row.section for row in found.settings} == {both}  # of no data set alone
    assert both in {row.section for row in found.verdicts} <= {both, None}
    assert f"({both})" in shown(found)
    assert found.sections[0].theorem == tuple(in_words(checked(each).sections[0]) for each in (one, two))


def test_the_page_says_what_changed_what_the_theorem_says_and_what_is_next(tiny_results, other):
    results, name = check(tiny_results), "The published theorem, arXiv 2410.23677"
    made = compared(results, check(other))
    found, table = page(made).sections[0].blocks
    rows = {plain_text(head): plain_text(cell) for head, cell in table.rows}
    assert plain_text(found.text).startswith("0 verdicts changed, 0 of ")
    for section in results.sections:
        assert rows[name].count(f"{section.name}: {in_words(section)}") == 1
    count = made.counts["unknown"]
    asked = f"{count} numbers cannot be told apart yet; more seeds may do it, with the commands of"
    assert asked in rows["What to do next"]
    assert rows["What to do next"].count("perturblearn") == 2


def test_reports_without_a_width_in_common_compare_their_widest(tiny_results, other):
    section = other["sections"][0]
    section["widths"] = [width + 1 for width in section["widths"]]
    for part in (*section["runs"], *section["by_width"]):
        part["width"] += 1
    found = compare(tiny_results, other)["sections"][0]
    assert (found["common"], found["widths"]) == (False, [[256, 257]])


def test_level_is_shared_by_all_rows(tiny_results, other):
    found = compare(tiny_results, other, error_probability=0.5)
    assert found["level"] == 0.5 / found["rows"]
    with pytest.raises(ValueError, match=r"error_probability must lie in \(0, 1\), got 0"):
        compare(tiny_results, other, error_probability=0.0)


def test_errors_are_as_rare_as_stated(tiny_results):
    # Normal values without any change; 300 families at error probability .2, paired and apart: the count of
    # families with a false row is binomial with at most .2, exact but for Welch's approximation.
    rng = np.random.default_rng(7)
    families, probability = 300, 0.2
    limit = stats.binom.isf(FALSE_ALARM, families, probability)
    section = tiny_results["sections"][0]
    for shift in (0, 100):
        wrong = 0
        for _ in range(families):
            pair = []
            for side in (0, 1):
                runs = [_drawn(rng, seed + side * shift) for seed in range(5)]
                seeds, by_width = [run["seed"] for run in runs], section["by_width"][:1]
                small = section | {"widths": [16], "seeds": seeds, "runs": runs, "by_width": by_width}
                pair.append(tiny_results | {"sections": [small]})
            found = compare(*pair, error_probability=probability)
            assert (found["tested"], found["rows"]) == (8, 10)  # two counts are equal
            wrong += found["counts"]["beyond"] > 0
        assert 0 < wrong <= limit


def _drawn(rng, seed):
    """A run of which eight numbers are known, and that no gradient was zero and no point differs."""
    names = [name for name in Measures.__struct_fields__ if name not in NOT_DRAWN]
    nothing = {name: dict.fromkeys(fields.__struct_fields__) for name, fields in GROUPS.items()}
    drawn = dict(zip(names, rng.normal(size=8).tolist(), strict=True))
    return nothing | {
        "width": 16,
        "seed": seed,
        "f": nothing["f"] | drawn,
        "conditions": [],
        "zero_gradients": 0,
        "certificates": {},
        "diagnosis": {"points": 100, "differ": 0, "causes": {}, "enough": {}, "unmet": {}},
    }
