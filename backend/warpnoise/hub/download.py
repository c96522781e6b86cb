"""Downloads a model into the models folder: resumable, checked, and whole or not at all.

Files arrive in ``hub/.partial/OWNER--NAME``. The folder is renamed once every file has the hub's digest and the whole
is a model that Warpnoise runs. A broken or cancelled download stays there, and the next one continues it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from warpnoise.errors import Cancelled, HubError, ModelError
from warpnoise.hub.remote import TRANSPORT_ERRORS, Offer, RemoteFile, file_path, stream, unreachable
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_object
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_bounds import read_config
from warpnoise.sdedit.model_files import find_weights
from warpnoise.sdedit.places import HUB, download_folder, models_folder

NOTE = ".download"
"""The file in a downloaded folder that says what it is. Without the suffix .json, it is no part of the model."""
SPARE_DISK = 256 << 20
"""Bytes that stay free."""
_TRIES = 5
"""In a row, of which none brings a byte."""
_WAIT_SECONDS = 1.0
_REPORT_SECONDS = 0.2
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class DownloadProgress:
    """``bytes_done`` counts what earlier tries left. ``file``: the one that arrives. ``seconds_left``: or None."""

    bytes_done: int
    bytes_total: int
    file: str | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class Note:
    """What a downloaded folder says of itself."""

    id: str
    revision: str
    family: str
    license: str
    license_url: str


def download(
    offer: Offer,
    agreed: str | None,
    progress: Callable[[DownloadProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Download a model, or the rest of it. The folder.

    Args:
        agreed: the licence that the user agreed to, as ``offer.license`` names it.

    Raises:
        HubError: another licence; too little disk; a download of it runs elsewhere; the connection fails; a file is not
            what the hub said.
        ModelError: what arrived is no model that Warpnoise runs.
        Cancelled: ``cancelled()`` was true; asked at every block.
    """
    if agreed != offer.license:
        raise HubError(
            f"{offer.id} has the licence {offer.license or 'that its page names'} ({offer.license_url}). Read it and "
            "agree to it first.",
            "license",
        )
    place, partial = download_folder(offer.id), _partial_folder(offer.id)
    if (note := read_note(place)) is not None and note.revision == offer.revision and left_to_download(offer) == 0:
        return place
    with _lock(offer.id), _disk_errors(partial):
        _make_room(offer, partial)
        _begin(offer, partial)
        meter = _Meter(offer, partial, progress, cancelled)
        for file in sorted(offer.files, key=lambda file: file.size):  # what is wrong with a model is in small files
            _fetch(offer, file, partial / file.name, meter)
        _check(offer, partial)
        _put_in_place(partial, place)
    meter.report(None, force=True)
    return place


def left_to_download(offer: Offer) -> int:
    """Bytes that are not on this machine yet."""
    place, partial = download_folder(offer.id), _partial_folder(offer.id)
    if (note := read_note(place)) is not None and note.revision == offer.revision:
        return sum(file.size for file in offer.files if _size(place / file.name) != file.size)
    return sum(file.size - min(file.size, _arrived(partial / file.name)) for file in offer.files)


def read_note(folder: Path) -> Note | None:
    """What a downloaded folder says of itself; None for any other folder."""
    try:
        note = read_object(folder / NOTE, error=ModelError, largest=1 << 16)
        return Note(**{name: str(note.get(name, "")) for name in Note.__dataclass_fields__})
    except ModelError:
        return None


