"""A pan over a shot's first frame. Its motion is a whole number of pixels, the same everywhere."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR

from warpnoise.errors import JobError
from warpnoise.job import Camera, Settings, Shot
from warpnoise.job.schema import as_array, as_matrix
from warpnoise.media.exr import Passes, read_passes
from warpnoise.media.png import read_png, write_png

_LEAST_SHARE = 0.5
"""Of the frame's width, that the moving window has at least."""

_BACKDROP = 1e8
"""Distance of the background in orthographic views, that it moves as the rest: at infinity it would stand still."""


def make_pan(job: Shot, folder: Path, pixels: int, frames: int, settings: Settings) -> Shot:
    """A job of a window that moves over the first frame of ``job`` to the right, ``pixels`` a frame.

    The camera's lens shifts, and nothing else moves, so that the motion is uniform and known exactly.

    Args:
        folder: of the new job. An existing folder is replaced.
        frames: at most; fewer where the window would become narrower than half of the frame.

    Raises:
        JobError: the frame is too narrow for two frames, or the folder cannot be written.
        MediaError: the first frame cannot be read.
    """
    number, width, height = job.frames[0], job.scene.width, job.scene.height
    frames = min(frames, int(width * (1 - _LEAST_SHARE)) // pixels + 1)
    if frames < 2:
        raise JobError(
            f"A pan of {pixels} pixels a frame over {width} pixels has only one frame. Use fewer pixels, or a shot "
            "with larger frames."
        )
    window = width - pixels * (frames - 1)
    state = next(iter(job.states()))
    passes = read_passes(job.passes(number), (width, height))
    if state.camera is not None and state.camera.type == "ORTHO":
        np.minimum(passes.depth, _BACKDROP, out=passes.depth)
    picture = read_png(job.color(number))
    with tempfile.TemporaryDirectory() as made:
        for frame in range(frames):
            shown = slice(pixels * frame, pixels * frame + window)
            write_png(Path(made) / f"{frame}.png", np.ascontiguousarray(picture[:, shown]))
            _write_passes(Path(made) / f"{frame}.exr", passes, shown, pixels)
        cameras = [state.camera and _cropped(state.camera, width, window, pixels * frame) for frame in range(frames)]
        return Shot.create(
            folder,
            passes=[Path(made) / f"{frame}.exr" for frame in range(frames)],
            color=[Path(made) / f"{frame}.png" for frame in range(frames)],
            fps=job.scene.fps,
            cameras=cameras,
            objects=[state.objects] * frames,
            settings=settings,
            name=f"{job.scene.name}, pan of {pixels} px",
            transparent=job.scene.transparent,
        )


def _cropped(camera: Camera, width: int, window: int, left: int) -> Camera:
    """The camera of the columns from ``left`` to ``left + window``."""
    projection = as_array(camera.projection).copy()
    projection[0] = projection[0] * (width / window) + projection[3] * ((width - 2 * left) / window - 1)
    return camera.model_copy(update={"projection": as_matrix(projection)})


def _write_passes(path: Path, passes: Passes, shown: slice, pixels: int) -> None:
    """The columns ``shown`` of the passes, moving left by ``pixels`` a frame."""
    depth = passes.depth[:, shown]
    along, none = np.full_like(depth, pixels), np.zeros_like(depth)
    planes: Mapping[str, npt.NDArray[np.float32]] = {
        "Depth.Z": depth,
        "Vector.X": along,
        "Vector.Y": none,
        "Vector.Z": along,
        "Vector.W": none,
        "CryptoObject00.r": passes.surface[:, shown].copy().view(np.float32),
        "CryptoObject00.g": none,
        "CryptoObject00.b": none,
        "CryptoObject00.a": none,
    }
    manifest = {name: f"{number & 0xFFFFFFFF:08x}" for name, number in passes.manifest.items()}
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "cryptomatte/cb2b715/name": "ViewLayer.CryptoObject",
        "cryptomatte/cb2b715/hash": "MurmurHash3_32",
        "cryptomatte/cb2b715/conversion": "uint32_to_float32",
        "cryptomatte/cb2b715/manifest": json.dumps(manifest),
    }
    named = {f"ViewLayer.{name}": np.ascontiguousarray(plane, np.float32) for name, plane in planes.items()}
    OpenEXR.File(header, named).write(str(path))
