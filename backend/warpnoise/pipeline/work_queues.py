"""Two bounded work queues, each with a thread: one prefetches frames, the other writes edited frames.

The memory stays constant because a full queue makes its producer wait. If a thread raises an exception, the same
exception is raised in the thread that uses the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from warpnoise.errors import stop_if

T = TypeVar("T")

_POLL_SECONDS = 0.05
_END = object()


@contextmanager
def prefetch(items: Generator[T], size: int, cancelled: Callable[[], bool] | None = None) -> Iterator[Iterator[T]]:
    """Runs a generator in a thread: ``size`` items wait, and one is being made.

    Leaving the ``with`` block stops the thread after the item that it works on, and closes the generator there. The
    iterator raises what the generator raised, and Cancelled as soon as ``cancelled()`` is true.
    """
    thread = ThreadPoolExecutor(1, "warpnoise-read")
    ahead: deque[Future[Any]] = deque(thread.submit(next, items, _END) for _ in range(max(size, 1) + 1))

    def read() -> Iterator[T]:
        while True:
            stop_if(cancelled, "cancelled while frames were read")
            if not wait([ahead[0]], _POLL_SECONDS).done:
                continue
            if (item := ahead.popleft().result()) is _END:
                return
            ahead.append(thread.submit(next, items, _END))
            yield item

    with closing(items):
        try:
            yield read()
        finally:
            thread.shutdown(cancel_futures=True)


@contextmanager
def write_queue(write: Callable[[T], None], size: int) -> Iterator[Callable[[T], None]]:
    """Gives ``put(item)``: a thread calls ``write(item)`` for each, in order, at most ``size`` items behind. ``put``
    waits while the queue is full, and raises what an earlier ``write`` raised.

    Leaving the ``with`` block waits until all is written: finished work stays, also when something else went wrong.
    After the first item that could not be written, the others are dropped.
    """
    behind: deque[Future[None]] = deque()
    failed = False

    def run(item: T) -> None:
        nonlocal failed
        if not failed:
            try:
                write(item)
            except BaseException:
                failed = True
                raise

    with ThreadPoolExecutor(1, "warpnoise-write") as thread:

        def put(item: T) -> None:
            while behind and (failed or len(behind) > max(size, 1)):
                behind.popleft().result()
            behind.append(thread.submit(run, item))

        yield put
    for written in behind:
        written.result()
