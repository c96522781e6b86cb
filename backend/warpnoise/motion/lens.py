"""Corrects vectors for the lens that Cycles projected them through.

A vector leads to where a point is in another frame. Cycles knows the other frame's camera position, but not all of
its lens, and what it takes for it differs between versions (measured with 4.2.23, 4.3, 4.5.15, 5.0.1 and 5.2.2):

    perspective    4.2: this frame's lens; the others: the other frame's focal length, this frame's shift
    orthographic   this frame's scale and shift; but in 4.3, 4.5 and 5.0, when the camera moves, a perspective lens

Which it was is found out from the pixels of objects whose matrices are known. All but the last is corrected exactly,
for deforming objects too: lenses differ by an affine map of the picture.
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
"""A hypothesis that this part of the rigid objects' pixels agrees with is taken for true."""


@dataclass
class LensCorrection:
    """Corrects flows, one pair of frames after the other. What was found out holds until there is evidence again."""

    warn: Callable[[str], None]
    _lens: str = "focal length"
    _spoiled: bool = False
    _warned: bool = field(default=False, init=False)

    def correct(self, flow: Flow, here: Camera, there: Camera, prediction: Prediction) -> Flow:
        """The true flow (h, w, 2), pixels.

        Args:
            flow: As the renderer has it, for pixels seen through the camera ``here``, to the other frame's ``there``.
            prediction: What the matrices of camera and objects say of the same pixels.
        """
        if here.type == "ORTHO":
            # Not only when these two positions differ: a move to the frame on the other side spoils both vectors.
            perspective = _is_perspective(flow, here, there, prediction)
            if perspective is None:
                perspective = self._spoiled and here.world != there.world
            else:
                self._spoiled = perspective
            if perspective:
                return self._by_matrices(prediction)
        if here.projection == there.projection:
            return flow
        height, width = prediction.depth.shape
        maps = _maps(here, there, width, height)
        rigid = _sample(flow, prediction)
        if len(rigid[0]):
            truth = prediction.flow[rigid]
            seen = {name: np.mean(agrees(_mapped(flow[rigid], rigid, lens), truth)) for name, lens in maps.items()}
            best = max(seen, key=lambda name: seen[name])
            if seen[best] >= _CERTAIN:
                self._lens = best
        y, x = np.indices((height, width), sparse=True)
        return _mapped(flow, (y, x), maps.get(self._lens, maps["this lens"]))

    def _by_matrices(self, prediction: Prediction) -> Flow:
        if not self._warned:
            self._warned = True
            self.warn(
                "This Blender wrote wrong vectors for a moving orthographic camera, as 4.3, 4.5 and 5.0 do. Rigid "
                "objects take their motion from their matrices; deforming ones are taken for rigid, instances for "
                "standing still. Blender 4.2 and 5.2 write them right."
            )
        flow = prediction.flow.copy()
        y, x = np.nonzero(prediction.index < 0)
        points = _points(y, x, prediction)
        flow[y, x] = (apply(prediction.still, points) - points)[:, :2]
        return flow


def _is_perspective(flow: Flow, here: Camera, there: Camera, prediction: Prediction) -> bool | None:
    """Whether an orthographic camera's vectors are a perspective projection: p - c ~ (X, Y) / z, with the principal
    point c and some focal length, which is estimated. None: nothing is there to tell by."""
    y, x = _sample(flow, prediction)
    if not len(y):
        return None
    height, width = prediction.depth.shape
    points = apply(prediction.matrices[prediction.index[y, x]], _points(y, x, prediction))
    lens = _plane_map(here, as_array(here.projection), width, height)
    other = _plane_map(there, as_array(there.projection), width, height)
    position = (points[:, :2] - other[:, 2]) @ np.linalg.inv(other[:, :2]).T  # X, Y in the other camera's space
    got = np.stack([x, y], axis=-1) + flow[y, x] - lens[:, 2]
    plain = position @ lens[:, :2].T
    perspective = plain / -points[:, 2:]
    focal = np.sum(got * perspective) / max(np.sum(perspective**2), 1e-30)
    if np.mean(agrees(got, plain)) >= _CERTAIN:
        return False
    if np.mean(agrees(got, focal * perspective)) >= _CERTAIN:
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


def _maps(here: Camera, there: Camera, width: int, height: int) -> dict[str, npt.NDArray[np.float64]]:
    """For each lens that the renderer may have taken for the other frame's, the (2, 3) affine map to the true one."""
    this, other = as_array(here.projection), as_array(there.projection)
    true = _square(_plane_map(there, other, width, height))
    lenses = {"true lens": other, "this lens": this}
    if here.type == "PERSP":
        mixed = other.copy()
        mixed[:2, 2] = this[:2, 2]
        lenses["focal length"] = mixed
    return {
        name: (true @ np.linalg.inv(_square(_plane_map(there, lens, width, height))))[:2]
        for name, lens in lenses.items()
    }


def _plane_map(camera: Camera, projection: Matrix, width: int, height: int) -> npt.NDArray[np.float64]:
    """The (2, 3) affine map to pixels, from X / z, Y / z with a perspective camera, from X, Y with an orthographic."""
    matrix = camera_to_pixels(camera, projection, width, height)[:2]
    centre = -matrix[:, 2] if camera.type == "PERSP" else matrix[:, 3]
    return np.column_stack([matrix[:, :2], centre])


def _square(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.vstack([affine, [0.0, 0.0, 1.0]])


def _mapped(flow: Flow, at: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], affine: npt.NDArray[np.float64]) -> Flow:
    """The flow of the pixels ``at``, rows and columns, when the positions that it leads to go through the map."""
    y, x = at
    to_x, to_y = x + flow[..., 0].astype(np.float64), y + flow[..., 1].astype(np.float64)
    (xx, xy, x0), (yx, yy, y0) = affine
    return np.stack([xx * to_x + xy * to_y + x0 - x, yx * to_x + yy * to_y + y0 - y], axis=-1).astype(np.float32)
