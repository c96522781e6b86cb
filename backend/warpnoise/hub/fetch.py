"""Downloads one file of the hub: continues an earlier attempt, and compares the file with the hub's digest."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from warpnoise.errors import HubError, stop_if
from warpnoise.hub.remote import TRANSPORT_ERRORS, Offer, RemoteFile, file_path, stream, unreachable
from warpnoise.hub.store import file_size, missing_bytes

_TRIES = 5
"""In a row, without a new byte."""
_WAIT_SECONDS = 1.0
_REPORT_SECONDS = 0.2
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class DownloadProgress:
    """``bytes_done`` includes the bytes of earlier attempts. ``file``: the current one."""

    bytes_done: int
    bytes_total: int
    file: str | None = None
    seconds_left: float | None = None


class Meter:
    """Reports the progress of a download, and asks whether to stop."""

    def __init__(
        self,
        offer: Offer,
        partial: Path,
        progress: Callable[[DownloadProgress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._offer, self._partial, self._progress, self._cancelled = offer, partial, progress, cancelled
        self._before = offer.size - missing_bytes(offer, partial)
        self._started, self._reported = time.monotonic(), 0.0

    def check(self, name: str | None = None) -> None:
        """Report the progress, if the last report is some time ago. Raises Cancelled."""
        stop_if(self._cancelled, "Cancelled. Downloaded parts are kept, and the next download continues from there.")
        now = time.monotonic()
        if self._progress is None or now - self._reported < _REPORT_SECONDS:
            return
        self._reported = now
        left = missing_bytes(self._offer, self._partial)
        done = self._offer.size - left
        seconds = left * (now - self._started) / (done - self._before) if done > self._before else None
        self._progress(DownloadProgress(done, self._offer.size, name, seconds))

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))


def fetch(offer: Offer, file: RemoteFile, target: Path, meter: Meter) -> None:
    """Download one file, and continue an earlier attempt."""
    meter.check(file.name)
    if file_size(target) == file.size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    begun, tries = file_size(part), 0
    while True:
        had = file_size(part)
        try:
            digest = _append(offer, file, part, meter)
        except TRANSPORT_ERRORS as failure:
            tries = 1 if file_size(part) > had else tries + 1
            if tries >= _TRIES:
                raise unreachable(failure) from failure
            meter.wait(_WAIT_SECONDS)
            continue
        if digest == file.digest:
            part.replace(target)
            return
        part.unlink()
        if not begun:
            raise HubError(
                f"{offer.id}: {file.name} arrived damaged: its checksum is {digest[:12]}..., the hub names "
                f"{file.digest[:12]}.... Run again to download it from the start."
            )
        begun = 0  # an earlier try may have left the file of another revision


def _append(offer: Offer, file: RemoteFile, part: Path, meter: Meter) -> str:
    """Append the missing bytes of a file. Returns the digest of the whole."""
    hasher = hashlib.sha256() if len(file.digest) == 64 else hashlib.sha1(b"blob %d\0" % file.size)
    with part.open("ab+") as target:
        received = target.tell()
        if received > file.size:
            target.truncate(received := 0)
        target.seek(0)
        while block := target.read(_CHUNK_BYTES):
            hasher.update(block)
            meter.check(file.name)
        if received < file.size:
            for block in _blocks(offer, file, received):
                if received + len(block) > file.size:
                    raise HubError(f"{offer.id}: the hub sends more than the {file.size} bytes of {file.name}.")
                target.write(block)
                hasher.update(block)
                received += len(block)
                meter.check(file.name)
        target.flush()
        os.fsync(target.fileno())
    if received < file.size:
        raise ConnectionError(f"it closed the connection after {received} of {file.size} bytes of {file.name}")
    return hasher.hexdigest()


def _blocks(offer: Offer, file: RemoteFile, begin: int) -> Iterator[bytes]:
    """The bytes of a file from ``begin`` on."""
    headers = {"Range": f"bytes={begin}-"} if begin else {}
    with stream(offer.id, file_path(offer.id, offer.revision, file.name), headers) as response:
        skip = 0
        if begin:
            if response.status_code != 206:
                skip = begin  # the server ignores ranges and sends the file from its start
            elif not response.headers.get("content-range", "").startswith(f"bytes {begin}-"):
                raise HubError(f"{offer.id}: the hub sent a wrong part of {file.name}.")
        for block in response.iter_raw(_CHUNK_BYTES if file.size > 64 * _CHUNK_BYTES else None):
            kept = block[skip:]
            skip -= len(block) - len(kept)
            if kept:
                yield kept
