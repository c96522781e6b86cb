"""Which frames are finished, and of what they were made: a small file for each."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from warpnoise.errors import JobError
from warpnoise.job.names import frame_name
from warpnoise.media.atomic import remove, write_bytes

log = logging.getLogger(__name__)


class FrameDigests:
    """For each finished frame the digest of all that it was made of, in a file ``FOLDER/0001.json``.

    A digest is any text: equal digests mean that the frame need not be made again. The file is written after the frame
    that it tells of. Nothing is remembered here, and no two frames share a file: what other processes finish is seen,
    and cannot be lost.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], None] = log.warning) -> None:
        self._folder = folder
        self._warn = warn

    def get(self, frame: int) -> str | None:
        """The digest that the frame was finished with, or None. Warns as ``read_record`` does."""
        return read_record(self._path(frame), warn=self._warn)

    def record(self, frame: int, digest: str) -> None:
        """Says that the frame is finished. Raises JobError when that cannot be written."""
        write_bytes(self._path(frame), f"{json.dumps({'digest': digest})}\n".encode(), error=JobError)

    def forget(self, frame: int) -> None:
        """Says that the frame is not finished, before it is made again. Raises JobError as ``record`` does."""
        remove(self._path(frame), error=JobError)

    def _path(self, frame: int) -> Path:
        return self._folder / f"{frame_name(frame)}.json"


def read_record(path: Path, *, warn: Callable[[str], None] = log.warning) -> str | None:
    """The digest in a record, or None: what it tells of is not finished.

    A file that cannot be understood costs time, not work: it is reported through ``warn``, and the frame is taken
    for unfinished.
    """
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or not isinstance(content.get("digest"), str):
            raise ValueError("expected an object with the text `digest`")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as failure:
        warn(f"{path} cannot be read ({failure}): the frame is taken for unfinished.")
        return None
    return str(content["digest"])
