"""Cameras as matrices between the world and *pixel space*.

A point of pixel space is homogeneous: (x, y, d, 1) times any positive factor. x (right) and y (down) are the pixel that
shows it, and d is its projective depth, which is larger for nearer points. With a perspective camera d = 1 / z, where z
is the distance along the camera's axis, so a point at infinity has d = 0. With an orthographic camera d = -z. In this
space, every rigid motion of camera and object together is a matrix.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from warpnoise.job import Camera
from warpnoise.job.schema import as_array

Matrix = npt.NDArray[np.float64]


def world_to_pixels(camera: Camera, width: int, height: int) -> Matrix:
    """The (4, 4) matrix from world space to pixel space. Points in front of the camera have a positive factor."""
    return camera_to_pixels(camera, as_array(camera.projection), width, height) @ np.linalg.inv(as_array(camera.world))


def camera_to_pixels(camera: Camera, projection: Matrix, width: int, height: int) -> Matrix:
    """The (4, 4) matrix from camera space, through the OpenGL clip matrix ``projection``, to pixel space."""
    x, y, _, w = projection
    if camera.type == "PERSP":
        scale = -1 / w[2]  # so that the factor is z, whatever the clip matrix was multiplied with
        d = np.array([0.0, 0.0, 0.0, 1.0])
    else:
        scale = 1 / w[3]
        d = np.array([0.0, 0.0, 1.0, 0.0])
    x, y, w = x * scale, y * scale, w * scale
    return np.stack([(x + w) * width / 2 - w / 2, (w - y) * height / 2 - w / 2, d, w])


def apply(matrix: Matrix, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Moves points (..., 3) of pixel space, x, y and d, by one (4, 4) matrix or one each. NaN behind the camera."""
    moved = np.einsum("...ij,...j->...i", matrix[..., :3], points) + matrix[..., 3]
    factor = np.where(moved[..., 3:] > 0, moved[..., 3:], np.nan)
    return np.asarray(moved[..., :3] / factor)
