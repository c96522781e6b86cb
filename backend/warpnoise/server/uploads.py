"""Job folders that clients send over the network: the server's spool.

    SPOOL/<id>/job/            a job folder (docs/architecture.md), its names made here
    SPOOL/<id>/received.jsonl  a line for each file that arrived whole: its name, size and SHA-256
    SPOOL/<id>/incoming/       what is arriving

A file is received under a name of its own and renamed once its digest is found right. Calls come from several threads;
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

from warpnoise.errors import JobError, JobLockedError, ServerError
from warpnoise.job.lock import locked
from warpnoise.job.names import frame_name

log = logging.getLogger("warpnoise.server")

LARGEST_FILE = 4 << 30
"""Bytes: a frame of 8K with forty 32-bit channels."""
LARGEST_JOB_FILE = 256 << 20
FREE_BYTES = 256 << 20
"""Left free on the disk: a full one would stop the jobs too."""
LAST_FRAME = 1_048_574
"""Blender's."""
_SUFFIX = {"color": "png", "passes": "exr"}
_ID = re.compile(r"[0-9a-f]{32}")
_DELETED = ".deleted-"


class UploadError(Exception):
    """A file that is not taken. ``status``: HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Received:
    """A file that arrived whole. ``sha256`` in hexadecimal."""

    size: int
    sha256: str


@dataclass
class Upload:
    """One client's job folder. ``files``: what is there, by names like ``color/0001.png``."""

    id: str
    folder: Path
    files: dict[str, Received] = field(default_factory=dict)
    arriving: dict[str, int] = field(default_factory=dict)
    used: float = field(default_factory=time.time)

    @property
    def job(self) -> Path:
        return self.folder / "job"

    @property
    def journal(self) -> Path:
        return self.folder / "received.jsonl"


@dataclass(frozen=True)
class UploadLimits:
    """``days``: an upload that nobody touched for so long is deleted. ``total``: bytes of all uploads together."""

    days: float = 7.0
    total: int | None = None
    largest_file: int = LARGEST_FILE


