"""The workers of a Dask cluster as an executor, which may come and go while tasks run."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

_CONNECT_SECONDS = 10
# For how long a cluster may be without workers.  One that is restarted took up to 15 s on a busy machine.
_ALONE_SECONDS = 60.0
_LOOK_SECONDS = 1.0


class NoWorkersError(RuntimeError):
    """A cluster has had no workers for too long: the end of a sweep, not the result of a task."""


class Cluster(Executor):
    """The executor of a Dask client.

    Not the client's own (`get_executor`): a task of that one never ends if the worker that holds its finished
    result dies, and the task is given up when it is repeated.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401  (of an extra)
        self._client = client
        self._pending: dict[Future[Any], Any] = {}  # with their tasks, which the scheduler keeps as long
        self._closed = threading.Event()
        # Fetching a result that was lost waits until the task is repeated: others must not wait for it.
        self._fetchers = ThreadPoolExecutor(16, thread_name_prefix="fetch")
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        """Hand a task over, as any executor does."""
        future: Future[Any] = Future()
        task = self._client.submit(fn, *args, **kwargs, pure=False)
        self._pending[future] = task
        task.add_done_callback(lambda task: self._begin(task, future))
        return future

    def _begin(self, task: Any, future: Future[Any]) -> None:  # noqa: ANN401
        try:
            self._fetchers.submit(self._fetch, task, future)
        except RuntimeError:  # closed, maybe just now
            self._settle(future, CancelledError())

    def _watch(self) -> None:
        """End what is pending once there were no workers for too long: the scheduler would wait for ever.

        The scheduler itself is asked, as what the client remembers of it may be old.  No answer says nothing
        of the workers; a client that gives its scheduler up is closed, and then nothing can come any more.
        """
        alone_since = None
        while not self._closed.wait(_LOOK_SECONDS):
            if self._client.status == "closed":
                self._end(CancelledError())
                return
            try:
                alone = not self._client.nthreads()
            except Exception:
                alone = False
            now = time.monotonic()
            alone_since = (alone_since or now) if alone and self._pending else None
            if alone_since is not None and now - alone_since >= _ALONE_SECONDS:
                msg = (
                    f"cluster must have workers, got none for {_ALONE_SECONDS:g} s; if tasks end them, "
                    "--executor processes tells which"
                )
                self._end(NoWorkersError(msg))
                return

    def _end(self, error: BaseException) -> None:
        for future in list(self._pending):
            self._settle(future, error)

    def _settle(self, future: Future[Any], error: BaseException | None, result: Any = None) -> None:  # noqa: ANN401
        """Give a future its end, unless it has one."""
        if self._pending.pop(future, None) is None:  # whoever removes it, ends it
            return
        if isinstance(error, (CancelledError, asyncio.CancelledError)):
            future.cancel()
        if not future.set_running_or_notify_cancel():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _fetch(self, task: Any, future: Future[Any]) -> None:  # noqa: ANN401
        result, error = None, None
        try:
            result = task.result()
        except BaseException as caught:
            error = caught
        self._settle(future, error, result)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the watch; cancel what is pending, if nothing is waited for."""
        self._closed.set()
        if not wait or cancel_futures:
            self._client.cancel(list(self._pending.values()))
        self._fetchers.shutdown(wait=wait, cancel_futures=cancel_futures)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)


@contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """Open the executor of the cluster whose scheduler is at "dask://host:port".

    Raises
    ------
    OSError
        If no scheduler answers there.
    """
    from distributed import Client  # noqa: PLC0415  (an extra, and seconds to import)

    try:
        client = Client(address.replace("dask://", "tcp://", 1), timeout=_CONNECT_SECONDS)
    except OSError as error:
        msg = f"executor must be a scheduler that answers within {_CONNECT_SECONDS} s, got {address!r}"
        raise OSError(msg) from error
    try:
        with Cluster(client) as executor:
            yield executor
    finally:
        client.close()
