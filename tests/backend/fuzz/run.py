"""Reads hundreds of damaged and hostile files: no crash, no hang, no flood of memory, no unclean error.

    python -m tests.backend.fuzz.run [--seed 0] [--minutes 10] [--scale 1]

Cases are made of whole files by the seed and read in another process. What one case does wrong is printed with its
name; the exit status is 1 if there was any. ``make fuzz`` runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import multiprocessing.connection
import sys
import tempfile
import time
import warnings
from pathlib import Path

from .kinds import KINDS

HANG_SECONDS = 20.0
MOST_BYTES = 1 << 30
"""Of memory that a case may take beyond what the process had before."""
START_SECONDS = 300.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--scale", type=float, default=1, help="times as many cases")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    wrong = 0
    for kind, count in KINDS.items():
        wrong += run_kind(kind, round(count * given.scale), given.seed, end)
    print(f"seed {given.seed}: {wrong} wrong" if wrong else f"seed {given.seed}: nothing wrong")
    return 1 if wrong else 0


def run_kind(kind: str, count: int, seed: int, end: float) -> int:
    """Runs the cases of one kind; returns how many went wrong. A process that dies or hangs is begun again after it."""
    begun, done, wrong, refused, peak, slowest = time.monotonic(), 0, 0, 0, 0, 0.0
    with tempfile.TemporaryDirectory(prefix="warpnoise-fuzz-") as folder:
        while done < count and time.monotonic() < end:
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context("spawn").Process(
                target=_work, args=(kind, count, seed, done, Path(folder) / str(done), theirs), daemon=True
            )
            child.start()
            theirs.close()
            seconds, name = START_SECONDS, f"the start of {kind}"
            while done < count and time.monotonic() < end:
                try:
                    if not ours.poll(seconds):
                        wrong, done = wrong + 1, done + 1
                        print(f"{name}: no end within {seconds:.0f} s", flush=True)
                        break
                    answer = ours.recv()
                except (EOFError, ConnectionError):
                    child.join(5)
                    wrong, done = wrong + 1, done + 1
                    print(f"{name}: the process ended with {child.exitcode}", flush=True)
                    break
                seconds = HANG_SECONDS
                if isinstance(answer, str):
                    name = answer
                    continue
                problem, was_refused, taken, took = answer
                peak, slowest = max(peak, taken), max(slowest, took)
                if taken > MOST_BYTES:
                    problem = f"{taken >> 20} MiB of memory"
                done, refused, wrong = done + 1, refused + was_refused, wrong + bool(problem)
                if problem:
                    print(f"{name}: {problem}", flush=True)
            child.kill()
            child.join(5)
    print(
        f"{kind}: {done} of {count} cases in {time.monotonic() - begun:.0f} s, {refused} refused, {wrong} wrong; "
        f"slowest {slowest:.1f} s, at most {peak >> 20} MiB",
        flush=True,
    )
    return wrong + (done < count)


def _work(
    kind: str, count: int, seed: int, first: int, folder: Path, pipe: multiprocessing.connection.Connection
) -> None:
    from .cases import cases, unclean  # here, so that the process that watches is small

    warnings.simplefilter("ignore")
    folder.mkdir()
    for number, case in enumerate(cases(kind, count, seed, folder)):
        if number < first:
            continue
        pipe.send(case.name)
        begun = time.monotonic()
        problem, refused = "", False
        with Gauge() as gauge:
            try:
                case.read()
            except Exception as error:
                problem, refused = unclean(error), True
        pipe.send((problem, refused, gauge.taken, time.monotonic() - begun))


class Gauge:
    """``taken``: the bytes of memory that the block took at its peak, beyond what the process had before (Linux)."""

    taken = 0

    def __enter__(self) -> Gauge:
        self._before = _start_peak()
        return self

    def __exit__(self, *_: object) -> None:
        self.taken = max(_memory("VmHWM") - self._before, 0)


def _start_peak() -> int:
    """Begins to measure the peak of memory anew (Linux) and returns what is taken now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(field: str) -> int:
    """Bytes; 0 where the system does not say."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(f"{field}:")), 0)


if __name__ == "__main__":
    sys.exit(main())
