"""A rendered sequence of the same shot, for the floor and to compare with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from warpnoise.errors import JobError
from warpnoise.job import Shot
from warpnoise.media.numbered_files import numbered_files
from warpnoise.media.png import read_size


def open_reference(folder: Path, job: Shot) -> Callable[[int], Path]:
    """Where each frame's picture is: a PNG whose name ends in the frame's number, as Blender writes them.

    Raises:
        JobError: no folder, missing frames, two files of one number, or a picture of another size than the job's.
        MediaError: a file is no PNG.
    """
    found = numbered_files(folder, (".png",), job.frames, error=JobError)
    width, height = job.scene.width, job.scene.height
    for path in found.values():
        size = read_size(path)
        if size != (width, height):
            raise JobError(
                f"{path}: expected {width} x {height} pixels, as the job has, got {size[0]} x {size[1]}. Render the "
                "reference at the job's size."
            )
    return found.__getitem__
