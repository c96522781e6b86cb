"""How tests wait for what another thread or process does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def poll(ask: Callable[[], T], right: Callable[[T], bool] = bool, *, polls: int = 3000, pause: float = 0.01) -> T:
    """The first answer that is right, asked every ``pause`` seconds. Raises AssertionError after ``polls`` answers.

    A busy machine makes a poll longer, not their number smaller.
    """
    for _ in range(polls):
        answer = ask()
        if right(answer):
            return answer
        time.sleep(pause)
    raise AssertionError(f"after {polls} polls the answer is still {answer!r}")


def ends(pid: int) -> bool:
    """Waits until a process has ended."""

    def ended() -> bool:
        try:
            os.kill(pid, 0)
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (ProcessLookupError, FileNotFoundError):
            return True
        return stat.rpartition(")")[2].split()[0] == "Z"

    return poll(ended)
