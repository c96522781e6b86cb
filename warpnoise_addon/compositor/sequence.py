"""The frames of the result in use, as an image sequence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import JobFolderError, Message
from ..results import current_folder, frame_path, read_job


@dataclass(frozen=True)
class Sequence:
    """``first`` to ``last`` are the numbers of the files, ``step`` apart; frames between two files hold the earlier.

    ``folder``: the job's; ``result``: that of its result in use.
    """

    folder: Path
    result: Path
    first: int
    last: int
    step: int

    @property
    def path(self) -> Path:
        """The file of the first frame."""
        return frame_path(self.result, self.first)

    @property
    def shown_last(self) -> int:
        """The last of Blender's frames that shows a file."""
        return self.last + self.step - 1


ONLY_NEGATIVE = "only frames before frame 0 are finished: image sequences have no negative numbers"


def read_sequence(folder: Path) -> tuple[Sequence | None, list[str]]:
    """The finished frames of a job's result in use, and warnings about those that are missing.

    Blender's image sequences have no negative numbers: negative frames are left out, with a warning. None: all
    frames are negative.

    Raises JobFolderError: no readable job.json, or no finished frame.
    """
    (frames, step), _ = read_job(folder, _frames_of)
    result = current_folder(folder)
    done = [frame for frame in frames if result is not None and frame_path(result, frame).is_file()]
    if result is None or not done:
        raise JobFolderError("{folder}: no frame is finished. Stylize it first", folder=folder)
    shown = [frame for frame in done if frame >= 0]
    if not shown:
        return None, [ONLY_NEGATIVE]
    warnings: list[str] = []
    if len(done) > len(shown):
        warnings.append(
            Message(
                "{count} frames before frame 0 are not shown: image sequences have no negative numbers",
                count=len(done) - len(shown),
            )
        )
    expected = [frame for frame in frames if shown[0] <= frame]
    missing = sorted(set(expected) - set(shown))
    if missing:
        warnings.append(
            Message(
                "{missing} of {total} stylized frames are missing, the first is {first}",
                missing=len(missing),
                total=len(frames),
                first=missing[0],
            )
        )
    return Sequence(folder, result, shown[0], shown[-1], step), warnings


def _frames_of(content: Any) -> tuple[list[int], int]:
    scene = content["scene"]
    start, end, step = (int(scene[key]) for key in ("frame_start", "frame_end", "frame_step"))
    return list(range(start, end + 1, step)), step
