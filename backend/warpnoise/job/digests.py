"""Which frames are finished, and of what they were made: ``stylized/frames.json``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from warpnoise.errors import JobError
from warpnoise.media.atomic import write_bytes

log = logging.getLogger(__name__)


class FrameDigests:
    """For each finished frame the digest of all that it was made of, kept in a file.

    A digest is any text: equal digests mean that the frame need not be made again. The file is replaced whole at every
    change, after the frame that it tells of was written.
    """

    def __init__(self, path: Path, *, warn: Callable[[str], None] = log.warning) -> None:
        """Reads what is there. A file that cannot be understood costs time, not work: it is reported through ``warn``
        and taken for empty, so that the frames are made again."""
        self._path = path
        self._digests: dict[int, str] = {}
        try:
            self._digests = _parse(path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as failure:
            warn(f"{path} cannot be read ({failure}): its frames are taken for unfinished.")

    def get(self, frame: int) -> str | None:
        """The digest that the frame was finished with, or None."""
        return self._digests.get(frame)

    def record(self, frame: int, digest: str) -> None:
        """Says that the frame is finished. Raises JobError when the file cannot be written."""
        self._write({**self._digests, frame: digest})

    def forget(self, frame: int) -> None:
        """Says that the frame is not finished, before it is made again. Raises JobError as ``record`` does."""
        if frame in self._digests:
            self._write({known: digest for known, digest in self._digests.items() if known != frame})

    def _write(self, digests: dict[int, str]) -> None:
        text = json.dumps({str(frame): digests[frame] for frame in sorted(digests)}, indent=1)
        write_bytes(self._path, (text + "\n").encode(), error=JobError)
        self._digests = digests


def _parse(data: bytes) -> dict[int, str]:
    content = json.loads(data)
    if not isinstance(content, dict) or not all(isinstance(digest, str) for digest in content.values()):
        raise ValueError("expected an object of frame numbers and texts")
    return {int(frame): digest for frame, digest in content.items()}
