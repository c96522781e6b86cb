"""Warns about everything in the picture that the motion does not follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import bpy

from .. import compat
from ..errors import Message

_MOVING_NODES = {
    f"CompositorNode{name}"
    for name in (
        "CornerPin", "Crop", "Displace", "Flip", "Lensdist", "MapUV", "MovieDistortion", "PlaneTrackDeform", "Rotate",
        "Scale", "Stabilize", "Transform", "Translate",
    )
}  # fmt: skip
_PICTURE_NODES = {"CompositorNodeImage", "CompositorNodeMovieClip"}


def unfollowed(scene: bpy.types.Scene) -> Iterator[str]:
    """Warnings for the whole scene: compositor nodes, strokes, lines and displacement."""
    tree = compat.compositor_tree(scene)
    if tree is not None and scene.render.use_compositing:
        yield from _nodes(scene, tree)
    strokes = [f"'{o.name}'" for o in scene.objects if o.type in compat.GREASE_PENCIL_TYPES and not o.hide_render]
    if strokes:
        yield Message(
            "Grease Pencil has no motion: noise on {strokes} moves with the surfaces behind the strokes.",
            strokes=", ".join(strokes),
        )
    if scene.render.use_freestyle and any(layer.use and layer.use_freestyle for layer in scene.view_layers):
        yield "Freestyle has no motion: noise on its lines moves with the surfaces behind them."
    slots = (slot.material for shown in scene.objects if not shown.hide_render for slot in shown.material_slots)
    for material in dict.fromkeys(material for material in slots if material is not None):
        if _displaces(material) and _is_animated(material.node_tree):
            yield (
                Message(
                    "The displacement of the material '{name}' may be animated, which the motion does not "
                    "follow. Use a Displace modifier.",
                    name=material.name,
                )
            )


class Instances:
    """Watches the numbers of instances from frame to frame."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._told: set[str] = set()

    def next(self, numbers: Mapping[str, int]) -> Iterator[str]:
        """``numbers``: the number of instances of each object whose instances only their order distinguishes."""
        changed = {name for name, number in numbers.items() if self._before.get(name, number) != number}
        self._before.update(numbers)
        for name in sorted(changed - self._told):
            self._told.add(name)
            yield (
                Message(
                    "The number of instances of '{name}' changes. If instances other than the last are added or "
                    "removed, the motion joins different instances. Store the attribute 'id' on its points or "
                    "instances.",
                    name=name,
                )
            )


def _displaces(material: bpy.types.Material) -> bool:
    output = material.node_tree.get_output_node("CYCLES") if material.node_tree is not None else None
    return output is not None and output.inputs["Displacement"].is_linked and material.displacement_method != "BUMP"


def _is_animated(tree: bpy.types.NodeTree | None) -> bool:
    nodes = list(compat.nodes_of(tree))
    images = (node.image for node in nodes if node.bl_idname == "ShaderNodeTexImage")
    trees = dict.fromkeys(node.id_data for node in nodes)
    return any(image is not None and image.source in ("SEQUENCE", "MOVIE") for image in images) or any(
        True for used in trees for _ in compat.animation_curves(used)
    )


def _nodes(scene: bpy.types.Scene, tree: bpy.types.NodeTree) -> Iterator[str]:
    output = compat.compositor_output(tree)
    for node in dict.fromkeys(compat.nodes_before(tree, output.node if output is not None else None)):
        name = node.label or node.name
        if node.mute:
            continue
        if node.bl_idname in _MOVING_NODES:
            yield Message(
                "The compositor's node '{name}' moves pixels, but the motion is that of the render: noise does not "
                "stay on the surfaces. Mute it, and apply it to the stylized frames.",
                name=name,
            )
        elif node.bl_idname in _PICTURE_NODES:
            yield Message(
                "The compositor's node '{name}' shows a picture, whose motion is not known: noise on it moves with the "
                "render behind it.",
                name=name,
            )
        elif node.bl_idname == "CompositorNodeRLayers" and node.scene not in (scene, None):
            yield Message(
                "The compositor's node '{name}' shows the scene '{scene}', but the motion is that of '{other}': "
                "noise on it moves with the surfaces behind it. Stylize each scene separately, then composite them.",
                name=name,
                scene=node.scene.name,
                other=scene.name,
            )
