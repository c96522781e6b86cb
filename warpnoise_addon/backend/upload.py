"""Sends a job folder to a server, without the files that are already there.

``JOB/.upload.json`` holds the server and the number of its upload.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..atomic import atomic_write
from ..bounded_json import read_json
from ..child import TimedOut
from ..errors import BackendError, Cancelled, JobError, JobFolderError, writing
from ..frame_ranges import parse_frames, shot_file
from ..results import read_job
from .answers import NEW_JOB, Job, check
from .client import WORK_SECONDS
from .connection import Backend
from .picture_transfer import NoPictureError, SentPicture
from .poll import POLL_SECONDS, follow

MEMORY = ".upload.json"
BUSY_SECONDS = 20.0
"""How long a file may be taken for being sent, by a connection of ours that broke."""


@dataclass(frozen=True)
class LocalJob:
    """What ``job.json`` says of the pictures. ``description``: the file itself, as it was when the upload began.

    ``wanted``: the frames that are to be stylized; those before the last of them are needed for their motion.
    """

    folder: Path
    frames: tuple[int, ...]
    wanted: tuple[int, ...]
    width: int
    height: int
    description: bytes

    @classmethod
    def read(cls, folder: Path, chosen: str | None = None) -> LocalJob:
        """The job; with ``chosen``, a text for ``parse_frames``, only these frames are wanted.

        Raises JobFolderError: there is no job.json, or it is not one.
        """

        def made_of(content: Any) -> tuple[tuple[int, ...], int, int]:
            frames = tuple(int(entry["frame"]) for entry in content["frames"])
            return frames, int(content["scene"]["width"]), int(content["scene"]["height"])

        (frames, width, height), description = read_job(folder, made_of)
        wanted = frames if chosen is None else tuple(sorted(set(frames).intersection(parse_frames(chosen))))
        return cls(folder, frames, wanted, width, height, description)

    def files(self) -> Iterator[tuple[tuple[str, str], str, Path]]:
        """The requested frames' files, passes first: their names in the interface, in answers, and on this computer."""
        for frame in self.frames:
            for kind in ("passes", "color"):
                if (kind == "color" and frame not in self.wanted) or frame > max(self.wanted, default=frame):
                    continue
                name = shot_file(kind, frame)
                yield (kind, str(frame)), name, self.folder / name


def send_job(backend: Backend, job: LocalJob, progress: Callable[[Job], None], cancelled: Callable[[], bool]) -> str:
    """Send what the server does not have of the job folder, and return the upload's name there.

    Raises:
        JobFolderError: a file that cannot be read.
        JobError, BackendError: the server refused (too large, its disk is full, ...), died, or hangs.
        Cancelled: downloaded parts are kept, and is not sent again.
    """
    try:
        upload_id, there = _find(backend, job.folder, cancelled)
        files, kept = list(job.files()), 0
        for index, (call, name, path) in enumerate(files):
            frames = {"frames_done": index * len(job.frames) // len(files), "frames_total": len(job.frames)}
            frames["frames_kept"] = kept * len(job.frames) // len(files)
            progress(NEW_JOB | {"state": "running", "stage": "uploading"} | frames)
            with _readable(path):
                picture = SentPicture(path)
            digest = hashlib.sha256()
            for block in _blocks(picture, path, cancelled):
                digest.update(block)
            if there.get(name) == {"size": picture.size, "sha256": digest.hexdigest()}:
                kept += 1
                continue
            blocks = partial(_blocks, picture, path, cancelled)
            _send(backend, (upload_id, *call), picture.size, digest.digest(), blocks, cancelled)
        # Last, as everywhere: a folder that has it is complete.
        size, described = len(job.description), hashlib.sha256(job.description)
        if there.get("job.json") != {"size": size, "sha256": described.hexdigest()}:
            _send(
                backend, (upload_id, "job.json"), size, described.digest(), lambda: iter([job.description]), cancelled
            )
    except Cancelled:
        raise Cancelled("cancelled while the frames were sent; those that arrived are not sent again") from None
    return upload_id


def forget_upload(backend: Backend, folder: Path, upload_id: str) -> None:
    """Have the server delete an upload, with its results there."""
    backend.call("DELETE", "uploads", upload_id, seconds=WORK_SECONDS)
    with contextlib.suppress(OSError):
        (folder / MEMORY).unlink(missing_ok=True)


def _find(backend: Backend, folder: Path, cancelled: Callable[[], bool]) -> tuple[str, dict[str, Any]]:
    """This folder's upload and its files; a new one where there is none. A job that still works on it is ended."""
    memory = {"server": str(backend.client.address), "folder": str(folder.absolute())}
    known = _remembered(folder, memory)
    if known is not None:
        try:
            answer = backend.call("GET", "uploads", known, seconds=WORK_SECONDS, cancelled=cancelled)
            check("upload", answer)
            if answer.get("job"):
                _end_job(backend, answer["job"])
            return known, answer.get("files", {})
        except JobError as error:
            if error.code != "not_found":
                raise
    answer = backend.call("POST", "uploads", cancelled=cancelled)
    check("upload", answer)
    with writing(folder / MEMORY):
        atomic_write(folder / MEMORY, json.dumps(memory | {"id": answer["id"]}))
    return answer["id"], {}


def _end_job(backend: Backend, job_id: str) -> None:
    """A run that was cut off goes on at the server. What it has finished is kept by the next."""
    try:
        for _ in follow(backend, "job", backend.call("GET", "jobs", job_id), lambda: True):
            pass
    except TimedOut:
        raise BackendError(
            "an earlier run of this job has not ended on the server: cancel it there, or try later"
        ) from None


def _remembered(folder: Path, memory: dict[str, str]) -> str | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        content = read_json(folder / MEMORY)
        # A copied folder is another job: the two must not write to one upload.
        if content.items() >= memory.items() and isinstance(content.get("id"), str):
            return content["id"]
    return None


def _send(
    backend: Backend,
    name: tuple[str, ...],
    size: int,
    digest: bytes,
    blocks: Callable[[], Iterator[bytes]],
    cancelled: Callable[[], bool],
) -> None:
    """Send one file, again where the connection broke: the server may take a while to notice that it did."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return backend.ask(
                lambda: backend.client.send(("uploads", *name), size, digest, blocks(), cancelled), cancelled=cancelled
            )
        except JobError as error:
            if error.code != "job_locked" or time.monotonic() > deadline or cancelled():
                raise
        time.sleep(POLL_SECONDS)


def _blocks(picture: SentPicture, path: Path, cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """What is sent of a file, never all of it in memory."""
    left = picture.size
    with _readable(path):
        for block in picture.blocks():
            if cancelled():
                raise Cancelled("")  # `send_job` says of what
            left -= len(block)
            yield block
    if left:
        raise JobFolderError(
            "{path} changed while it was sent. Wait until nothing writes to it, and run again", path=path
        )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise JobFolderError("{path} is missing. Render the job again", path=path) from None
    except OSError as error:
        raise JobFolderError("{path} cannot be read: {reason}", path=path, reason=error.strerror) from None
    except NoPictureError as error:
        raise JobFolderError("{path} is not sent: {error}. Render this frame again", path=path, error=error) from None
