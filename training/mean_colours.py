"""Measures the mean colour of every object's material as a camera sees it, for the plain twin.

The recipes only estimate it: dark gaps, stains and shaded leaves change the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from training.materials import ALBEDO

LEAST_PIXELS = 24
"""Objects that show less keep the colour of their recipe."""


def measure(objects: list[bpy.types.Object], index: NDArray[np.int64], albedo: NDArray[np.float32]) -> None:
    """Sets the viewport colour of every object to the mean of `albedo` where `index` is its place in the list, from 1.

    index: (n,); albedo: (n, 3), linear light.
    """
    for number, thing in enumerate(objects, 1):
        seen = albedo[index == number]
        if len(seen) >= LEAST_PIXELS:
            thing.color = (*np.clip(seen.mean(axis=0), 0.0, 0.9).tolist(), 1.0)


def give_mean_colours(
    index_material: bpy.types.Material,
    layer: bpy.types.ViewLayer,
    render_raw: Callable[[], NDArray[np.float32]],
) -> None:
    """Renders the albedo and the objects' numbers from the scene's camera, and gives each object its mean colour.

    render_raw: renders the scene as it stands, in linear light, to (n, 3).
    """
    layer.update()  # a scene that was never rendered has objects that the layer does not know yet
    objects = [thing for thing in layer.objects if thing.type == "MESH"]
    for number, thing in enumerate(objects, 1):
        thing.pass_index = number
    layer.material_override = index_material
    index = np.rint(render_raw()[:, 0]).astype(np.int64)
    layer.material_override = None
    _show_albedo(True)
    albedo = render_raw()
    _show_albedo(False)
    measure(objects, index, albedo)


def _show_albedo(wanted: bool) -> None:
    """Makes every material emit its base colour, or shade normally."""
    for material in bpy.data.materials:
        outputs = [node for node in material.node_tree.nodes if node.type == "OUTPUT_MATERIAL"]
        for node in outputs:
            node.is_active_output = len(outputs) == 1 or (node.name == ALBEDO) == wanted


def read_linear(path: Path) -> NDArray[np.float32]:
    """The pixels of an EXR, (n, 3)."""
    image = bpy.data.images.load(str(path))
    pixels = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    channels = image.channels
    bpy.data.images.remove(image)
    return pixels.reshape(-1, channels)[:, :3]
