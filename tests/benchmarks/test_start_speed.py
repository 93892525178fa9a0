"""How long the command takes to say a word: processes of their own, beside an empty Python."""

import subprocess
import sys

import pytest

WORDS = {
    "python": ["-c", ""],
    "theory": ["-c", "import theory"],
    "--version": ["-m", "reports", "--version"],
    "--help": ["-m", "reports", "--help"],
    "report --help": ["-m", "reports", "report", "--help"],
    "misspelt": ["-m", "reports", "report", "--seed", "3"],
}


@pytest.mark.benchmark(group="start-up")
@pytest.mark.parametrize("name", WORDS)
def test_start(benchmark, name):
    def start():
        return subprocess.run([sys.executable, *WORDS[name]], capture_output=True, check=False).returncode

    assert benchmark.pedantic(start, rounds=5, warmup_rounds=1) == (2 if name == "misspelt" else 0)
