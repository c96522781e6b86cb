"""Two bounded work queues with a thread each: one prefetches what is read, one writes what was edited.

Memory stays constant because a full queue makes its producer wait. An exception in a thread is raised again, itself, in
the thread that uses it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar

from warpnoise.errors import stop_if

T = TypeVar("T")

_POLL_SECONDS = 0.05
_END = object()


class Prefetch(Generic[T]):
    """Runs an iterator in a thread: ``size`` items wait, and one is being made.

    Leaving the ``with`` block stops the thread after the item that it works on, and closes the iterator there.
    """

    def __init__(self, items: Iterator[T], size: int, cancelled: Callable[[], bool] | None = None) -> None:
        self._items = items
        self._cancelled = cancelled
        self._thread = ThreadPoolExecutor(1, "warpnoise-read")
        self._ahead: deque[Future[T | object]] = deque()
        for _ in range(max(size, 1) + 1):
            self._read_one()

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
        close = getattr(self._items, "close", None)
        if close is not None:
            close()

    def __iter__(self) -> Prefetch[T]:
        return self

    def __next__(self) -> T:
        """The next item. Raises what the iterator raised, and Cancelled as soon as ``cancelled()`` is true."""
        first = self._ahead[0]
        while True:
            stop_if(self._cancelled, "cancelled while frames were read")
            if wait([first], _POLL_SECONDS).done:
                break
        if (item := first.result()) is _END:
            raise StopIteration
        self._ahead.popleft()
        self._read_one()
        return item  # type: ignore[return-value]

    def _read_one(self) -> None:
        self._ahead.append(self._thread.submit(next, self._items, _END))


class WriteQueue(Generic[T]):
    """Calls ``write(item)`` in a thread for each item that was put, in order, at most ``size`` items behind.

    Leaving the ``with`` block waits until all that was put is written: finished work stays, also when something else
    went wrong. After the first item that could not be written, the others are dropped.
    """

    def __init__(self, write: Callable[[T], None], size: int) -> None:
        self._write, self._size = write, max(size, 1)
        self._thread = ThreadPoolExecutor(1, "warpnoise-write")
        self._behind: deque[Future[None]] = deque()
        self._failed = False

    def __enter__(self) -> WriteQueue[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        for written in self._behind if error is None else ():
            written.result()

    def put(self, item: T) -> None:
        """Hand an item over; waits while the queue is full. Raises what an earlier ``write`` raised."""
        while self._behind and (self._failed or len(self._behind) > self._size):
            self._behind.popleft().result()
        self._behind.append(self._thread.submit(self._run, item))

    def _run(self, item: T) -> None:
        if self._failed:
            return
        try:
            self._write(item)
        except BaseException:
            self._failed = True
            raise
