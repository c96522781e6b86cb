"""Only the noise of a job, for other tools: NumPy's .npz or safetensors, one file or one a frame."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.errors import Cancelled, JobError, SettingsError
from warpnoise.job import Shot
from warpnoise.job.names import frame_name
from warpnoise.media.atomic import replacing
from warpnoise.motion import motions
from warpnoise.noise import NOISE_METHODS, make_noise
from warpnoise.pipeline.work_queues import Prefetch

Format = Literal["npz", "safetensors"]


@dataclass(frozen=True)
class WarpOptions:
    """What noise, and how it is written.

    ``width``, ``height``: of the noise; 0: from the other, both 0: the frames'. A latent model's are the frames' over
    its VAE's factor.
    ``maps``: independent noises that the same motion carries. ``noise``: "warped" or a baseline's name.
    ``per_frame``: one file a frame, named by its number, in a folder; otherwise one file.
    """

    channels: int = 4
    height: int = 0
    width: int = 0
    maps: int = 1
    seed: int = 0
    noise: str = "warped"
    format: Format = "npz"
    per_frame: bool = False

    def __post_init__(self) -> None:
        for name, least in (("channels", 1), ("height", 0), ("width", 0), ("maps", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise SettingsError(f"{name}: expected at least {least}, got {value}")
        if self.noise not in NOISE_METHODS:
            raise SettingsError(f"noise {self.noise!r}: there are {', '.join(NOISE_METHODS)}")
        if self.format not in ("npz", "safetensors"):
            raise SettingsError(f"format: expected npz or safetensors, got {self.format!r}")


def warp(
    job: Shot,
    output: Path,
    options: WarpOptions | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Path]:
    """Write the noise of every frame of a job.

    The array ``noise`` is float32 of the shape (frames, channels, height, width), with several maps (frames, maps,
    channels, height, width); without the first axis in files of one frame. ``frames``, int64, has the frames' numbers.

    Args:
        job: a job folder; only ``job.json`` and the passes are read.
        output: the file, or with ``per_frame`` the folder. A suffix that is missing is added.
        progress: called after each frame with how many are done and how many there are.
        cancelled: asked before each frame.

    Returns:
        the files written.

    Raises:
        SettingsError: an option out of its range.
        JobError, MediaError: a file cannot be read, or ``output`` cannot be written.
        Cancelled: ``cancelled()`` was true; what was finished stays, with one file for all frames nothing is left.
    """
    options = options or WarpOptions()
    shape = _shape(job, options)
    stacked = (options.maps, *shape) if options.maps > 1 else shape
    frames = job.frames
    files: list[Path] = []
    with contextlib.ExitStack() as stack:
        ahead = stack.enter_context(Prefetch(_noises(job, options, shape), size=2, cancelled=cancelled))
        together: ArrayWriter | None = None
        if not options.per_frame:
            files.append(_with_suffix(output, options.format))
            file = stack.enter_context(replacing(files[0], error=JobError))
            together = stack.enter_context(_open_writer(file, options.format, (len(frames), *stacked), frames))
        for done, (frame, noise) in enumerate(ahead, start=1):
            if cancelled is not None and cancelled():
                raise Cancelled("cancelled between two frames")
            array = noise.reshape(stacked)
            if together is not None:
                together.write(array)
            else:
                files.append(output / f"{frame_name(frame)}.{options.format}")
                with (
                    replacing(files[-1], error=JobError) as file,
                    _open_writer(file, options.format, stacked, [frame]) as single,
                ):
                    single.write(array)
            if progress is not None:
                progress(done, len(frames))
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
    job: Shot, options: WarpOptions, shape: tuple[int, int, int]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    noise = make_noise(options.noise, shape, options.seed, "cpu", options.maps)
    for frame, motion in motions(job):
        first = noise.frame() if motion is None else noise.advance(motion)
        yield frame, torch.stack([first, *(noise.frame(k) for k in range(1, options.maps))]).numpy()


def _with_suffix(path: Path, suffix: str) -> Path:
    return path if path.suffix == f".{suffix}" else path.with_name(f"{path.name}.{suffix}")


class ArrayWriter(Protocol):
    """Takes an array in parts, along its first axis, so that it never stands in memory as a whole."""

    def write(self, part: npt.NDArray[np.float32], /) -> object: ...


@dataclass(frozen=True)
class _Raw:
    file: BinaryIO

    def write(self, part: npt.NDArray[np.float32], /) -> None:
        self.file.write(np.ascontiguousarray(part, dtype="<f4").tobytes())


@contextlib.contextmanager
def _open_writer(
    file: BinaryIO,
    kind: Format,
    shape: tuple[int, ...],
    frames: list[int],
) -> Iterator[ArrayWriter]:
    numbers = np.array(frames, dtype="<i8")
    if kind == "npz":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            with archive.open("frames.npy", "w") as member:
                np.lib.format.write_array(member, numbers, allow_pickle=False)
            with archive.open("noise.npy", "w", force_zip64=True) as member:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                yield _Raw(member)  # type: ignore[arg-type]
        return
    # safetensors: the header's length (8 bytes, little-endian), the header (JSON), then the tensors' bytes.
    split = numbers.nbytes
    header = {
        "frames": {"dtype": "I64", "shape": list(numbers.shape), "data_offsets": [0, split]},
        "noise": {
            "dtype": "F32",
            "shape": list(shape),
            "data_offsets": [split, split + 4 * int(np.prod(shape, dtype=np.int64))],
        },
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text + numbers.tobytes())
    yield _Raw(file)
