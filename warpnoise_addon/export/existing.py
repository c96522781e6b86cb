"""Existing frames: files that were rendered earlier. The backend's package reads, checks and converts them.

This happens in a child process, `warpnoise ingest`, because Blender's Python lacks the libraries for it. Scene-linear
pictures go through the scene's view transform, which only Blender has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..backend.locate import BackendCommand, find_backend, tool_environment
from ..bounded_json import parse_json
from ..child import Child, TimedOut
from ..errors import BackendError, ExportError, SettingsError
from .changes import Changes
from .frame_state import FrameState, frame_state
from .rendering import render_size

ANSWER_SECONDS = 900.0
"""How long one answer may take: the first reads the header of every file, on a network disk say."""


class ExistingFrames:
    """The folders of existing frames, checked. ``color`` and ``passes``: a folder and its frames, or None.

    Colour: PNG, JPEG, TIFF and WebP files are taken as the viewer sees them. EXR files are scene-linear: their Combined
    pass (the first layer's), or the only picture that they hold. ``transparent``: whether any picture has alpha; for
    EXR files, which always have it, the scene's film says so.

    Passes: multilayer EXR files as Blender renders them, which are copied as they are. One sample a pixel gives exact
    vectors; those of a usual render are averaged at silhouettes.

    Raises:
        ExportError: missing frames, two files for a frame, a file that cannot be used, or one of another size.
        BackendError: the backend's package is missing or did not answer.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        color: tuple[Path, Sequence[int]] | None,
        passes: tuple[Path, Sequence[int]] | None,
        command: BackendCommand | None = None,
    ) -> None:
        self._scene, self._command = scene, command or find_backend()
        try:
            self._child = Child([*self._command.argv, "ingest"], tool_environment())
        except OSError as error:
            raise BackendError(
                "{program} cannot be started: {reason}", program=self._command.argv[0], reason=error.strerror
            ) from None
        check = {
            name: source and {"folder": str(source[0]), "frames": list(source[1])}
            for name, source in (("color", color), ("passes", passes))
        }
        found = self._ask({"check": {"size": render_size(scene), **check}})
        self.transparent = bool(found["alpha"] or (found["scene_linear"] and scene.render.film_transparent))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request (`warpnoise.ingest.service`). Raises ExportError with the answer's error, BackendError."""
        try:
            self._child.send(json.dumps(request))
            # A library may print lines of its own.
            answer = parse_json(next(line for line in self._child.lines(ANSWER_SECONDS) if line.startswith("{")))
        except (StopIteration, OSError, ValueError, TimedOut):
            self._child.stop()
            said = "\n".join(list(self._child.tail)[-6:])
            raise BackendError(
                "existing frames are read by `{command} ingest`, which failed ({ending}). Press Check the Backend in "
                "the preferences. Its last output:\n{said}",
                command=" ".join(self._command.argv),
                ending=self._child.ending,
                said=said,
            ) from None
        if "error" in answer:
            raise ExportError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End the child process."""
        self._child.stop(5.0)

    def write_color(self, frame: int, path: Path) -> None:
        """Writes the frame as the 16-bit PNG ``path``. Raises ExportError, BackendError."""
        answer = self._ask({"color": frame, "target": str(path), "alpha": self.transparent})
        if answer["scene_linear"]:
            self._through_view_transform(answer["scene_linear"], path)

    def _through_view_transform(self, source: str, path: Path) -> None:
        settings = self._scene.render.image_settings
        image = bpy.data.images.load(source)
        try:
            with Changes() as changes:
                changes.set_output(settings, compat.png16(settings, self.transparent))
                image.save_render(str(path), scene=self._scene)
        except RuntimeError as error:
            raise ExportError(
                "'{source}' could not be converted: {reason}", source=source, reason=str(error).strip()
            ) from error
        finally:
            bpy.data.images.remove(image)

    def write_passes(self, frame: int, path: Path, layer: bpy.types.ViewLayer) -> FrameState:
        """Copies the frame's file to ``path``; camera and objects are the scene's. Raises ExportError, BackendError."""
        self._ask({"passes": frame, "target": str(path)})
        self._scene.frame_set(frame)
        with bpy.context.temp_override(scene=self._scene, view_layer=layer):
            depsgraph = bpy.context.evaluated_depsgraph_get()
        return frame_state(depsgraph, frame)


def check_step(step: int) -> None:
    """Raises SettingsError for a frame step above 1: the vectors of rendered files span one frame."""
    if step != 1:
        raise SettingsError(
            "The frame step is {step}, but the vectors of rendered files span one frame. Set it to 1, "
            "or let Warpnoise render the motion.",
            step=step,
        )
