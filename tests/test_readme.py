"""The Python of README.md runs as it stands, one snippet after the other in an empty folder."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("snippet", SNIPPETS, ids=[text.splitlines()[1] for text in SNIPPETS])
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


def test_there_are_snippets():
    assert len(SNIPPETS) == 5
