"""What a frame's evaluated scene says of it, beside the passes."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from .cameras import CameraState, camera_state
from .objects import DrawnObjects, drawn_objects


@dataclass(frozen=True)
class FrameState:
    camera: CameraState
    objects: DrawnObjects


def frame_state(depsgraph: bpy.types.Depsgraph, frame: int) -> FrameState:
    """Reads the state from ``depsgraph``, evaluated at ``frame``. Raises ExportError as ``camera_state`` does."""
    return FrameState(camera_state(depsgraph, frame), drawn_objects(depsgraph))
