"""README.md: its Python runs as it stands in an empty folder, and what its tables name is there."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    "snippet",
    [
        # Those that train networks take longer.
        pytest.param(text, marks=pytest.mark.slow if re.search("empirics|reports", text) else ())
        for text in SNIPPETS
    ],
    ids=[text.splitlines()[1] for text in SNIPPETS],
)
def test_it_runs_and_prints_what_stands_below(snippet, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    after = README.split(f"```python\n{snippet}```")[1].split("```python")[0]
    for line in done.stdout.splitlines():
        assert f"    {line}\n" in after


def test_there_are_snippets_of_at_most_ten_lines():
    assert len(SNIPPETS) == 9
    assert max(len(list(filter(None, snippet.splitlines()))) for snippet in SNIPPETS) <= 10


ROWS = [line.split(" | ") for line in README.splitlines() if line.startswith("| ") and "`test_" in line]


def test_there_are_rows():
    assert len(ROWS) > 50
    assert all(len(row) in {3, 4} for row in ROWS)  # a column may be empty


@pytest.mark.parametrize("row", ROWS, ids=[row[0][2:42] for row in ROWS])
def test_functions_and_tests_of_a_row_are_there(row):
    package = ""
    for name in re.findall(r"`([a-z][\w.]+)`", row[1]):  # `theory.f_predict`, then `g_predict` of the same
        package = name.rpartition(".")[0] or package
        assert pkgutil.resolve_name(f"{package}.{name.rpartition('.')[2]}") is not None
    folder = TESTS
    for path in re.findall(r"`(test_[\w/.]+)`", row[-1]):
        found = TESTS / path if "/" in path else folder / path
        assert found.exists(), path
        folder = found.parent
