"""Runs a scenario in processes of its own, and kills each at another file operation."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from .operations import KILLED, die_at

Scenario = Callable[[Path], None]
"""What a process does to a folder: a function at a module's top, so that another process can import it."""

PATIENCE_SECONDS = 300.0


class Children:
    """Processes forked from one that has imported ``preload`` already, and has no threads yet.

    Without ``preload`` each starts from nothing: Blender cannot be forked. ``without``: a folder from which they import
    nothing, for what Blender adds to the path.
    """

    def __init__(self, preload: Sequence[str] = (), *, without: Path | None = None) -> None:
        self._path = [place for place in sys.path if without is None or not Path(place).is_relative_to(without)]
        self._context: Any = multiprocessing.get_context("forkserver" if preload else "spawn")
        if not preload:
            return
        self._context.set_forkserver_preload(list(preload))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, self._path)))  # Python 3.11 passes no path
            forkserver.ensure_running()

    def run(self, scenario: Scenario, folder: Path, number: int | None = None) -> bool:
        """Runs it on a folder to its end, or kills it at operation ``number``. Whether it came to its end."""
        process = self._context.Process(target=_child, args=(scenario, folder, number))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "path", self._path)
            process.start()
        process.join(PATIENCE_SECONDS)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"{scenario.__name__} hangs, to be killed at operation {number}")
        assert process.exitcode in (0, KILLED), f"exit status {process.exitcode} at operation {number}"
        return bool(process.exitcode == 0)

    def kill_everywhere(self, scenario: Scenario, before: Path, work: Path) -> Iterator[tuple[str, Path]]:
        """For each file operation of the scenario what a process leaves that is killed at it.

        Each has a copy of ``before``, a folder, at ``work``: one path, as files may hold it.

        Yields:
            what was done to the process, for messages, and ``work``.
        """
        number = 0
        while True:
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(before, work)
            if self.run(scenario, work, number):
                assert number > 0, f"{scenario.__name__} changes no file"
                return
            yield f"killed at operation {number}", work
            number += 1


def _child(scenario: Scenario, folder: Path, number: int | None) -> None:
    if number is not None:
        die_at(number, folder)
    scenario(folder)