class Uploads:
    """The spool. One process at a time holds it; uploads of an earlier one are found again."""

    def __init__(self, folder: Path, limits: UploadLimits, busy: Callable[[Path], str | None]) -> None:
        """``busy``: the job that is queued or running on a folder, if one is.

        Raises:
            ServerError: the folder cannot be written, or another server has it.
        """
        self.limits = limits
        self._folder = folder.expanduser().absolute()
        self._busy = busy
        self._lock = threading.RLock()
        self._uploads: dict[str, Upload] = {}
        self._closing = contextlib.ExitStack()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._closing.enter_context(
                locked(
                    self._folder,
                    busy=f"Another server has the uploads in {self._folder}. Give this one another folder.",
                    refused=f"Cannot write uploads to {self._folder}: {{refusal}}.",
                )
            )
            self._uploads = {upload.id: upload for upload in self._found()}
        except JobError as error:
            raise ServerError(str(error)) from None
        except OSError as error:
            self._closing.close()
            raise ServerError(
                f"Cannot keep uploads in {self._folder}: {error.strerror or error}. Give another --uploads folder."
            ) from None
        self.delete_old()

    def close(self) -> None:
        """Let another server have the folder. What is in it stays."""
        self._closing.close()

    def create(self) -> Upload:
        """A new, empty job folder. Raises UploadError: the disk is full."""
        self.delete_old()
        upload_id = secrets.token_hex(16)
        upload = Upload(upload_id, self._folder / upload_id)
        with _disk_errors():
            for name in ("job/color", "job/passes", "incoming"):
                (upload.folder / name).mkdir(parents=True)
            upload.journal.touch()
        with self._lock:
            self._uploads[upload.id] = upload
        return upload

    def get(self, upload_id: str) -> Upload:
        """Raises UploadError: there is none of that name (any more)."""
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None:
                raise UploadError(404, f"There is no upload {upload_id} here. It may have been deleted since.")
            upload.used = time.time()
            with contextlib.suppress(OSError):
                os.utime(upload.journal)  # for a server that is started again
            return upload

    def files(self, upload_id: str) -> dict[str, Received]:
        """What is there of an upload."""
        with self._lock:
            return dict(self.get(upload_id).files)

    def job_of(self, upload_id: str) -> str | None:
        """The job that is queued or running on an upload."""
        return self._busy(self.get(upload_id).job)

    def for_job(self, upload_id: str) -> Path:
        """The job folder, for a job that begins. Raises JobLockedError while files of it arrive."""
        with self._lock:
            upload = self.get(upload_id)
            if upload.arriving:
                raise JobLockedError(f"Files of upload {upload_id} are still arriving. Send them first.")
            return upload.job

    @contextlib.contextmanager
    def arriving(self, upload_id: str, name: str, size: int) -> Iterator[tuple[IO[bytes], Callable[[str], None]]]:
        """A file to write ``size`` bytes to, and what to call with their SHA-256 once they are written.

        ``name``: of `name_of`. What is not finished when the block ends is removed.

        Raises:
            UploadError: too large, the disk or the spool is full, or the same file arrives already.
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
                        file.close()
                        beside.replace(upload.job / name)
                        self._record(upload, name, Received(size, sha256))

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
            if upload.arriving or self._busy(upload.job):
                raise JobLockedError(f"Upload {upload_id} is worked on. Cancel its job first.")
            self._remove(upload)

    def delete_old(self) -> None:
        """Remove the uploads that nobody has touched for ``limits.days``."""
        oldest = time.time() - self.limits.days * 86400
        with self._lock:
            for upload in list(self._uploads.values()):
                if upload.used < oldest and not upload.arriving and not self._busy(upload.job):
                    log.info("upload %s is old and was deleted", upload.id)
                    self._remove(upload)

    def _remove(self, upload: Upload) -> None:
        del self._uploads[upload.id]
        gone = upload.folder.with_name(_DELETED + upload.id)
        with contextlib.suppress(OSError):  # what is left is removed at the next start
            upload.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _check_arrival(self, upload: Upload, name: str, size: int) -> None:
        if job := self._busy(upload.job):
            raise JobLockedError(f"Job {job} works on upload {upload.id}. Wait for it, or cancel it.")
        if name in upload.arriving:
            raise JobLockedError(f"{name} of upload {upload.id} is being sent already.")
        most = LARGEST_JOB_FILE if name == "job.json" else self.limits.largest_file
        if size > most:
            raise UploadError(413, f"{name}: expected at most {most} bytes, got {size}.")
        arriving = sum(sum(other.arriving.values()) for other in self._uploads.values())
        if self.limits.total is not None:
            there = sum(file.size for other in self._uploads.values() for file in other.files.values())
            if there + arriving + size > self.limits.total:
                raise UploadError(
                    507, f"All uploads together may have {self.limits.total / 1e9:.1f} GB. Delete some, or wait."
                )
        if shutil.disk_usage(upload.folder).free - arriving - size < FREE_BYTES:
            raise UploadError(507, f"The server's disk has no room for {size} bytes more. Free some space there.")

    def _record(self, upload: Upload, name: str, received: Received) -> None:
        line = json.dumps({"file": name, "size": received.size, "sha256": received.sha256})
        with self._lock:
            with upload.journal.open("a", encoding="utf-8") as journal:
                journal.write(line + "\n")
            upload.files[name] = received

    def _found(self) -> Iterator[Upload]:
        for folder in self._folder.iterdir():
            if folder.name.startswith(_DELETED):
                shutil.rmtree(folder, ignore_errors=True)
            elif _ID.fullmatch(folder.name) and (folder / "received.jsonl").is_file():
                upload = Upload(folder.name, folder, used=(folder / "received.jsonl").stat().st_mtime)
                upload.files = dict(_read_journal(upload))
                shutil.rmtree(folder / "incoming", ignore_errors=True)
                (folder / "incoming").mkdir()
                yield upload


def name_of(kind: str, frame: str) -> str:
    """The name of a frame's file below the job folder, made of a number, so that no path gets in.

    Raises:
        UploadError: not a kind of file, or not a frame number.
    """
    if kind not in _SUFFIX or not re.fullmatch(r"-?[0-9]{1,7}", frame) or abs(int(frame)) > LAST_FRAME:
        raise UploadError(404, "Expected color/FRAME or passes/FRAME with a frame number of Blender's, or job.json.")
    return f"{kind}/{frame_name(int(frame))}.{_SUFFIX[kind]}"


def _read_journal(upload: Upload) -> Iterator[tuple[str, Received]]:
    """What it tells of files that are still there; a torn last line is a file that is sent again."""
    for line in upload.journal.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
            entry = json.loads(line)
            name, received = str(entry["file"]), Received(int(entry["size"]), str(entry["sha256"]))
            if (upload.job / name).stat().st_size == received.size:
                yield name, received


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UploadError(507, "The server's disk is full. Free some space there and send again.") from error
        raise ServerError(f"The server cannot keep the file: {error.strerror or error}.") from error
