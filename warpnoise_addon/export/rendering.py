"""Renders one frame into one file, with the settings of the scene."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import compat
from ..errors import Cancelled, ExportError
from .changes import Changes


def render_size(scene: bpy.types.Scene, longest: int | None = None) -> tuple[int, int]:
    """Width and height of the rendered picture in pixels, after the resolution percentage.

    ``longest``: pixels that the longer side has instead; the shorter one is in proportion.
    """
    render = scene.render
    percentage = render.resolution_percentage
    width, height = render.resolution_x * percentage // 100, render.resolution_y * percentage // 100
    if longest is None:
        return width, height
    return max(round(width * longest / max(width, height)), 4), max(round(height * longest / max(width, height)), 4)


TRIAL_SAMPLES = 16
"""Of a pixel in a small trial: a new Cycles scene has 4096."""


def make_small(scene: bpy.types.Scene, size: int, changes: Changes) -> None:
    """Renders with ``size`` pixels on the longer side, the shorter one in proportion, and ``TRIAL_SAMPLES`` at most."""
    width, height = render_size(scene, size)
    changes.set(scene.render, resolution_x=width, resolution_y=height, resolution_percentage=100)
    changes.set(scene.eevee, taa_render_samples=min(scene.eevee.taa_render_samples, TRIAL_SAMPLES))
    if compat.has_property(scene, "cycles"):
        changes.set(scene.cycles, samples=min(scene.cycles.samples, TRIAL_SAMPLES))


def prepare(scene: bpy.types.Scene, changes: Changes) -> None:
    """What holds for every render of an export: whole frames of the scene itself, nothing written but the file.

    Render regions, stereo (what the scene's camera itself sees is rendered), the sequencer and burnt-in metadata are
    off.
    """
    changes.set(
        scene.render,
        use_border=False,
        use_crop_to_border=False,
        use_multiview=False,
        use_sequencer=False,
        use_stamp=False,
        use_single_layer=False,
        use_file_extension=True,
        use_overwrite=True,
        save_output=True,
    )


def left_out(scene: bpy.types.Scene) -> tuple[str, ...]:
    """Sentences about features that ``prepare`` switches off and that the user may miss."""
    render, sentences = scene.render, []
    if render.use_multiview:
        sentences.append("Stereoscopy is on: what the scene's camera itself sees is exported.")
    if render.use_border:
        sentences.append("A render region is on: whole frames are exported.")
    if render.use_sequencer and compat.has_strips(scene):
        sentences.append("The scene has a video sequence: the scene itself is exported.")
    return tuple(sentences)


def render_still(scene: bpy.types.Scene, frame: int, path: Path, changes: Changes) -> None:
    """Renders ``frame`` into ``path`` (with the file format's own suffix).

    Raises:
        ExportError: the render failed, or wrote no file.
        Cancelled: the user stopped the render.
    """
    changes.set(scene.render, filepath=compat.render_filepath(str(path)))
    scene.frame_current = frame
    scene.frame_subframe = 0.0
    try:
        result = bpy.ops.render.render(write_still=True, scene=scene.name)
    except RuntimeError as error:
        message = str(error).strip().removeprefix("Error: ")
        raise ExportError(
            "Frame {frame} of scene '{name}' could not be rendered: {reason}",
            frame=frame,
            name=scene.name,
            reason=message,
        ) from error
    if "FINISHED" not in result:
        raise Cancelled("The render of frame {frame} was stopped.", frame=frame)


class RenderedColor:
    """Renders the colour. ``transparent``: whether it has alpha, as the scene's film has it."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self._scene = scene
        self.transparent: bool = scene.render.film_transparent

    def write_color(self, frame: int, path: Path) -> None:
        """Renders the frame into the 16-bit PNG ``path``, RGB or RGBA, and puts the scene back.

        The user's compositor applies, but two kinds of its nodes are muted: groups that bring stylized frames back
        (a result must not become its own input) and File Output nodes (an export writes no files but its own).

        Raises:
            ExportError: the render failed.
            Cancelled: the user stopped it.
        """
        with Changes() as changes:
            prepare(self._scene, changes)
            for node in list(compat.nodes_of(compat.compositor_tree(self._scene))):
                if node.type == "OUTPUT_FILE" or compat.is_stylized_node(node):
                    changes.set(node, mute=True)
            settings = self._scene.render.image_settings
            changes.set_output(settings, compat.png16(settings, self.transparent))
            render_still(self._scene, frame, path, changes)
