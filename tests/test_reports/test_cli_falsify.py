"""The command that searches for counter-examples."""

import subprocess
import sys

import pytest

from reports.cli import main


def test_published_form_is_refuted_by_a_file_that_runs(tmp_path, capsys):
    """Any seed finds one; this one is followed to the end, where the file reproduces it."""
    path = tmp_path / "found" / "counter_example.py"
    assert main(["falsify", "published", "--seed", "1", "--out", str(path)]) == 0
    said = capsys.readouterr().out
    assert "violated" in said
    assert f"counter-example: {path}" in said
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr  # it reproduces


@pytest.mark.parametrize("inequality", ["displacement", "margin"])
def test_what_is_true_is_not_refuted(inequality, tmp_path, capsys):
    """Probability to fail: 1e-6 for the margin theorem, none for the displacement."""
    path = tmp_path / "counter_example.py"
    small = ["--evaluations", "20", "--max-width", "256", "--error-probability", "1e-6"]
    assert main(["falsify", inequality, *small, "--out", str(path)]) == 0
    assert capsys.readouterr().out.startswith("not found")
    assert not path.exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--margin", "0"], "margin must be > 0, got 0"),
        (["--error-probability", "1"], "error_probability must"),
        (["--out", "found.txt"], "out must end in .py, got 'found.txt'"),
    ],
)
def test_bad_input_is_one_line(flags, message, capsys):
    assert main(["falsify", "published", *flags]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
