"""Writes only the noise of a job, for other tools.

The files are NumPy's, safetensors or EXR, one for all frames or one for each, in the layouts that models and tools use
for their latents.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.errors import JobError, SettingsError, stop_if
from warpnoise.job import Shot
from warpnoise.job.frame_ranges import frame_name
from warpnoise.media.array_file import Format, Write, open_writer, write_exr
from warpnoise.media.atomic import replacing
from warpnoise.motion import motions
from warpnoise.noise import NOISE_METHODS, make_noise
from warpnoise.pipeline.work_queues import prefetch

Layout = Literal["planes", "last", "patches", "tokens"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
Array = npt.NDArray[np.float32]


def layout_shape(layout: Layout, channels: int, height: int, width: int) -> tuple[int, ...]:
    """The shape of one frame's noise in a layout.

    - ``planes``: (channels, height, width), as PyTorch has it: Stable Diffusion, SD 3, Wan.
    - ``last``: (height, width, channels), as the files of Go-with-the-Flow have it.
    - ``patches``: (4 channels, height / 2, width / 2), each 2 x 2 block in a position: FLUX.2's latents.
    - ``tokens``: (height / 2 * width / 2, 4 channels), the same blocks row by row: what FLUX, Qwen-Image and others
      feed their transformers.

    Blocks are in the order of channel, row, column, as diffusers packs them. Both are permutations of independent
    values, so the noise stays exact.

    Raises:
        SettingsError: a side is odd, and the layout has blocks.
    """
    if layout in ("patches", "tokens") and (height % 2 or width % 2):
        raise SettingsError(f"layout {layout}: the noise is {width} x {height}; blocks of 2 x 2 need even sides")
    return {
        "planes": (channels, height, width),
        "last": (height, width, channels),
        "patches": (4 * channels, height // 2, width // 2),
        "tokens": (height // 2 * (width // 2), 4 * channels),
    }[layout]


def arrange(noise: Array, layout: Layout) -> Array:
    """The noise (..., channels, height, width) in a layout of `layout_shape`; further axes stay in front."""
    *front, channels, height, width = noise.shape
    shape = (*front, *layout_shape(layout, channels, height, width))
    if layout == "last":
        return np.moveaxis(noise, -3, -1)
    if layout in ("patches", "tokens"):
        blocks = noise.reshape(-1, channels, height // 2, 2, width // 2, 2)
        axes = (0, 1, 3, 5, 2, 4) if layout == "patches" else (0, 2, 4, 1, 3, 5)
        return blocks.transpose(axes).reshape(shape)
    return noise


@dataclass(frozen=True)
class WarpOptions:
    """The noise to write, and its file format.

    ``width``, ``height``: the size of the noise. If one of them is 0, it follows from the other. If both are 0, the
    noise has the size of the frames. For a latent model, use the size of the frames divided by the VAE's factor.
    ``maps``: the number of independent noise maps. ``noise``: "warped" or the name of a baseline. ``layout``: as in
    `layout_shape`. ``format``: as in `warpnoise.media.array_file`. ``per_frame``: a file for each frame, named by its
    number, in a folder. Otherwise there is one file, except for EXR.
    """

    channels: int = 4
    height: int = 0
    width: int = 0
    maps: int = 1
    seed: int = 0
    noise: str = "warped"
    layout: Layout = "planes"
    format: Format = "npz"
    per_frame: bool = False

    def __post_init__(self) -> None:
        for name, least in (("channels", 1), ("height", 0), ("width", 0), ("maps", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise SettingsError(f"{name}: expected at least {least}, got {value}")
        if self.noise not in NOISE_METHODS:
            raise SettingsError(f"noise {self.noise!r}: there are {', '.join(NOISE_METHODS)}")
        if self.layout not in LAYOUTS:
            raise SettingsError(f"layout: expected {', '.join(LAYOUTS)}, got {self.layout!r}")
        if self.format not in get_args(Format):
            raise SettingsError(f"format: expected {', '.join(get_args(Format))}, got {self.format!r}")
        if self.format == "exr" and self.layout != "planes":
            raise SettingsError(f"layout {self.layout}: EXR files are pictures, which have the layout planes alone")


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
