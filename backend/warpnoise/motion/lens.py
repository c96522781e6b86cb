"""Corrects flow for the lens through which Cycles projected it.

Flow leads to the position of a point in the target frame. Cycles uses the camera position of the target frame, but not
all of its lens. What it uses instead depends on the version (measured with 4.2.23, 4.3, 4.5.15, 5.0.1 and 5.2.2):

    perspective    4.2: the source frame's lens; later: the target's focal length with the source's shift
    orthographic   the source frame's scale and shift; in 4.3, 4.5 and 5.0, if the camera moves, a perspective lens

Pixels of objects with known matrices show which case applies. All cases but the last are corrected exactly, even for
deforming objects, because lenses differ by an affine map of the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from warpnoise.job import Camera
from warpnoise.job.schema import as_array
from warpnoise.motion.cameras import Matrix, apply, camera_to_pixels
from warpnoise.motion.frames import BACKGROUND, Flow
from warpnoise.motion.rigid import Prediction, agrees

_SAMPLES = 20_000
_CERTAIN = 0.5
"""A hypothesis is accepted if this part of the rigid objects' pixels agrees with it."""


@dataclass
class LensCorrection:
    """Corrects the flow of successive frame pairs. A detected lens is used until pixels show another one."""

    warn: Callable[[str], None]
    _lens: str = "focal length"
    _perspective: bool = False
    _warned: bool = field(default=False, init=False)

    def correct(self, flow: Flow, source: Camera, target: Camera, prediction: Prediction) -> Flow:
        """The true flow, (h, w, 2), in pixels.

        Args:
            flow: the renderer's flow, from the frame of the camera ``source`` to that of the camera ``target``.
            prediction: the motion of the same pixels by the matrices of camera and objects.
        """
        if source.type == "ORTHO":
            # Test it even if the camera does not move between these frames: a move to the frame before or after them
            # makes both flows wrong.
            perspective = _is_perspective(flow, source, target, prediction)
            if perspective is None:
                perspective = self._perspective and source.world != target.world
            else:
                self._perspective = perspective
            if perspective:
                return self._by_matrices(prediction)
        if source.projection == target.projection:
            return flow
        height, width = prediction.depth.shape
        maps = _maps(source, target, width, height)
        rigid = _sample(flow, prediction)
        if len(rigid[0]):
            truth = prediction.flow[rigid]
            seen = {name: np.mean(agrees(_mapped(flow[rigid], rigid, lens), truth)) for name, lens in maps.items()}
            best = max(seen, key=lambda name: seen[name])
            if seen[best] >= _CERTAIN:
                self._lens = best
        y, x = np.indices((height, width), sparse=True)
        return _mapped(flow, (y, x), maps.get(self._lens, maps["source lens"]))

    def _by_matrices(self, prediction: Prediction) -> Flow:
        if not self._warned:
            self._warned = True
            self.warn(
                "This Blender wrote wrong vectors for a moving orthographic camera, as 4.3, 4.5 and 5.0 do. Rigid "
                "objects take their motion from their matrices; deforming ones are treated as rigid, and instances "
                "as standing still. Blender 4.2 and 5.2 write correct vectors."
            )
        flow = prediction.flow.copy()
        y, x = np.nonzero(prediction.index < 0)
        points = _points(y, x, prediction)
        flow[y, x] = (apply(prediction.still, points) - points)[:, :2]
        return flow


def _is_perspective(flow: Flow, source: Camera, target: Camera, prediction: Prediction) -> bool | None:
    """Whether an orthographic camera's flow is a perspective projection: p - c ~ (X, Y) / z, with the principal point c
    and a focal length that is estimated. None: no pixel decides it."""
    y, x = _sample(flow, prediction)
    if not len(y):
        return None
    height, width = prediction.depth.shape
    points = apply(prediction.matrices[prediction.index[y, x]], _points(y, x, prediction))
    lens = _plane_map(source, as_array(source.projection), width, height)
    other = _plane_map(target, as_array(target.projection), width, height)
    position = (points[:, :2] - other[:, 2]) @ np.linalg.inv(other[:, :2]).T  # X, Y in the other camera's space
    found = np.stack([x, y], axis=-1) + flow[y, x] - lens[:, 2]
    plain = position @ lens[:, :2].T
    perspective = plain / -points[:, 2:]
    focal = np.sum(found * perspective) / max(np.sum(perspective**2), 1e-30)
    if np.mean(agrees(found, plain)) >= _CERTAIN:
        return False
    if np.mean(agrees(found, focal * perspective)) >= _CERTAIN:
        return True
    return None


def _points(y: npt.NDArray[np.intp], x: npt.NDArray[np.intp], prediction: Prediction) -> npt.NDArray[np.float64]:
    """(n, 3): x, y and d of pixels."""
    return np.stack([x, y, prediction.depth[y, x]], axis=-1).astype(np.float64)


def _sample(flow: Flow, prediction: Prediction) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of some pixels of objects, evenly spread, whose vector and prediction are known."""
    objects = prediction.index >= 0
    if BACKGROUND in prediction.surfaces:
        objects &= prediction.index != np.searchsorted(prediction.surfaces, BACKGROUND)
    y, x = np.nonzero(objects)
    step = max(1, len(y) // _SAMPLES)
    y, x = y[::step], x[::step]
    known = ~np.isnan(flow[y, x, 0]) & ~np.isnan(prediction.flow[y, x, 0])
    return y[known], x[known]


def _maps(source: Camera, target: Camera, width: int, height: int) -> dict[str, npt.NDArray[np.float64]]:
    """For each lens that the renderer may have used for the target frame, the (2, 3) affine map to the true one."""
    this, other = as_array(source.projection), as_array(target.projection)
    true = _square(_plane_map(target, other, width, height))
    lenses = {"true lens": other, "source lens": this}
    if source.type == "PERSP":
        mixed = other.copy()
        mixed[:2, 2] = this[:2, 2]
        lenses["focal length"] = mixed
    return {
        name: (true @ np.linalg.inv(_square(_plane_map(target, lens, width, height))))[:2]
        for name, lens in lenses.items()
    }


def _plane_map(camera: Camera, projection: Matrix, width: int, height: int) -> npt.NDArray[np.float64]:
    """The (2, 3) affine map to pixels, from X / z, Y / z with a perspective camera, from X, Y with an orthographic."""
    matrix = camera_to_pixels(camera, projection, width, height)[:2]
    center = -matrix[:, 2] if camera.type == "PERSP" else matrix[:, 3]
    return np.column_stack([matrix[:, :2], center])


def _square(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.vstack([affine, [0.0, 0.0, 1.0]])


def _mapped(flow: Flow, at: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], affine: npt.NDArray[np.float64]) -> Flow:
    """The flow of the pixels ``at``, rows and columns, with the map applied to the positions to which it leads."""
    y, x = at
    to_x, to_y = x + flow[..., 0].astype(np.float64), y + flow[..., 1].astype(np.float64)
    (xx, xy, x0), (yx, yy, y0) = affine
    return np.stack([xx * to_x + xy * to_y + x0 - x, yx * to_x + yy * to_y + y0 - y], axis=-1).astype(np.float32)
