"""What a job folder's `stylized/` holds, as an image sequence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import JobFolderError
from ..names import frame_name


@dataclass(frozen=True)
class Sequence:
    """``first`` to ``last`` are the numbers of the files, ``step`` apart; frames between two files hold the earlier."""

    folder: Path
    first: int
    last: int
    step: int

    @property
    def path(self) -> Path:
        """The file of the first frame."""
        return self.folder / "stylized" / f"{frame_name(self.first)}.png"

    @property
    def shown_last(self) -> int:
        """The last of Blender's frames that shows a file."""
        return self.last + self.step - 1


def read_sequence(folder: Path) -> tuple[Sequence, list[str]]:
    """The finished frames of a job, and warnings about those that are missing.

    Blender's image sequences have no negative numbers: negative frames stay out, with a warning.

    Raises:
        JobFolderError: no readable job.json, or no finished frame.
    """
    frames, step = _job_frames(folder)
    done = [frame for frame in frames if (folder / "stylized" / f"{frame_name(frame)}.png").is_file()]
    shown = [frame for frame in done if frame >= 0]
    warnings = []
    if len(done) > len(shown) > 0:
        warnings.append(
            f"{len(done) - len(shown)} frames before frame 0 are not shown: image sequences have no negative numbers"
        )
    if not shown:
        why = "only frames before 0 are finished, which image sequences cannot show" if done else "no frame is finished"
        raise JobFolderError(f"{folder}: {why}. Stylize it first")
    expected = [frame for frame in frames if shown[0] <= frame]
    missing = sorted(set(expected) - set(shown))
    if missing:
        warnings.append(f"{len(missing)} of {len(frames)} stylized frames are missing, the first is {missing[0]}")
    return Sequence(folder, shown[0], shown[-1], step), warnings


def _job_frames(folder: Path) -> tuple[list[int], int]:
    path = folder / "job.json"
    try:
        scene = json.loads(path.read_text(encoding="utf-8"))["scene"]
        start, end, step = (int(scene[key]) for key in ("frame_start", "frame_end", "frame_step"))
        if step < 1:
            raise ValueError(f"frame_step is {step}, expected 1 or more")
    except OSError as error:
        raise JobFolderError(f"{folder} is not a job folder: job.json cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise JobFolderError(f"{path}: expected scene.frame_start, frame_end and frame_step ({error})") from None
    return list(range(start, end + 1, step)), step
