"""Renders the colour of a frame as the viewer sees it, with the scene's engine and compositor."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import compat
from .changes import Changes
from .rendering import prepare, render_still


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
