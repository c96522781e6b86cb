"""The movie, written once all frames of the job are finished, by whoever finds them so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from warpnoise.errors import Cancelled, JobError, JobLockedError
from warpnoise.job import Shot
from warpnoise.media.atomic import remove, write_bytes
from warpnoise.media.movie import write_movie
from warpnoise.media.png import read_png
from warpnoise.pipeline.resume import FrameChain
from warpnoise.sdedit.digest import digest_text


def encode_if_finished(
    job: Shot, chain: FrameChain, starting: Callable[[], None], cancelled: Callable[[], bool] | None
) -> Path | None:
    """Writes the job's movie if all of its frames are finished, and it is not the movie of just these frames already.

    Of several processes that finish the last frames together, the one that looks last finds all of them, so that
    somebody always writes it.

    Args:
        starting: called before it is written.

    Returns:
        the movie; None: frames are unfinished, or another process is writing it.

    Raises:
        JobError, MediaError: a file cannot be read or written.
        Cancelled: ``cancelled()`` was true.
    """
    if not chain.all_finished():
        return None
    record = job.records / "movie.json"
    content = {"digest": digest_text(f"rate {job.scene.rate}", *map(chain.digest, job.frames))}
    try:
        with job.lock_movie():
            if not (job.movie.is_file() and _read(record) == content):
                starting()
                remove(record, error=JobError)
                write_movie(job.movie, _pictures(job, cancelled), job.scene.rate)
                write_bytes(record, f"{json.dumps(content)}\n".encode(), error=JobError)
    except JobLockedError:
        return None
    return job.movie


def _pictures(job: Shot, cancelled: Callable[[], bool] | None) -> Iterator[npt.NDArray[np.uint16]]:
    for frame in job.frames:
        if cancelled is not None and cancelled():
            raise Cancelled("cancelled while the movie was written; all frames are finished")
        yield read_png(job.stylized(frame))


def _read(record: Path) -> object:
    try:
        content: object = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return None
    return content
