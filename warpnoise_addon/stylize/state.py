"""The session that runs now, and how the last one ended. This is the only state outside Blender's own data."""

from __future__ import annotations

import atexit
import contextlib
import tempfile
import threading
from pathlib import Path

from .backends import BackendPool
from .session import Session
from .status import Status

pool = BackendPool()
session: Session | None = None
"""The run in the window, also after it has ended."""
last = Status()
"""The last status that was shown: of the run in the window, or of one in the background."""
cancel_requested = threading.Event()
"""Asks a run in the background to stop; the command's signal handler sets it."""
_unsaved_results: Path | None = None


def running() -> Session | None:
    """The session that has not ended, if there is one."""
    return session if session is not None and not session.over else None


def begin(new: Session) -> None:
    """Start a session. The caller has made sure that none runs."""
    global session, last
    session, last = new, Status(stage="backend")
    new.start()


def stop_all() -> None:
    """End whatever runs, and the backend. For another file, for disabling the add-on, for the end of Blender."""
    global session, last
    if session is not None:
        session.stop()
    session, last = None, Status()
    pool.discard()


def unsaved_results(temporary: str = "") -> Path:
    """A folder for the results of files that are not saved, in ``temporary`` (empty: the system's own place).

    It is made once a Blender and stays: results are in it.
    """
    global _unsaved_results
    if _unsaved_results is None or not _unsaved_results.is_dir():
        _unsaved_results = Path(tempfile.mkdtemp(prefix="warpnoise-", dir=temporary or None))
    return _unsaved_results


def has_unsaved_results() -> bool:
    """Whether ``unsaved_results`` has a folder already."""
    return _unsaved_results is not None and _unsaved_results.is_dir()


def register() -> None:
    atexit.register(stop_all)


def unregister() -> None:
    atexit.unregister(stop_all)
    with contextlib.suppress(OSError):
        if _unsaved_results is not None:
            _unsaved_results.rmdir()  # only if nothing is in it
    stop_all()
