"""Passes of frames that are rendered already: multilayer EXR files."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ..errors import ExportError, SettingsError
from .exr_header import ExrHeader, read_exr_header
from .frame_state import FrameState, frame_state
from .numbered import numbered_files
from .rendering import render_size

# Name in the file, letters of its channels, and what switches it on in Blender.
_NEEDED = (
    ("Depth", "Z", "Data: Z"),
    ("Vector", "XYZW", "Data: Vector, with motion blur off"),
    ("CryptoObject00", "rgba", "Cryptomatte: Object"),
)


class GivenPasses:
    """A folder of multilayer EXR files as Blender renders them, which are copied as they are.

    One sample a pixel gives exact vectors; those of a usual render are averaged at silhouettes.

    Raises:
        SettingsError: a frame step above 1: the files' vectors span one frame.
        ExportError: missing frames, two files for a frame, a file that is no whole EXR, of another size, without a pass
            that is needed, or with passes of 16 bits.
    """

    def __init__(self, scene: bpy.types.Scene, folder: Path, frames: range) -> None:
        if frames.step != 1:
            raise SettingsError(
                f"The frame step is {frames.step}, but the vectors of rendered files span one frame. Set it to 1, or "
                "let Warpnoise render the motion."
            )
        self._scene = scene
        self._files = numbered_files(folder, (".exr",), frames)
        for path in self._files.values():
            _check(path, read_exr_header(path), render_size(scene))

    def write(self, frame: int, path: Path, layer: bpy.types.ViewLayer) -> FrameState:
        """Copies the frame's file to ``path``; camera and objects are the scene's. Raises ExportError, OSError."""
        shutil.copyfile(self._files[frame], path)
        self._scene.frame_set(frame)
        with bpy.context.temp_override(scene=self._scene, view_layer=layer):
            depsgraph = bpy.context.evaluated_depsgraph_get()
        return frame_state(depsgraph, frame)


def _check(path: Path, header: ExrHeader, size: tuple[int, int]) -> None:
    passes = header.passes()
    for name, letters, switch in _NEEDED:
        if not set(letters) <= passes.get(name, set()):
            raise ExportError(
                f"'{path}' has no pass {name} ({', '.join(letters)}); it has {', '.join(sorted(passes)) or 'none'}. "
                f"Switch on '{switch}' in the view layer's passes and render to OpenEXR MultiLayer again, or let "
                "Warpnoise render the motion."
            )
    if header.half & {"Depth", "Vector", "CryptoObject00"}:
        raise ExportError(
            f"'{path}' holds its passes with 16 bits, which is too coarse for motion. Render with Color Depth 'Float "
            "(Full)' again, or let Warpnoise render the motion."
        )
    if (header.width, header.height) != size:
        raise ExportError(
            f"'{path}' is {header.width} x {header.height} pixels, the scene renders {size[0]} x {size[1]}. Set the "
            "scene's resolution to that of the frames, or render them again."
        )
