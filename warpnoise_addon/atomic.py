"""Files that appear whole or not at all: written under another name, then renamed. Imports no bpy."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[BinaryIO]:
    """Yield a new file, open for writing and reading, which becomes ``path`` when the block ends.

    If the block raises, the new file is removed and ``path`` stays as it was. The new name cannot be guessed and no
    link is followed, so that nobody else's file is written. ``private``: only this user may read it.

    Raises OSError: the operating system refused, or there is no such folder.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(beside, flags, 0o600 if private else 0o666), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, content: str | bytes, private: bool = False) -> None:
    """Write a whole file. Raises OSError as `replacing`."""
    with replacing(path, private) as file:
        file.write(content.encode() if isinstance(content, str) else content)
