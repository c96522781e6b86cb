"""Reports the progress of a comparison."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Stage = Literal["reading", "noise", "stylizing", "measuring", "page", "finished"]


@dataclass(frozen=True)
class CompareProgress:
    """``done`` of ``total`` frames of all sequences of this stage; ``what``: the one that is worked on now.

    ``seconds_left``: of this stage; None: not known yet. ``warnings``: whole sentences, all so far.
    """

    stage: Stage
    what: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    warnings: tuple[str, ...] = ()


class Meter:
    """Holds the progress and reports it."""

    def __init__(self, listener: Callable[[CompareProgress], None] | None) -> None:
        self.now = CompareProgress("reading")
        self._listener = listener
        self._started = time.monotonic()

    def begin(self, stage: Stage, total: int) -> None:
        self._started = time.monotonic()
        self._tell(CompareProgress(stage, total=total, warnings=self.now.warnings))

    def at(self, what: str, done: int, *, made: int = 0) -> None:
        """``made``: how many of ``done`` were made in this run, all others being there already."""
        seconds_left = None
        if made:
            seconds_left = (time.monotonic() - self._started) / made * (self.now.total - done)
        self._tell(replace(self.now, what=what, done=done, seconds_left=seconds_left))

    def warn(self, *warnings: str) -> None:
        """Each one is told once."""
        new = tuple(dict.fromkeys(text for text in warnings if text not in self.now.warnings))
        if new:
            self._tell(replace(self.now, warnings=self.now.warnings + new))

    def _tell(self, now: CompareProgress) -> None:
        self.now = now
        if self._listener is not None:
            self._listener(now)
