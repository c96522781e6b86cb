"""The motion of rigid scenes from first principles: the manual's camera formulas and the objects' matrices.

Nothing of this is the add-on's: neither its matrices nor Blender's own projection matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np


@dataclass(frozen=True)
class Lens:
    """Pixels of a point (X, Y, -Z) in camera space: x = cx + fx X / Z, y = cy - fy Y / Z; orthographic: without / Z."""

    orthographic: bool
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of(cls, scene: bpy.types.Scene, camera: bpy.types.Camera) -> Lens:
        render = scene.render
        width = render.resolution_x * render.resolution_percentage // 100
        height = render.resolution_y * render.resolution_percentage // 100
        aspect = render.pixel_aspect_y / render.pixel_aspect_x
        fit = camera.sensor_fit
        horizontal = fit == "HORIZONTAL" or (fit == "AUTO" and width >= height * aspect)
        size = width if horizontal else height * aspect  # the fitted side, in units of a pixel's width
        sensor = camera.sensor_height if fit == "VERTICAL" else camera.sensor_width
        orthographic = camera.type == "ORTHO"
        focal = size / camera.ortho_scale if orthographic else size * camera.lens / sensor
        return cls(
            orthographic,
            focal,
            focal / aspect,
            (width - 1) / 2 - camera.shift_x * size,
            (height - 1) / 2 + camera.shift_y * size / aspect,
        )

    def rays(self, height: int, width: int) -> np.ndarray:
        """(h, w, 3): the camera-space point at distance 1 along the axis that each pixel's centre shows."""
        y, x = np.mgrid[:height, :width].astype(np.float64)
        return np.stack([(x - self.cx) / self.fx, (self.cy - y) / self.fy, -np.ones_like(x)], axis=-1)

    def points(self, depth: np.ndarray) -> np.ndarray:
        """(h, w, 3): the camera-space points that pixels with this depth show."""
        rays = self.rays(*depth.shape)
        if self.orthographic:
            rays[..., 2] *= depth
            return rays
        return rays * depth[..., None]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(..., 2): where camera-space points are in the picture, x right, y down."""
        z = 1.0 if self.orthographic else -points[..., 2]
        return np.stack([self.cx + self.fx * points[..., 0] / z, self.cy - self.fy * points[..., 1] / z], axis=-1)


@dataclass(frozen=True)
class Moment:
    """A scene at one frame: the lens, camera-to-world without scale, and object-to-world matrices."""

    lens: Lens
    camera: np.ndarray
    objects: dict[str, np.ndarray]

    @classmethod
    def of(cls, scene: bpy.types.Scene, frame: int) -> Moment:
        scene.frame_set(frame)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        assert scene.camera is not None
        camera = scene.camera.evaluated_get(depsgraph)
        world = np.array(camera.matrix_world, np.float64)
        world[:3, :3] /= np.linalg.norm(world[:3, :3], axis=0)
        objects = {o.name: np.array(o.evaluated_get(depsgraph).matrix_world, np.float64) for o in scene.objects}
        return cls(Lens.of(scene, camera.data), world, objects)


def analytic_flow(here: Moment, there: Moment, depth: np.ndarray, shown: dict[str, np.ndarray]) -> np.ndarray:
    """(h, w, 2), pixels, x right and y down: from where each pixel's point is ``here`` to where it is ``there``.

    ``depth``: (h, w) along the camera's axis. ``shown``: (h, w) bool for each object; the rest is the background,
    infinitely far away.
    """
    points = here.lens.points(depth)
    background = ~np.any(list(shown.values()), axis=0)
    to_there = np.linalg.inv(there.camera)
    # Infinitely far away only directions count; with an orthographic camera the whole background is one direction.
    direction = here.lens.rays(*depth.shape)[background] @ (to_there @ here.camera)[:3, :3].T
    target = np.empty((*depth.shape, 2))
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
    now = np.stack([x, y], axis=-1).astype(np.float64)
    target[background] = now[background] if here.lens.orthographic else there.lens.pixels(direction)
    for name, mask in shown.items():
        move = to_there @ there.objects[name] @ np.linalg.inv(here.objects[name]) @ here.camera
        target[mask] = there.lens.pixels(points[mask] @ move[:3, :3].T + move[:3, 3])
    return target - now


def away_from_silhouettes(surface: np.ndarray, pixels: int = 2) -> np.ndarray:
    """(h, w) bool: pixels with only their own surface within this many pixels; the picture's border counts as one."""
    inside = np.zeros(surface.shape, bool)
    n = pixels
    centre = surface[n:-n, n:-n]
    same = np.ones(centre.shape, bool)
    height, width = centre.shape
    for dy in range(2 * n + 1):
        for dx in range(2 * n + 1):
            same &= surface[dy : dy + height, dx : dx + width] == centre
    inside[n:-n, n:-n] = same
    return inside
