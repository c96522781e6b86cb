"""Surface normals from a frame's depth, an input of some models.

Projective depth d (`warpnoise.motion.cameras`) is an affine function of the pixel's position on every plane, even with
perspective cameras. So the tangent plane in pixel space, -d_x x - d_y y + d - c = 0, is exact for flat surfaces. Planes
are covectors: the transpose of the matrix from camera space to pixel space takes them to camera space, where the first
three components are the normal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from warpnoise.job import Camera
from warpnoise.job.schema import as_array
from warpnoise.motion.cameras import camera_to_pixels


def surface_geometry(
    depth: npt.NDArray[np.floating], background: npt.NDArray[np.bool_], camera: Camera | None
) -> npt.NDArray[np.float32]:
    """The normals of the visible surfaces, and the mask of surfaces.

    Args:
        depth: (h, w) projective depth.
        background: (h, w), true for pixels that show only the background.
        camera: None: unknown; the normals are then unknown, too.

    Returns:
        (4, h, w). Channels 0 to 2: the unit normal in camera space, x right, y up, z towards the viewer; 0 where there
        is none or it is unknown. Channel 3: 1 at surfaces, -1 at the background.
    """
    height, width = depth.shape
    seen = np.where(background, -1, 1)[None].astype(np.float32)
    if camera is None:
        return np.concatenate([np.zeros((3, height, width), np.float32), seen])
    d = np.asarray(depth, np.float64)
    y, x = np.arange(height)[:, None], np.arange(width)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        along_x, along_y = _slope(d, 1), _slope(d, 0)
        planes = np.stack([-along_x, -along_y, np.ones_like(d), along_x * x + along_y * y - d], axis=-1)
        planes = planes @ camera_to_pixels(camera, as_array(camera.projection), width, height)
        normal, offset = planes[..., :3], planes[..., 3]
        towards = np.sign(offset if camera.type == "PERSP" else normal[..., 2])
        normal = normal * (towards / np.linalg.norm(normal, axis=-1))[..., None]
    normal[background | ~np.isfinite(normal).all(-1)] = 0
    return np.concatenate([normal.transpose(2, 0, 1).astype(np.float32), seen])


def _slope(d: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """The smaller one of the differences to both neighbors along an axis: the other one may cross a silhouette."""
    steps = np.diff(d, axis=axis)
    steps[np.isnan(steps)] = np.inf
    nothing = np.full_like(np.take(d, [0], axis), np.inf)
    before, after = np.concatenate([nothing, steps], axis), np.concatenate([steps, nothing], axis)
    return np.where(np.abs(before) < np.abs(after), before, after)
