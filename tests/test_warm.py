"""A copy of a warmed process does what Python itself does; workers of pytest keep to one thread."""

import os
import signal
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from tests import warm

SAYS = """
import os, sys, signal, warnings
print(sys.argv[1:], os.getcwd(), os.environ.get("SAID"), os.environ.get("GONE"), os.getsid(0) == os.getpid())
print(sys.stdin.read(), sys.path[0] == SCRIPT, __name__, file=sys.stderr)
warnings.warn("told")
"""
ENDS = ["", "sys.exit(3)", "sys.exit('words')", "os.kill(os.getpid(), signal.SIGTERM)", "1 / 0"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["-c", "-m", "file"])
def test_a_copy_does_what_python_does(kind, end, tmp_path, monkeypatch):
    monkeypatch.setenv("GONE", "here")
    path = tmp_path / "says.py"
    folder = "" if kind == "-c" else str(tmp_path)
    code = f"SCRIPT = {folder!r}\n{SAYS}{end}"
    path.write_text(code, encoding="utf-8")
    what = {"-c": ["-c", code], "-m": ["-m", "says"], "file": [path]}[kind]
    kept = {name: value for name, value in os.environ.items() if name not in {"GONE", "PYTHONUNBUFFERED"}}
    found = [
        start(
            [sys.executable, *(["-W", "error"] * (end == "1 / 0")), *what, "x", "-y"],
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            env=kept | {"SAID": "γ", "PYTHONIOENCODING": "utf-8"},
            start_new_session=bool(end),
            check=False,
        )
        for start in (warm.run, subprocess.run)
    ]
    mine, real = [(one.returncode, one.stdout, one.stderr.splitlines()) for one in found]
    assert mine[:2] == real[:2]
    assert (mine[2][0], mine[2][-1]) == (real[2][0], real[2][-1])  # a traceback has lines of what copies


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_copy_is_waited_for_so_long_and_ends_with_a_signal(number):
    wait = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
    with warm.Popen(wait, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout.readline() == f"{process.pid}\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(100) == -number
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one worker may use all cores")
def test_each_of_several_workers_has_one_thread():
    """Numpy reads the variable when it is imported, which must come after `conftest` has set it."""
    found = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
    assert found == {int(os.environ["OMP_NUM_THREADS"])}
