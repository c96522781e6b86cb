"""Job folders that clients send over the network: the server's spool.

    SPOOL/<id>/job/            a job folder (docs/architecture.md), its names made here
    SPOOL/<id>/received/       a record of each file, such as color/0001.png.json: {"size", "sha256", "mtime_ns"}. If
                               the file has another size or time, it is not the one that was recorded, and is sent again
    SPOOL/<id>/idle.json       for how many seconds of its servers' lives nobody has touched it
    SPOOL/<id>/incoming/       what is arriving

A file is received in ``incoming`` and renamed once its digest is known to be right. Calls come from several threads;
every field of an upload is read and written under the spool's lock.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fastapi import HTTPException

from warpnoise.errors import JobError, JobLockedError, MediaError, ServerError
from warpnoise.job.frame_ranges import frame_name
from warpnoise.job.locks import locked
from warpnoise.job.schema import LARGEST_JOB_FILE, LAST_FRAME
from warpnoise.media.atomic import write_bytes
from warpnoise.media.bounded import given_path
from warpnoise.media.json_file import read_json
from warpnoise.server.schema import FileView, UploadLimits, UploadView

log = logging.getLogger("warpnoise.server")

FREE_BYTES = 256 << 20
"""Left free on the disk: a full one would stop the jobs too."""
_SUFFIX = {"color": "png", "passes": "exr"}
LONGEST_LOOK = 1200.0
"""Seconds that one look at an upload counts at most: no jump of a clock, and no machine that slept, makes it old."""
_ID = re.compile(r"[0-9a-f]{32}")
_DELETED = ".deleted-"


@dataclass
class Upload:
    """One client's job folder.

    ``files``: what is there, by names like ``color/0001.png``. ``preparing``: jobs that are just being checked.
    ``idle``: seconds since the last call; ``looked``: when that was last counted; ``old``: one look found it so.
    """

    id: str
    folder: Path
    files: dict[str, FileView] = field(default_factory=dict)
    arriving: dict[str, int] = field(default_factory=dict)
    preparing: int = 0
    idle: float = 0.0
    looked: float = field(default_factory=time.monotonic)
    old: bool = False

    @property
    def job(self) -> Path:
        return self.folder / "job"

    def record(self, name: str) -> Path:
        return self.folder / "received" / f"{name}.json"

    @property
    def idle_file(self) -> Path:
        return self.folder / "idle.json"


class Uploads:
    """The spool. One process at a time holds it; uploads of an earlier one are found again."""

    def __init__(self, folder: Path, limits: UploadLimits, busy: Callable[[Path], str | None]) -> None:
        """``busy``: the job that is queued or running on a folder, if one is.

        Raises:
            ServerError: the folder cannot be written, or another server has it.
        """
        self.limits = limits
        self.folder = given_path(folder, "the folder of uploads", error=ServerError).absolute()
        self._busy = busy
        self._lock = threading.RLock()
        self._uploads: dict[str, Upload] = {}
        self._closing = contextlib.ExitStack()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            busy_text = f"Another server has the uploads in {self.folder}. Give this one another folder."
            self._closing.enter_context(locked(self.folder, busy=busy_text))
            self._uploads = {upload.id: upload for upload in self._found()}
        except JobError as error:
            raise ServerError(str(error)) from None
        except OSError as error:
            self._closing.close()
            raise ServerError(
                f"Cannot keep uploads in {self.folder}: {error.strerror or error}. Choose another --uploads folder."
            ) from None
        self.delete_old()

    def close(self) -> None:
        """Let another server have the folder. What is in it stays."""
        self._closing.close()

    def create(self) -> Upload:
        """A new, empty job folder. Raises HTTPException: the disk is full."""
        self.delete_old()
        upload_id = secrets.token_hex(16)
        upload = Upload(upload_id, self.folder / upload_id)
        with _disk_errors():
            _make_folders(upload.folder)
        with self._lock:
            self._uploads[upload.id] = upload
        return upload

    def get(self, upload_id: str) -> Upload:
        """Raises HTTPException: there is none of that name (any more)."""
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None:
                raise HTTPException(404, f"There is no upload {upload_id} here. It may have been deleted since.")
            self._touch(upload)
            return upload

    def view(self, upload_id: str) -> UploadView:
        """The files of an upload that have arrived, and the job that is queued or running on it."""
        with self._lock:
            upload = self.get(upload_id)
            return UploadView(id=upload_id, files=dict(upload.files), job=self._busy(upload.job))

    @contextlib.contextmanager
    def for_job(self, upload_id: str) -> Iterator[Path]:
        """The job folder, for a job that is checked and queued in this block. No file of it is taken meanwhile.

        Raises:
            JobLockedError: files of it are arriving.
        """
        with self._lock:
            upload = self.get(upload_id)
            if upload.arriving:
                raise JobLockedError(f"Files of upload {upload_id} are still arriving. Send them first.")
            upload.preparing += 1
        try:
            yield upload.job
        finally:
            with self._lock:
                upload.preparing -= 1

    @contextlib.contextmanager
    def arriving(self, upload_id: str, name: str, size: int) -> Iterator[tuple[IO[bytes], Callable[[str], None]]]:
        """A file to write ``size`` bytes to, and what to call with their SHA-256 once they are written.

        ``name``: of `name_of`. What is not finished when the block ends is removed.

        Raises:
            HTTPException: too large, the disk or the spool is full, or the same file arrives already.
            JobLockedError: a job is queued or running on the folder.
        """
        with self._lock:
            upload = self.get(upload_id)
            self._check_arrival(upload, name, size)
            upload.arriving[name] = size
        beside = upload.folder / "incoming" / secrets.token_hex(8)
        try:
            with _disk_errors(), beside.open("xb") as file:

                def finish(sha256: str) -> None:
                    with _disk_errors():
                        file.flush()
                        os.fsync(file.fileno())
                        record = {"size": size, "sha256": sha256, "mtime_ns": os.fstat(file.fileno()).st_mtime_ns}
                        file.close()
                        with self._lock:
                            upload.files.pop(name, None)
                        beside.replace(upload.job / name)
                        upload.record(name).write_text(json.dumps(record), encoding="utf-8")
                        with self._lock:
                            upload.files[name] = FileView(size=size, sha256=sha256)

                yield file, finish
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            with self._lock:
                upload.arriving.pop(name, None)

    def delete(self, upload_id: str) -> None:
        """Remove an upload with its results. Raises JobLockedError: a job works on it, or files arrive."""
        with self._lock:
            upload = self.get(upload_id)
            if self._in_use(upload):
                raise JobLockedError(f"Upload {upload_id} is in use. Cancel its job first.")
            self._remove(upload)

    def delete_old(self) -> None:
        """Remove the uploads that nobody has touched for ``limits.days`` of this server's life and earlier ones'.

        Times are the server's own: the clock on the wall may be set. An upload is deleted if a look finds it old that
        an earlier look has found old already.
        """
        now = time.monotonic()
        with self._lock:
            for upload in list(self._uploads.values()):
                if self._in_use(upload):
                    self._touch(upload)
                    continue
                upload.idle += min(max(now - upload.looked, 0.0), LONGEST_LOOK)
                upload.looked = now
                if upload.idle < self.limits.days * 86400:
                    with contextlib.suppress(MediaError):  # it is kept for longer then
                        write_bytes(upload.idle_file, json.dumps({"seconds": upload.idle}).encode())
                elif upload.old:
                    log.info("upload %s is old and was deleted", upload.id)
                    self._remove(upload)
                else:
                    upload.old = True

    def _in_use(self, upload: Upload) -> bool:
        return bool(upload.arriving or upload.preparing or self._busy(upload.job))

    def _touch(self, upload: Upload) -> None:
        if upload.idle:
            with contextlib.suppress(OSError):
                upload.idle_file.unlink(missing_ok=True)
        upload.idle, upload.looked, upload.old = 0.0, time.monotonic(), False

    def _remove(self, upload: Upload) -> None:
        del self._uploads[upload.id]
        gone = upload.folder.with_name(_DELETED + upload.id)
        with contextlib.suppress(OSError):  # what is left is removed at the next start
            upload.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _check_arrival(self, upload: Upload, name: str, size: int) -> None:
        if job := self._busy(upload.job):
            raise JobLockedError(f"Job {job} works on upload {upload.id}. Wait for it, or cancel it.")
        if upload.preparing:
            raise JobLockedError(f"A job is being prepared on upload {upload.id}. Wait for it, or cancel it.")
        if name in upload.arriving:
            raise JobLockedError(f"{name} of upload {upload.id} is being sent already.")
        most = LARGEST_JOB_FILE if name == "job.json" else self.limits.largest_file
        if size > most:
            raise HTTPException(413, f"{name}: expected at most {most} bytes, got {size}.")
        arriving = sum(sum(other.arriving.values()) for other in self._uploads.values())
        if self.limits.total is not None:
            there = sum(file.size for other in self._uploads.values() for file in other.files.values())
            if there + arriving + size > self.limits.total:
                raise HTTPException(
                    507, f"All uploads together may have {self.limits.total / 1e9:.1f} GB. Delete some, or wait."
                )
        if shutil.disk_usage(upload.folder).free - arriving - size < FREE_BYTES:
            raise HTTPException(507, f"The server's disk has no space for {size} more bytes. Free some space there.")

    def _found(self) -> Iterator[Upload]:
        for folder in self.folder.iterdir():
            if folder.name.startswith(_DELETED):
                shutil.rmtree(folder, ignore_errors=True)
            elif _ID.fullmatch(folder.name) and (folder / "job").is_dir():
                shutil.rmtree(folder / "incoming", ignore_errors=True)
                _make_folders(folder)
                upload = Upload(folder.name, folder)
                upload.files = dict(_recorded(upload))
                with contextlib.suppress(MediaError, KeyError, TypeError, ValueError):  # else it is kept for longer
                    upload.idle = max(float(read_json(upload.idle_file, largest=1000)["seconds"]), 0.0)
                yield upload


def name_of(kind: str, frame: str) -> str:
    """The name of a frame's file below the job folder, made of a number, so that no path gets in.

    Raises:
        HTTPException: not a kind of file, or not a frame number.
    """
    if kind not in _SUFFIX or not re.fullmatch(r"-?[0-9]{1,7}", frame) or abs(int(frame)) > LAST_FRAME:
        raise HTTPException(404, "Expected color/FRAME or passes/FRAME with a frame number of Blender's, or job.json.")
    return f"{kind}/{frame_name(int(frame))}.{_SUFFIX[kind]}"


def _make_folders(upload: Path) -> None:
    for name in ("job/color", "job/passes", "received/color", "received/passes", "incoming"):
        (upload / name).mkdir(parents=True, exist_ok=True)


def _recorded(upload: Upload) -> Iterator[tuple[str, FileView]]:
    """The files that are still as their records say."""
    records = upload.folder / "received"
    for path in records.rglob("*.json"):
        name = path.relative_to(records).as_posix().removesuffix(".json")
        with contextlib.suppress(MediaError, OSError, KeyError, TypeError, ValueError):
            record, status = read_json(path, largest=1000), (upload.job / name).stat()
            if (record["size"], record["mtime_ns"]) == (status.st_size, status.st_mtime_ns):
                yield name, FileView(size=record["size"], sha256=record["sha256"])


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HTTPException(507, "The server's disk is full. Free some space there and send again.") from error
        raise ServerError(f"The server cannot keep the file: {error.strerror or error}.") from error
