"""Ends this process at a file operation, as the out-of-memory killer or a power cut would: nothing is cleaned up."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLED = 77
"""The exit status of a process that ended itself here."""

_CHANGES = {"os.rename": (0, 2), "os.remove": (0, 1), "os.mkdir": (0, 2), "os.rmdir": (0, 1), "os.truncate": (0, None),
            "os.link": (1, 3), "os.symlink": (1, 2)}  # fmt: skip
"""Python's audit events of what changes a folder (replace is a rename, unlink a removal), and the places of their path
and of the folder's descriptor that it is relative to."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def die_at(number: int, folder: Path) -> None:
    """Exit with ``KILLED`` right before the file operation of that number, from 0, below ``folder``.

    Operations are renames, removals, folders made and removed, and files opened to be written, of any thread, if they
    change something. Files that a C library writes are not seen, but the rename that follows is. Before a rename the
    file is cut in half: the process died while it wrote it.
    """
    left = number
    mutex = threading.Lock()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        path = _changed(event, arguments)
        if path is None or not _is_below(path, folder):
            return
        if (event == "os.mkdir" and path.is_dir()) or (event == "os.remove" and not os.path.lexists(path)):
            return
        with mutex:
            if left:
                left -= 1
                return
            left = -1  # truncating is an operation, too
            if event == "os.rename" and path.is_file():
                os.truncate(path, path.stat().st_size // 2)
            os._exit(KILLED)

    sys.addaudithook(_unless_inside(watch))


def _unless_inside(watch: Callable[[str, tuple[Any, ...]], None]) -> Callable[[str, tuple[Any, ...]], None]:
    """Looking at an operation is none."""
    inside = threading.local()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" and event not in _CHANGES:
            return
        if not getattr(inside, "here", False):
            inside.here = True
            try:
                watch(event, arguments)
            finally:
                inside.here = False

    return hook


def _changed(event: str, arguments: tuple[Any, ...]) -> Path | None:
    """The path that an audit event changes; None: it changes nothing."""
    if event == "open":
        path, mode, flags = arguments
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & _WRITING)
        return Path(os.fsdecode(path)) if writes and isinstance(path, str | bytes | os.PathLike) else None
    place, relative_to = _CHANGES[event]
    path = Path(os.fsdecode(arguments[place]))
    descriptor = -1 if relative_to is None else arguments[relative_to]
    if not path.is_absolute() and descriptor not in (-1, None):
        path = Path(f"/proc/self/fd/{descriptor}").readlink() / path
    return path


def _is_below(path: Path, folder: Path) -> bool:
    return (Path.cwd() / path).is_relative_to(folder)