def remove(hub_id: str) -> int:
    """Remove a downloaded model, and what is left of a broken download of it. Bytes that are free now.

    Raises:
        HubError: there is none, or it is being downloaded.
    """
    place, partial = download_folder(hub_id), _partial_folder(hub_id)
    with _lock(hub_id), _disk_errors(place):
        there = [folder for folder in (place, partial) if folder.is_dir()]
        if not there:
            raise HubError(f"Warpnoise has downloaded no model {hub_id}. `warpnoise models` lists what there is.")
        freed = sum(folder_size(folder) for folder in there)
        for folder in there:
            _remove_folder(folder)
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # the owner's, if it was the last
    return freed


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder, links followed."""
    return sum(_size(file) for file in folder.rglob("*"))


class _Meter:
    """Counts bytes, reports them, and asks whether to stop."""

    def __init__(
        self,
        offer: Offer,
        partial: Path,
        progress: Callable[[DownloadProgress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._progress, self._cancelled = progress, cancelled
        self._total = offer.size
        self._done = self._before = sum(min(file.size, _arrived(partial / file.name)) for file in offer.files)
        self._started = time.monotonic()
        self._reported = 0.0

    def check(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("Cancelled. What has arrived stays, and the next download continues it.")

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    def count(self, arrived: int, name: str) -> None:
        """``arrived`` may be negative: bytes that were thrown away."""
        self._done += arrived
        self.check()
        self.report(name)

    def report(self, name: str | None, force: bool = False) -> None:
        now = time.monotonic()
        if self._progress is None or (not force and now - self._reported < _REPORT_SECONDS):
            return
        self._reported = now
        new = self._done - self._before
        left = (self._total - self._done) * (now - self._started) / new if new > 0 else None
        self._progress(DownloadProgress(self._done, self._total, name, left))


def _fetch(offer: Offer, file: RemoteFile, target: Path, meter: _Meter) -> None:
    """One file, continued where an earlier try left it."""
    meter.check()
    if _size(target) == file.size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    begun, tries = _size(part), 0
    while True:
        had = _size(part)
        try:
            digest = _append(offer, file, part, meter)
        except TRANSPORT_ERRORS as failure:
            tries = 1 if _size(part) > had else tries + 1
            if tries >= _TRIES:
                raise unreachable(failure) from failure
            meter.wait(_WAIT_SECONDS)
            continue
        if digest == file.digest:
            part.replace(target)
            return
        meter.count(-_size(part), file.name)
        part.unlink()
        if not begun:
            raise HubError(
                f"{offer.id}: {file.name} arrived damaged: its checksum is {digest[:12]}..., the hub names "
                f"{file.digest[:12]}.... Run again to download it anew."
            )
        begun = 0  # an earlier try may have left the file of another revision


def _append(offer: Offer, file: RemoteFile, part: Path, meter: _Meter) -> str:
    """Read from the hub what is missing of a file. The digest of the whole."""
    hasher = hashlib.sha256() if len(file.digest) == 64 else hashlib.sha1(b"blob %d\0" % file.size)
    with part.open("ab+") as target:
        had = target.tell()
        if had > file.size:
            meter.count(-had, file.name)
            target.truncate(had := 0)
        target.seek(0)
        while block := target.read(_CHUNK_BYTES):
            hasher.update(block)
            meter.check()
        if had < file.size:
            for block in _blocks(offer, file, had):
                if had + len(block) > file.size:
                    raise HubError(f"{offer.id}: the hub sends more than the {file.size} bytes of {file.name}.")
                target.write(block)
                hasher.update(block)
                had += len(block)
                meter.count(len(block), file.name)
        target.flush()
        os.fsync(target.fileno())
    if had < file.size:
        raise ConnectionError(f"it closed the connection after {had} of {file.size} bytes of {file.name}")
    return hasher.hexdigest()


def _blocks(offer: Offer, file: RemoteFile, begin: int) -> Iterator[bytes]:
    """The bytes of a file from ``begin`` on."""
    headers = {"Range": f"bytes={begin}-"} if begin else {}
    with stream(offer.id, file_path(offer.id, offer.revision, file.name), headers) as response:
        skip = 0
        if begin:
            if response.status_code != 206:
                skip = begin  # it knows no ranges: what is here already is read again
            elif not response.headers.get("content-range", "").startswith(f"bytes {begin}-"):
                raise HubError(f"{offer.id}: the hub sent another part of {file.name} than it was asked for.")
        for block in response.iter_raw(_CHUNK_BYTES if file.size > 64 * _CHUNK_BYTES else None):
            kept = block[skip:]
            skip -= len(block) - len(kept)
            if kept:
                yield kept


def _check(offer: Offer, folder: Path) -> None:
    """Whether what arrived can be used. Raises ModelError."""
    if (folder / "model_index.json").is_file() or not offer.family.startswith("ControlNet"):
        ModelFolder.open(folder)
    else:
        read_config(folder / "config.json")
        find_weights(folder)


def _make_room(offer: Offer, partial: Path) -> None:
    partial.mkdir(parents=True, exist_ok=True)
    needed = sum(file.size - min(file.size, _arrived(partial / file.name)) for file in offer.files)
    free = free_disk(partial)
    if needed + SPARE_DISK > free:
        raise HubError(
            f"{offer.id} needs {gigabytes(needed)} more in {models_folder()}, where {gigabytes(free)} are free. Free "
            "some space, or set WARPNOISE_MODELS to a folder on another disk.",
            "disk",
        )


def free_disk(folder: Path) -> int:
    """Bytes free where a folder is, or will be."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(there).free


def gigabytes(size: int) -> str:
    """A size for people: "6.9 GB", "12 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{max(size, 0) / 1e6:.1f} MB"


def _begin(offer: Offer, partial: Path) -> None:
    """Note what arrives here. What is left of another revision is compared again with the hub's digests, or goes."""
    note = read_note(partial)
    wanted = {partial / file.name for file in offer.files}
    for file in [path for path in partial.rglob("*") if path.is_file() and path.name != NOTE]:
        target = file.with_name(file.name.removesuffix(".part"))
        if target not in wanted:
            file.unlink()
        elif file == target and (note is None or note.revision != offer.revision):
            file.replace(file.with_name(file.name + ".part"))
    content = asdict(Note(offer.id, offer.revision, offer.family, offer.license, offer.license_url))
    write_bytes(partial / NOTE, json.dumps(content).encode(), error=ModelError)


def _put_in_place(partial: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        _remove_folder(place)
    partial.rename(place)


def _remove_folder(folder: Path) -> None:
    """Out of sight at once, then file by file."""
    aside = models_folder() / HUB / f".removed-{folder.parent.name}-{folder.name}"
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside)


def _partial_folder(hub_id: str) -> Path:
    download_folder(hub_id)
    return models_folder() / HUB / ".partial" / hub_id.replace("/", "--")


@contextlib.contextmanager
def _lock(hub_id: str) -> Iterator[None]:
    partial = _partial_folder(hub_id)
    with _disk_errors(partial):
        partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{os.fspath(partial)}.lock", timeout=0):
            yield
    except Timeout:
        raise HubError(f"{hub_id} is being downloaded already. Wait for it, or cancel it.", "busy") from None


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refusal:
        raise HubError(
            f"Cannot write in {refusal.filename or folder} ({refusal.strerror or refusal}). Free space or choose "
            "another folder with WARPNOISE_MODELS; what has arrived stays.",
            "disk",
        ) from refusal


def _arrived(target: Path) -> int:
    """Bytes of a file that are here, finished or not."""
    return _size(target) or _size(target.with_name(target.name + ".part"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
