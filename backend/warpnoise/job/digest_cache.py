"""A cache of file digests. A frame's passes can have 100 MB, and most runs find them unchanged."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from warpnoise.errors import JobError, MediaError, stop_if
from warpnoise.job.locks import MUTEX_SECONDS, locked
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json
from warpnoise.media.picture_digest import picture_digest

_SETTLED_NS = 2_000_000_000
"""File systems count time in ticks of up to two seconds: a file that is younger may change and keep its time."""

Entry = list[Any]
"""Size in bytes, time of the last change in nanoseconds, digest."""


class DigestCache(contextlib.AbstractContextManager["DigestCache"]):
    """Reads each file once, as long as its size and time do not change.

    The cache key is the file's path relative to ``root``. ``digests.json`` is written when the ``with`` block ends,
    together with entries that others have added in the meantime. Losing the file only costs time.
    """

    def __init__(self, root: Path, folder: Path, cancelled: Callable[[], bool] | None = None) -> None:
        """``folder``: of ``digests.json``."""
        self._root = root
        self._path = folder / "digests.json"
        self._cancelled = cancelled
        self._known = _read(self._path)
        self._new: dict[str, Entry] = {}

    def __exit__(self, *_: object) -> None:
        # A folder that cannot be written shows elsewhere, where it matters.
        if not self._new or not self._path.parent.is_dir():
            return
        with contextlib.suppress(JobError), locked(self._path.parent, wait_seconds=MUTEX_SECONDS):
            text = json.dumps(_read(self._path) | self._new, indent=0)
            write_bytes(self._path, text.encode(), error=JobError)

    def digest(self, path: Path, function: Callable[[Path], str] = picture_digest) -> str:
        """``function`` of the file: by default a digest of what a picture shows. May be called in several threads.

        Raises:
            MediaError: the file cannot be read.
            Cancelled: ``cancelled()`` was true.
        """
        try:
            key, stamp = self._key(path), _stamp(path)
            known = self._known.get(key)
            if known is not None and known[:2] == stamp:
                return str(known[2])
            stop_if(self._cancelled, "cancelled while files were digested")
            digest = function(path)
        except OSError as error:
            raise MediaError(f"Cannot read {path}: {error.strerror or error}.") from error
        if time.time_ns() - stamp[1] > _SETTLED_NS:
            self._known[key] = self._new[key] = [*stamp, digest]
        return digest

    def digest_all(self, paths: Iterable[Path], function: Callable[[Path], str] = picture_digest) -> None:
        """Digests files side by side, so that asking for them one by one is quick. Raises as ``digest`` does."""
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for _ in pool.map(lambda path: self.digest(path, function), paths):
                pass

    def _key(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path.resolve())


@contextlib.contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Inside, files are read and digested.

    Raises:
        MediaError: one was replaced meanwhile, so that its digest may not be that of what was read; or it is missing.
    """
    try:
        before = [_stamp(path) for path in paths]
        yield
        after = [_stamp(path) for path in paths]
    except OSError as error:
        raise MediaError(f"Cannot read {error.filename}: {error.strerror or error}.") from error
    for path, old, new in zip(paths, before, after, strict=True):
        if old != new:
            raise MediaError(f"{path} was replaced while it was read. Run again once its export is done.")


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _read(path: Path) -> dict[str, Entry]:
    try:
        content = read_json(path, error=JobError, missing={})
    except JobError:
        return {}
    entries = content.items() if isinstance(content, dict) else ()
    return {key: entry for key, entry in entries if isinstance(entry, list) and len(entry) == 3}
