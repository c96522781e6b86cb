"""Pictures for ControlNets, made from the render: true depth, normals, and lines where surfaces meet."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.errors import SettingsError
from warpnoise.job import Settings, Shot
from warpnoise.motion.frames import BACKGROUND, Frame

_NEAREST = 0.8
"""The depth of the first frame's nearest surface in the guide. Later surfaces may come nearer."""
_CREASE = 0.8
"""Cosine of the angle between neighbouring normals, about 37 degrees, below which there is a line."""
_STEP = 0.08
"""Change of the depth's slope between neighbours, as a share of the depth's range, above which there is a line."""


def wanted_guides(settings: Settings) -> frozenset[str]:
    """The guides that the settings' controls use as inputs."""
    return frozenset(control.input for control in settings.controls) - {"color"}


def check_guides(shot: Shot, settings: Settings) -> None:
    """Whether all guides can be made of the shot's passes: depth and lines always can.

    Raises:
        SettingsError: a control is shown normals, and a frame's camera is not known, without which there are none.
    """
    shown = next((control for control in settings.controls if control.input == "normals"), None)
    unknown = next((info.frame for info in shot.info.frames if info.camera is None), None)
    if shown is not None and unknown is not None:
        raise SettingsError(
            f"control {shown.path}: the shot has no normals, since job.json has no camera at frame {unknown}. Choose "
            "input=depth, lines or color, or leave it out (--control none)"
        )


class Guides:
    """Makes the guide pictures of a shot's frames. Depth is scaled once, by the shot's first frame: scaled by each
    frame it would pump."""

    def __init__(self, names: Collection[str]) -> None:
        """``names``: of those that are wanted: "depth", "normals", "lines"."""
        self._names = names
        self._range: tuple[float, float] | None = None

    def see(self, frame: Frame) -> None:
        """To be called with every frame, in order; the first gives the depth's scale."""
        if self._range is None and "depth" in self._names:
            surfaces = frame.depth[(frame.surface != BACKGROUND) & np.isfinite(frame.depth)]
            near = float(np.quantile(surfaces, 0.99)) if surfaces.size else 1.0
            orthographic = frame.camera is not None and frame.camera.type == "ORTHO"
            far = float(np.quantile(surfaces, 0.01)) if orthographic and surfaces.size else 0.0
            self._range = far, far + max(near - far, 1e-9) / _NEAREST

    def of(self, frame: Frame) -> dict[str, torch.Tensor]:
        """Each guide that is wanted, (3, h, w) float32 in [0, 1].

        ``depth``: inverse distance, white is near, black is the background. ``normals``: camera space, x right to red,
        y up to green, z towards the viewer to blue; the background faces the viewer. ``lines``: white on black.
        """
        made: dict[str, torch.Tensor] = {}
        if "depth" in self._names:
            made["depth"] = _grey(self._scaled_depth(frame))
        if "normals" in self._names:
            normals = frame.geometry()[:3]
            unknown = ~normals.any(axis=0)
            normals[:, unknown] = np.array([0, 0, 1], np.float32)[:, None]
            made["normals"] = torch.from_numpy(normals / 2 + 0.5)
        if "lines" in self._names:
            made["lines"] = _grey(lines(frame))
        return made

    def _scaled_depth(self, frame: Frame) -> npt.NDArray[np.float32]:
        if self._range is None:
            raise ValueError("the first frame was not shown")
        far, near = self._range
        depth = np.nan_to_num((frame.depth - far) / (near - far), nan=0.0).clip(0, 1)
        depth[frame.surface == BACKGROUND] = 0
        scaled: npt.NDArray[np.float32] = depth.astype(np.float32)
        return scaled


def lines(frame: Frame) -> npt.NDArray[np.float32]:
    """(h, w): 1 where one object ends and another begins, where a surface has a crease or hides another; else 0."""
    geometry = frame.geometry()
    drawn = np.zeros(frame.surface.shape, bool)
    depth = np.where(geometry[3] > 0, np.nan_to_num(frame.depth), 0.0)
    scale = max(float(np.ptp(depth)), 1e-9)
    for down in (True, False):  # to the neighbour below, and to that on the right
        n, d, surface, edges = (
            each if down else each.swapaxes(-1, -2) for each in (geometry[:3], depth, frame.surface, drawn)
        )
        known = n[:, :-1].any(axis=0) & n[:, 1:].any(axis=0)
        crease = known & ((n[:, :-1] * n[:, 1:]).sum(axis=0) < _CREASE)
        slope = np.diff(d, axis=0, prepend=d[:1], append=d[-1:])
        bend = np.diff(slope, axis=0)[:-1] / scale
        edges[:-1] |= (surface[:-1] != surface[1:]) | crease | (np.abs(bend) > _STEP)
    return drawn.astype(np.float32)


def _grey(plane: npt.NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.broadcast_to(plane, (3, *plane.shape))))
