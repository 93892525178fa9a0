"""Python processes that begin with what takes seconds to import: copies of one that has done so.

They have their own arguments, streams, folder, environment, session and signals, and end as any other.  Where
a test is about what is imported, or about what is read meanwhile, it starts Python itself: copies have one
thread in torch, UTF-8 streams, one seed of hashes, and no limits of their caller.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import types
import warnings
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
MODULES = ("reports.cli", "reports.measured", "empirics.falsify", "empirics.orthogonal.experiment")
PATIENCE = 100.0  # seconds, of a busy machine, until a process begins


@functools.cache
def _server():
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = os.environ | one_thread | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=there, env=environment, cwd=ROOT, start_new_session=True
    )
    there.close()
    atexit.register(process.wait)
    atexit.register(here.close)  # at which it ends; the last is the first
    return here


class _Popen(subprocess.Popen):
    """A process that another one starts, and tells its status."""

    def _execute_child(self, args, *rest):
        cwd, env, streams, new_session = rest[4], rest[5], rest[9:15], rest[20]
        assert args[0] == sys.executable
        assert (rest[1], tuple(rest[3]), rest[19], rest[21]) == (None, (), -1, -1)  # what copies do not know
        self._told, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._told.settimeout(PATIENCE)
        words = [list(map(str, args[1:])), str(cwd or Path.cwd()), dict(env or os.environ), new_session]
        given = [number if fd == -1 else fd for number, fd in enumerate((streams[0], streams[3], streams[5]))]
        with there:
            socket.send_fds(_server(), [json.dumps(words).encode()], [*given, there.fileno()])
        self.pid = int(self._told.recv(64))
        self._told.settimeout(None)  # how long it runs is its caller's to limit
        self._child_created = True
        self._close_pipe_fds(*streams)

    def _try_wait(self, wait_flags):
        if wait_flags & os.WNOHANG and not select.select([self._told], [], [], 0)[0]:
            return 0, 0
        with self._told:
            return self.pid, int(self._told.recv(64))

    def _internal_poll(self, *_, **__):
        if self.returncode is None and (found := self._try_wait(os.WNOHANG))[0]:
            self._handle_exitstatus(found[1])
        return self.returncode


# Elsewhere libraries of the system do not bear copies of a process that has loaded them.
Popen = _Popen if sys.platform == "linux" else subprocess.Popen


def run(arguments, **options):
    """Do as `subprocess.run`, for the arguments of Python."""
    if Popen is _Popen:
        _server()  # is a process, too, which has to start in the common way
    with mock.patch.object(subprocess, "Popen", Popen):
        return subprocess.run(arguments, **options)  # noqa: PLW1510  (its caller says)


# In the process that is copied ----------------------------------------------------------------------------


def _serve():
    """Return what is to be run, in a copy of this process for each; end with the process that asks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in MODULES:
            importlib.import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1  # no thread, which a copy would lack
    gc.freeze()  # else a copy looks through all of it when it ends
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asked = socket.socket(fileno=os.dup(0))
    while True:
        said, fds, _, _ = socket.recv_fds(asked, 1 << 17, 4)
        if not said:
            os._exit(0)
        if os.fork() == 0:
            break
        for fd in fds:
            os.close(fd)
    asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        for fd in fds[:3]:
            os.close(fd)
        os.write(fds[3], str(os.waitpid(child, 0)[1]).encode())
        os._exit(0)
    arguments, folder, environment, new_session = json.loads(said)
    if new_session:
        os.setsid()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(fds[number], number)
        stream = os.fdopen(number, "w" if number else "r", 1 if number == 2 else -1, "utf-8", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.write(fds[3], str(os.getpid()).encode())
    for fd in fds:
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def _become(arguments):
    """Do what `python` does with such arguments."""
    if arguments[0] == "-W":
        sys.warnoptions.append(arguments[1])
        warnings.simplefilter(arguments[1])
        arguments = arguments[2:]
    own = {str(ROOT), str(ROOT / "tests")}  # of the process that is copied
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [*given, *(path for path in sys.path if path not in own)]
    kind, *rest = arguments
    if kind == "-c":
        sys.argv[:] = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        sys.path.insert(0, "")
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    elif kind == "-m":
        sys.argv[:] = rest
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = arguments
        sys.path.insert(0, str(Path(kind).resolve().parent))
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    _become(_serve())
