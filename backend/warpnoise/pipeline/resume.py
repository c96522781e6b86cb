"""Which frames of a result are left to be made."""

from __future__ import annotations

from collections.abc import Sequence

from warpnoise.hashing import file_sha256
from warpnoise.job import Result, Shot
from warpnoise.job.digest_cache import DigestCache
from warpnoise.pipeline.made_of import MadeOf


def unfinished(
    shot: Shot, result: Result, frames: Sequence[int], made_of: MadeOf, digests: DigestCache, *, preview: bool = False
) -> list[int]:
    """Those of ``frames`` that must be made, in order: inputs or settings have changed since, or the picture is not the
    one that was written. Reads no input of a frame without a record, so that a first run begins at once.

    Args:
        preview: whether a frame that a preview made is finished.

    Raises:
        MediaError: an input cannot be read.
        Cancelled: as ``DigestCache.digest``.
    """
    made = [frame for frame in frames if result.frame(frame).is_file() and result.record(result.frame(frame))]
    if made:
        before = shot.frames[: shot.frames.index(made[-1]) + 1]
        digests.digest_all([*map(shot.passes, before), *map(shot.color, made)])
        digests.digest_all(map(result.frame, made), file_sha256)
    finished = {
        frame
        for frame in made
        if result.is_finished(
            result.frame(frame),
            made_of.digest(frame),
            preview=preview,
            sha256=lambda path: digests.digest(path, file_sha256),
        )
    }
    return [frame for frame in frames if frame not in finished]


def all_recorded(shot: Shot, result: Result) -> bool:
    """Whether each frame of the shot has a record that is no preview's; a quick look before ``unfinished``."""
    return len(shot.info.frames) == len(shot.frames) and all(
        record is not None and not record.preview for record in map(result.record, map(result.frame, shot.frames))
    )
