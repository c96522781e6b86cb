"""Two bounded work queues with a thread each: one prefetches what is read, one writes what was edited.

Memory stays constant because a full queue makes its producer wait. Every wait ends when the other side is gone, and an
exception in a thread is raised again, itself, in the thread that uses it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from warpnoise.errors import Cancelled

T = TypeVar("T")

_POLL_SECONDS = 0.05
_END = object()


class Prefetch(Generic[T]):
    """Runs an iterator in a thread, at most ``size`` items ahead of whoever iterates over this.

    Leaving the ``with`` block stops the thread after the item that it works on, and closes the iterator there.
    """

    def __init__(self, items: Iterator[T], size: int, cancelled: Callable[[], bool] | None = None) -> None:
        self._items = items
        self._queue: queue.Queue[object] = queue.Queue(max(size, 1))
        self._cancelled = cancelled
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="warpnoise-read", daemon=True)

    def __enter__(self) -> Prefetch[T]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Prefetch[T]:
        return self

    def __next__(self) -> T:
        """The next item. Raises what the iterator raised, and Cancelled as soon as ``cancelled()`` is true."""
        while True:
            if self._cancelled is not None and self._cancelled():
                raise Cancelled("cancelled while frames were read")
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if item is _END:
                self._queue.put(_END)  # for whoever asks once more; there is room, nothing else comes
                if self._failure is not None:
                    raise self._failure
                raise StopIteration
            return item  # type: ignore[return-value]

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:
            self._failure = error
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
            self._put(_END)

    def _put(self, item: object) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


class WriteQueue(Generic[T]):
    """Calls ``write(item)`` in a thread for each item that was put, in order, at most ``size`` items behind.

    Leaving the ``with`` block waits until all that was put is written: finished work stays, also when something else
    went wrong. After the first item that could not be written, the others are dropped.
    """

    def __init__(self, write: Callable[[T], None], size: int) -> None:
        self._write = write
        self._queue: queue.Queue[object] = queue.Queue(max(size, 1))
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="warpnoise-write", daemon=True)

    def __enter__(self) -> WriteQueue[T]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(_END)
        self._thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def put(self, item: T) -> None:
        """Hand an item over; waits while the queue is full. Raises what an earlier ``write`` raised."""
        if self._failure is not None:
            raise self._failure
        self._queue.put(item)  # the thread goes on taking after a failure, so this wait ends

    def _run(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._failure is None:
                try:
                    self._write(item)  # type: ignore[arg-type]
                except BaseException as error:
                    self._failure = error
