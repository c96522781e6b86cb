"""The movie. The process that finds all frames of the shot finished writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from warpnoise.errors import JobError, JobLockedError, stop_if
from warpnoise.hashing import digest_text
from warpnoise.job import Result, Shot, frames_text
from warpnoise.job.digest_cache import DigestCache
from warpnoise.media.png import read_png
from warpnoise.pipeline.accumulate import AccumulatedOf, stylized_of
from warpnoise.pipeline.made_of import unfinished


def write_finished_movie(
    shot: Shot, result: Result, starting: Callable[[], None], cancelled: Callable[[], bool] | None = None
) -> Path:
    """Writes the movie of a result, as ``write_movie_of`` does, once it has checked that every frame is finished.

    The model's folder is not needed: the result records which model it was.

    Raises:
        JobError: frames are unfinished, or were made of other inputs; their numbers are named. The result's settings
            cannot be read.
        JobLockedError: another process writes the movie.
        MediaError, Cancelled: as ``write_movie_of``.
    """
    info = result.info()
    if info is None:
        raise JobError(f"{result.folder} has no settings.json that can be read. Stylize the shot again.")
    shot.check(shot.frames)
    with DigestCache(shot.path, shot.results_folder, cancelled) as digests:
        stylized = stylized_of(shot, info, shot.frames[-1], digests, cancelled)
        missing = unfinished(shot, result.raw if info.settings.accumulation else result, shot.frames, stylized, digests)
        if info.settings.accumulation and not missing:
            made_of = AccumulatedOf(shot, info.settings, stylized)
            missing = [each for each in shot.frames if not result.is_finished(result.frame(each), made_of.digest(each))]
    if missing:
        raise JobError(
            f"{result.folder}: frames {frames_text(missing, 10)} are not finished, or their inputs have changed since. "
            "Stylize and accumulate them, then write the movie."
        )
    movie = write_movie_of(shot, result, starting, cancelled)
    if movie is None:
        raise JobLockedError(f"Another process writes {result.movie}. Wait until it is done.")
    return movie


def write_movie_of(
    shot: Shot, result: Result, starting: Callable[[], None], cancelled: Callable[[], bool] | None
) -> Path | None:
    """Writes the movie of a result whose frames are all finished, unless it is the movie of just these frames already.

    Args:
        starting: called before it is written.

    Returns:
        the movie; None: another process writes it.

    Raises:
        JobError, MediaError: a file cannot be read or written.
        Cancelled: ``cancelled()`` was true.
    """
    digests = []
    for frame in shot.frames:
        record = result.record(result.frame(frame))
        if record is None:
            raise JobError(f"{result.folder} lost the record of frame {frame} during the run. Run again.")
        digests.append(record.sha256)
    made_of = digest_text(f"rate {shot.scene.rate}", *digests)
    try:
        with result.movie_lease():
            if not result.is_finished(result.movie, made_of):
                starting()
                result.write_movie(_pictures(shot, result, cancelled), shot.scene.rate, made_of)
    except JobLockedError:
        return None
    return result.movie


def _pictures(shot: Shot, result: Result, cancelled: Callable[[], bool] | None) -> Iterator[npt.NDArray[np.uint16]]:
    for frame in shot.frames:
        stop_if(cancelled, "cancelled while the movie was written; all frames are finished")
        yield read_png(result.frame(frame))
