"""The passes of a frame in the conventions of ``Motion``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warpnoise.job import Camera, FrameState, Shot
from warpnoise.media.exr import Plane, read_passes
from warpnoise.motion.geometry import surface_geometry

Flow = npt.NDArray[np.float32]

BACKGROUND = 0
"""The surface number of the background, which is at infinity."""
NAMELESS = 1
"""The surface number of objects without a Cryptomatte hash. No object's hash is so small."""

_FAR = 1e9
"""Pixels at this distance or farther are background, for which Cycles writes 1e10."""


@dataclass(frozen=True)
class Frame:
    """One frame. Flows are (h, w, 2) float32, pixels, x right and y down; NaN: unknown."""

    number: int
    to_previous: Flow
    """Displacement of the surface point visible at a pixel, to the previous frame, as in the file."""
    to_next: Flow
    """Displacement of the surface point visible at a pixel, to the next frame, as in the file."""
    surface: npt.NDArray[np.int32]
    """(h, w): the Cryptomatte hash's bits; 0: the background."""
    depth: Plane
    """(h, w): projective depth, see ``warpnoise.motion.cameras``."""
    manifest: Mapping[str, int]
    """{name: number} of surfaces."""
    camera: Camera | None
    objects: Mapping[str, npt.NDArray[np.float64]]
    cut: bool
    unknown_motion: Collection[str]
    """Names of objects whose flow from and to the previous frame is invalid."""

    def geometry(self) -> npt.NDArray[np.float32]:
        """(4, h, w), see `surface_geometry`."""
        return surface_geometry(self.depth, self.surface == BACKGROUND, self.camera)


def read_frame(job: Shot, state: FrameState, warn: Callable[[str], None]) -> Frame:
    """Reads a frame of the job.

    Args:
        warn: receives a message if vectors are not finite. They become NaN, unknown.

    Raises:
        MediaError: the file cannot be read, lacks a pass, or differs in size from the job.
    """
    path = job.passes(state.frame)
    passes = read_passes(path, (job.scene.width, job.scene.height))
    with np.errstate(invalid="ignore"):
        background = ~(passes.depth < _FAR)
    x, y, z, w = passes.vector
    frame = Frame(
        number=state.frame,
        to_previous=_flow(x, -y),
        to_next=_flow(-z, w),
        surface=np.where(background, BACKGROUND, np.where(passes.surface == 0, NAMELESS, passes.surface)),
        depth=_projective_depth(passes.depth, background, state.camera),
        manifest=passes.manifest,
        camera=state.camera,
        objects=state.objects,
        cut=state.cut,
        unknown_motion=state.unknown_motion,
    )
    unknown = np.isnan(frame.to_previous[..., 0]) | np.isnan(frame.to_next[..., 0])
    if unknown.any():
        warn(
            f"{path}: the vectors of {np.count_nonzero(unknown)} of {unknown.size} pixels are not finite numbers. "
            "Their motion is treated as unknown."
        )
    return frame


def _flow(x: Plane, y: Plane) -> Flow:
    flow = np.stack([x, y], axis=-1)
    # The sum of two finite numbers is finite unless the vector is absurdly long, which is not a motion either.
    with np.errstate(over="ignore", invalid="ignore"):
        unknown = ~np.isfinite(x + y)
    if unknown.any():
        flow[unknown] = np.nan
    return flow


def _projective_depth(distance: Plane, background: npt.NDArray[np.bool_], camera: Camera | None) -> Plane:
    if camera is not None and camera.type == "ORTHO":
        return -np.nan_to_num(distance, nan=1e10, posinf=1e10)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(background, np.float32(0), 1 / np.maximum(distance, np.float32(1e-9)))
