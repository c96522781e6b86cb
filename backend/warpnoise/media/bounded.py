"""Reads files from outside: only regular files, up to a size, with paths that the system supports."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from warpnoise.errors import MediaError, WarpnoiseError

LARGEST_PICTURE: Final = 1 << 28
"""Pixels: 16384 x 16384."""


def read_bytes(path: Path, largest: int, *, error: type[WarpnoiseError] = MediaError) -> bytes:
    """The content of a regular file of at most ``largest`` bytes.

    Devices and pipes, which may block or never end, are refused before they are read.

    Raises:
        FileNotFoundError: there is no such file.
        error: it cannot be read, is no regular file, or is larger.
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to returns at once. Without meaning for regular files.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise error(f"{path} is not a regular file. Put the file itself there.")
            # It may grow while it is read.
            data = b"" if status.st_size > largest else file.read(largest + 1)
            if status.st_size > largest or len(data) > largest:
                raise error(f"{path} has {max(status.st_size, len(data))} bytes; expected at most {largest}.")
            return data
    except FileNotFoundError:
        raise
    except OSError as refusal:
        raise error(f"Cannot read {path}: {refusal.strerror or refusal}.") from refusal


def given_path(text: str | os.PathLike[str], what: str, *, error: type[WarpnoiseError] = MediaError) -> Path:
    """A path that a user or a client gave, with ``~`` expanded.

    Args:
        what: names it in the message: "the job folder".

    Raises:
        error: the system cannot have such a path: it is empty, too long, holds NUL or a lone surrogate, or names a
            user who does not exist.
    """
    name = os.fspath(text)
    try:
        if not name:
            raise ValueError("it is empty")
        path = Path(name).expanduser()
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError as refusal:
        if isinstance(refusal, NotADirectoryError | PermissionError):
            return path  # who opens it reports this better
        raise error(f"{_shown(name)} cannot be {what}: {refusal.strerror or refusal}. Give another path.") from None
    except (ValueError, RuntimeError) as failure:
        raise error(f"{_shown(name)} cannot be {what}: {str(failure).rstrip('.')}. Give another path.") from None
    return path


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")
