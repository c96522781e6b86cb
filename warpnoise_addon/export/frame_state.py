"""What a frame's evaluated scene says of it, beside the passes."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt

from .cameras import CameraState, camera_state
from .objects import object_matrices


@dataclass(frozen=True)
class FrameState:
    """``objects``: object-to-world matrices, (4, 4) float64, by the names that Cryptomatte has."""

    camera: CameraState
    objects: dict[str, npt.NDArray[np.float64]]


def frame_state(depsgraph: bpy.types.Depsgraph, frame: int) -> FrameState:
    """Reads the state from ``depsgraph``, evaluated at ``frame``. Raises ExportError as ``camera_state`` does."""
    return FrameState(camera_state(depsgraph, frame), object_matrices(depsgraph))
