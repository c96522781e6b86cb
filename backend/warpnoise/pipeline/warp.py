"""Writes only the noise of a job, for other tools.

The files are NumPy's, safetensors or EXR, one for all frames or one for each, in the layouts that models and tools use
for their latents.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.errors import JobError, SettingsError, stop_if
from warpnoise.job import Shot
from warpnoise.job.frame_ranges import frame_name
from warpnoise.job.warp_options import WarpOptions
from warpnoise.media.array_file import Write, arrange, layout_shape, open_writer, write_exr
from warpnoise.media.atomic import replacing
from warpnoise.motion import motions
from warpnoise.noise import make_noise
from warpnoise.pipeline.work_queues import prefetch


def warp(
    job: Shot,
    output: Path,
    options: WarpOptions | None = None,
    *,
    frames: Collection[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Path]:
    """Write the noise of a job's frames.

    The array ``noise`` is float32 with the shape (frames, *layout), or with several maps (frames, maps, *layout). In
    files for a single frame, the first axis is missing. ``frames``, int64, holds the numbers of the frames. For EXR,
    see `write_exr`.

    Args:
        job: a job folder, of which only ``job.json`` and the passes up to the last chosen frame are read.
        output: the file, or with ``per_frame`` the folder. A missing suffix is added.
        frames: the frames to write. Default: all. The noise moves through all earlier frames.
        progress: called after each frame, with the number of finished frames and the number of all.
        cancelled: called before each frame.

    Returns:
        the files.

    Raises:
        SettingsError: an option is out of range.
        JobError, MediaError: a file cannot be read, or ``output`` cannot be written.
        Cancelled: ``cancelled()`` was true. Files of finished frames are kept; a single file for all frames is not
            written.
    """
    options = options or WarpOptions()
    shape = _shape(job, options)
    arranged = layout_shape(options.layout, *shape)
    stacked = (options.maps, *arranged) if options.maps > 1 else arranged
    wanted = job.frames if frames is None else sorted(set(frames))
    files: list[Path] = []
    with contextlib.ExitStack() as stack:
        ahead = stack.enter_context(prefetch(_noises(job, options, shape, wanted), 2, cancelled))
        together: Write | None = None
        if not options.per_frame and options.format != "exr":
            files.append(output if output.suffix == f".{options.format}" else Path(f"{output}.{options.format}"))
            file = stack.enter_context(replacing(files[0], error=JobError))
            together = stack.enter_context(open_writer(file, options.format, (len(wanted), *stacked), wanted))
        for done, (frame, noise) in enumerate(ahead, start=1):
            stop_if(cancelled, "cancelled between two frames")
            array = arrange(noise, options.layout).reshape(stacked)
            if together is not None:
                together(array)
            else:
                files.append(output / f"{frame_name(frame)}.{options.format}")
                with replacing(files[-1], error=JobError) as file:
                    if options.format == "exr":
                        write_exr(file, noise)
                    else:
                        with open_writer(file, options.format, stacked, [frame]) as single:
                            single(array)
            if progress is not None:
                progress(done, len(wanted))
    return files


def _shape(job: Shot, options: WarpOptions) -> tuple[int, int, int]:
    frame_height, frame_width = job.scene.height, job.scene.width
    width = options.width or max(round((options.height or frame_height) * frame_width / frame_height), 1)
    height = options.height or max(round(width * frame_height / frame_width), 1)
    if abs(frame_height * width - frame_width * height) > max(frame_height, frame_width):
        raise SettingsError(
            f"width, height: the frames are {frame_width} x {frame_height} pixels and the noise would be {width} x "
            f"{height}. Give a size of the same aspect ratio, or only one of the two."
        )
    return options.channels, height, width


def _noises(
    job: Shot, options: WarpOptions, shape: tuple[int, int, int], wanted: list[int]
) -> Generator[tuple[int, npt.NDArray[np.float32]]]:
    noise = make_noise(options.noise, shape, options.seed, "cpu", options.maps)
    for frame, motion in motions(job):
        first = noise.frame() if motion is None else noise.advance(motion)
        if frame in wanted:
            yield frame, torch.stack([first, *(noise.frame(k) for k in range(1, options.maps))]).numpy()
        if frame >= wanted[-1]:
            return
