"""Digests of a job's input files, remembered: a frame's passes can have 100 MB, and most runs find them unchanged."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from warpnoise.errors import Cancelled, JobError, MediaError
from warpnoise.job import Shot
from warpnoise.job.lock import locked
from warpnoise.media.atomic import write_bytes
from warpnoise.media.digest import picture_digest

_SETTLED_NS = 2_000_000_000
"""File systems count time in ticks of up to two seconds: a file that is younger may change and keep its time."""
_MOMENT_SECONDS = 10.0
"""How long others may need to write down what they have read."""


class InputDigests:
    """Reads each file once. A file of the same size and time as when it was read last is taken for the same.

    Remembered in ``records/inputs.json`` when the ``with`` block ends, with what others remembered there in the
    meantime; losing it costs time only.
    """

    def __init__(self, job: Shot, cancelled: Callable[[], bool] | None = None) -> None:
        self._root = job.path
        self._path = job.records / "inputs.json"
        self._cancelled = cancelled
        self._known: dict[str, list[Any]] = {}
        self._read: dict[str, list[Any]] = {}
        """What was read here and is not in the file yet."""
        with contextlib.suppress(OSError, ValueError):
            self._known = _parse(self._path.read_bytes())

    def __enter__(self) -> InputDigests:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._save()

    def digest(self, path: Path) -> str:
        """The digest of what a picture shows (`warpnoise.media.digest`). May be called in several threads at once.

        Raises:
            MediaError: it cannot be read.
            Cancelled: ``cancelled()`` was true.
        """
        try:
            key, status = self._key(path), path.stat()
            stamp = [status.st_size, status.st_mtime_ns]
            known = self._known.get(key)
            if known is not None and known[:2] == stamp:
                return str(known[2])
            if self._cancelled is not None and self._cancelled():
                raise Cancelled("cancelled while the frames were looked through")
            digest = picture_digest(path)
        except OSError as error:
            raise MediaError(f"Cannot read {path}: {error.strerror or error}.") from error
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
            self._known[key] = self._read[key] = [*stamp, digest]
        return digest

    def read_all(self, paths: Iterable[Path]) -> None:
        """Reads files side by side, so that asking for them one by one is quick. Raises as ``digest`` does."""
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for _ in pool.map(self.digest, paths):
                pass

    def _save(self) -> None:
        # A folder that cannot be written shows elsewhere, where it matters.
        if not self._read:
            return
        folder = self._path.parent
        with contextlib.suppress(JobError, OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder, busy=f"{folder} is busy", refused="{refusal}", wait_seconds=_MOMENT_SECONDS):
                known: dict[str, list[Any]] = {}
                with contextlib.suppress(OSError, ValueError):
                    known = _parse(self._path.read_bytes())
                write_bytes(self._path, json.dumps(known | self._read, indent=0).encode(), error=JobError)

    def _key(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path.resolve())


def _parse(data: bytes) -> dict[str, list[Any]]:
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("expected an object")
    return {key: entry for key, entry in content.items() if isinstance(entry, list) and len(entry) == 3}
