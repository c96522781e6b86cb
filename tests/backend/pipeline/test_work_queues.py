"""The threads: order, bounds, errors of their own type, and no wait that does not end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator

import pytest
from polling import poll
from warpnoise.errors import Cancelled, MediaError
from warpnoise.pipeline.work_queues import prefetch, write_queue

SECONDS = 10.0
"""Far longer than anything here takes."""


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def soon(condition: Callable[[], bool]) -> bool:
    return poll(condition, pause=0.001)


def in_time(work: Callable[[], None]) -> None:
    """Fails instead of hanging."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "it hangs"
    if failures:
        raise failures[0]


def test_items_come_in_order_and_the_end_stays_the_end() -> None:
    with prefetch((number for number in range(100)), 3) as ahead:
        assert list(ahead) == list(range(100))
        assert list(ahead) == []


def test_reading_runs_ahead_but_not_further_than_its_bound() -> None:
    made: list[int] = []

    def items() -> Generator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with prefetch(items(), 2) as ahead:
        assert soon(lambda: len(made) == 3), "two wait, one is in the hand"
        time.sleep(0.1)
        assert len(made) == 3
        assert next(ahead) == 0
        assert soon(lambda: len(made) == 4)


def test_an_error_in_the_reader_follows_the_read_items_and_keeps_its_type() -> None:
    def items() -> Generator[int]:
        yield 1
        yield 2
        raise MediaError("0003.exr is cut off")

    got = []

    def work() -> None:
        with prefetch(items(), 1) as ahead:
            for item in ahead:
                got.append(item)

    with pytest.raises(MediaError, match=r"0003\.exr is cut off"):
        in_time(work)
    assert got == [1, 2]


def test_leaving_early_stops_the_reader_and_closes_its_iterator() -> None:
    closed = threading.Event()

    def items() -> Generator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    def work() -> None:
        with prefetch(items(), 1) as ahead:
            next(ahead)
            raise ValueError("the model failed")

    with pytest.raises(ValueError, match="the model failed"):
        in_time(work)
    assert closed.is_set()


def test_cancelling_ends_a_wait_for_a_slow_reader() -> None:
    go_on, stop = threading.Event(), threading.Event()

    def items() -> Generator[int]:
        go_on.wait(SECONDS)
        yield 0

    def work() -> None:
        with prefetch(items(), 1, stop.is_set) as ahead:
            threading.Timer(0.05, stop.set).start()
            try:
                next(ahead)
            finally:
                go_on.set()

    with pytest.raises(Cancelled):
        in_time(work)


def test_all_that_was_put_is_written_in_order() -> None:
    written: list[int] = []
    with write_queue(written.append, 2) as put:
        for number in range(50):
            put(number)
    assert written == list(range(50))


def test_writing_is_not_further_behind_than_its_bound() -> None:
    go_on = threading.Event()
    taken: list[int] = []

    def fill(put: Callable[[int], None]) -> None:
        for number in range(10):
            put(number)
            taken.append(number)

    with write_queue(lambda _: go_on.wait(SECONDS) and None, 2) as put:
        filler = threading.Thread(target=fill, args=(put,))
        filler.start()
        assert soon(lambda: len(taken) == 3)
        time.sleep(0.1)
        assert len(taken) == 3
        go_on.set()
        filler.join(SECONDS)


def test_queued_items_are_written_even_if_the_work_fails() -> None:
    written: list[int] = []

    def work() -> None:
        with write_queue(written.append, 5) as put:
            for number in range(4):
                put(number)
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        in_time(work)
    assert written == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_an_error_in_the_writer_keeps_its_type_and_nothing_hangs(count: int) -> None:
    written: list[int] = []

    def write(number: int) -> None:
        if number == 0:
            raise MediaError("the disk is full")
        written.append(number)

    def work() -> None:
        with write_queue(write, 1) as put:
            for number in range(count):
                put(number)

    with pytest.raises(MediaError, match="the disk is full"):
        in_time(work)
    assert written == []


def test_the_first_of_two_errors_is_raised() -> None:
    def write(number: int) -> None:
        raise MediaError("the disk is full")

    def work() -> None:
        with write_queue(write, 1) as put:
            put(0)
            raise ValueError("the model failed")

    with pytest.raises(ValueError, match="the model failed"):
        in_time(work)
