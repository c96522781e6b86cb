"""A rendered sequence of the same shot, for the floor and to compare with."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from warpnoise.errors import JobError
from warpnoise.job import Shot
from warpnoise.media.png import read_size

_NUMBER = re.compile(r"-?\d+$")


def open_reference(folder: Path, job: Shot) -> Callable[[int], Path]:
    """Where each frame's picture is: a PNG whose name ends in the frame's number, as Blender writes them.

    Raises:
        JobError: no folder, missing frames, two files of one number, or a picture of another size than the job's.
        MediaError: a file is no PNG.
    """
    if not folder.is_dir():
        raise JobError(f"The reference {folder} is not a folder. Give a folder of PNGs, one for each frame of the job.")
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("*.png")):
        match = _NUMBER.search(path.stem)
        if match is None:
            continue
        number = int(match[0])
        if number not in job.frames:
            number = abs(number)  # "shot-0001" is frame 1
        if number in found:
            raise JobError(f"The reference {folder} has frame {number} twice: {found[number].name} and {path.name}.")
        found[number] = path
    missing = [frame for frame in job.frames if frame not in found]
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise JobError(
            f"The reference {folder} lacks frame {shown}. Give a PNG for each frame of the job, with the frame's "
            "number at the end of its name (0001.png)."
        )
    width, height = job.scene.width, job.scene.height
    for frame in job.frames:
        size = read_size(found[frame])
        if size != (width, height):
            raise JobError(
                f"{found[frame]}: expected {width} x {height} pixels, as the job has, got {size[0]} x {size[1]}. "
                "Render the reference at the job's size."
            )
    return found.__getitem__
