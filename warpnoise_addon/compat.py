"""Every difference between Blender 4.2 to 5.2. No other module depends on the version.

Where possible, a function tests whether Blender has a feature. It reads the version number only if there is no other
way.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import bpy

# Image settings in an order in which they can be set: each decides which values the later ones take.
_IMAGE_SETTINGS = (
    "media_type",  # from 5.0
    "file_format",
    "color_mode",
    "color_depth",
    "exr_codec",
    "use_exr_interleave",  # from 5.0
    "compression",
    "quality",
    "use_preview",
    "views_format",
    "color_management",
)


PATH_OPTIONS: set[Any] = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5) else set()
"""Of properties that hold a path: without it newer versions take a path relative to the file for a wrong one."""


def has_property(owner: bpy.types.bpy_struct[Any] | type[bpy.types.Scene], name: str) -> bool:
    """Whether this version's ``owner`` has an RNA property of that name."""
    return name in owner.bl_rna.properties


def image_settings_values(settings: bpy.types.ImageFormatSettings, **values: Any) -> dict[str, Any]:
    """``values``, or without them the present ones, in an order in which they can be set; unknown ones left out."""
    names = [name for name in _IMAGE_SETTINGS if has_property(settings, name)]
    if not values:
        return {name: getattr(settings, name) for name in names}
    return {name: values[name] for name in names if name in values}


def multilayer_exr(settings: bpy.types.ImageFormatSettings) -> dict[str, Any]:
    """Image settings for a 32-bit multilayer EXR file: ZIP would be a third as large, and five times as slow to read.

    All channels are in one part, as up to 4.5: a part for each pass, the custom from 5.0, cannot be written when
    pixels are not square ("Conflicting attributes found for header").
    """
    return image_settings_values(
        settings,
        media_type="MULTI_LAYER_IMAGE",
        file_format="OPEN_EXR_MULTILAYER",
        color_mode="RGBA",
        color_depth="32",
        exr_codec="NONE",
        use_exr_interleave=True,
        use_preview=False,
        views_format="INDIVIDUAL",
    )


def png16(settings: bpy.types.ImageFormatSettings, transparent: bool) -> dict[str, Any]:
    """Image settings for a 16-bit PNG of the view."""
    return image_settings_values(
        settings,
        media_type="IMAGE",
        file_format="PNG",
        color_mode="RGBA" if transparent else "RGB",
        color_depth="16",
        compression=15,
        use_preview=False,
        views_format="INDIVIDUAL",
        color_management="FOLLOW_SCENE",
    )


def render_filepath(path: str) -> str:
    """``path`` as a value of ``scene.render.filepath``: from 4.5 braces stand for variables unless they are doubled."""
    if bpy.app.version >= (4, 5, 0):
        return path.replace("{", "{{").replace("}", "}}")
    return path


def has_strips(scene: bpy.types.Scene) -> bool:
    """Whether the scene's sequencer has strips, which a render would show in the scene's place."""
    editor = scene.sequence_editor
    if editor is None:
        return False
    return len(editor.strips if has_property(editor, "strips") else editor.sequences) > 0  # renamed in 4.4


SEQUENCER_CHANNELS = 128
"""The highest channel of a strip."""


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose strips the video sequencer shows. From 5.0 the workspace has one; else it gets this one."""
    workspace = context.workspace
    if workspace is None or not has_property(workspace, "sequencer_scene"):
        return context.scene
    if workspace.sequencer_scene is None:
        workspace.sequencer_scene = context.scene
    return workspace.sequencer_scene


def sequencer_strips(scene: bpy.types.Scene) -> Any:
    """The top-level strips of the scene. Creates the sequencer if there is none."""
    editor = scene.sequence_editor_create()
    return editor.strips if has_property(editor, "strips") else editor.sequences  # renamed in 4.4


def set_strip_duration(strip: Any, frames: int) -> None:
    """From its first frame on, a strip is shown for as many frames."""
    name = "duration" if has_property(strip, "duration") else "frame_final_duration"  # renamed after 5.0
    setattr(strip, name, frames)


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The scene's compositor node tree, if there is one and it is in use."""
    return stored_compositor_tree(scene) if has_property(scene, "compositing_node_group") or scene.use_nodes else None


def nodes_of(tree: bpy.types.NodeTree | None) -> Iterator[bpy.types.Node]:
    """All nodes of the tree and of the groups in it, each group's once."""
    seen: set[bpy.types.NodeTree] = set()
    trees = [tree] if tree else []
    while trees:
        current = trees.pop()
        if current in seen:
            continue
        seen.add(current)
        for node in current.nodes:
            yield node
            group = getattr(node, "node_tree", None)
            if group is not None:
                trees.append(group)


def nodes_before(tree: bpy.types.NodeTree, node: bpy.types.Node | None) -> Iterator[bpy.types.Node]:
    """``node`` and all from which something arrives at it, those in groups included, each at least once."""
    seen: set[bpy.types.Node] = set()
    waiting = [node] if node is not None else []
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        yield current
        waiting += [link.from_node for link in tree.links if link.to_node == current and not link.is_muted]
        group = getattr(current, "node_tree", None)
        if group is not None and not current.mute and not is_stylized_node(current):
            inner = next((n for n in group.nodes if n.bl_idname == "NodeGroupOutput" and n.is_active_output), None)
            yield from nodes_before(group, inner)


def is_stylized_node(node: bpy.types.Node) -> bool:
    """Whether the node is a group that brings stylized frames back (its tree has the property ``warpnoise_job``)."""
    group = getattr(node, "node_tree", None)
    return group is not None and "warpnoise_job" in group


def loses_adaptive_motion() -> bool:
    """Whether Cycles writes no motion of meshes that deform and are subdivided adaptively: 4.2 and 4.3."""
    return bpy.app.version < (4, 5, 0)


GREASE_PENCIL_TYPES = {"GPENCIL", "GREASEPENCIL"}  # renamed in 4.3


def animation_curves(datablock: bpy.types.ID) -> Iterator[bpy.types.FCurve]:
    """All F-curves that animate the data-block: of its action, its NLA strips and its drivers."""
    animation = getattr(datablock, "animation_data", None)
    if animation is not None:
        yield from animation.drivers
        yield from action_curves(animation)
        for track in animation.nla_tracks:
            for strip in track.strips:
                yield from action_curves(strip)


def action_curves(owner: bpy.types.AnimData | bpy.types.NlaStrip) -> Iterator[bpy.types.FCurve]:
    """The F-curves of the action that the owner plays."""
    action, slot = owner.action, getattr(owner, "action_slot", None)
    if action is None:
        return
    # Slots came with 4.4, and `action.fcurves` (the first slot's) went with 5.0.
    if not has_property(action, "layers"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot) if slot is not None else None
            if bag is not None:
                yield from bag.fcurves


def stored_compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The scene's compositor node tree, even if it is switched off."""
    if has_property(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree


def other_scenes_with_compositor(scene: bpy.types.Scene, tree: bpy.types.NodeTree) -> list[str]:
    """Names of the other scenes whose compositor is, or contains, ``tree``; none up to 4.5, where each has its own."""
    if not has_property(scene, "compositing_node_group"):
        return []
    others = [(other.name, other.compositing_node_group) for other in bpy.data.scenes if other != scene]
    return [
        name
        for name, outer in others
        if outer == tree or any(getattr(node, "node_tree", None) == tree for node in nodes_of(outer))
    ]


def new_compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Give a scene that has no compositor tree the one that Blender's own button makes: render layers to output."""
    if not has_property(scene, "compositing_node_group"):
        scene.use_nodes = True  # makes it
        return scene.node_tree
    tree = bpy.data.node_groups.new("Compositor Nodes", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    scene.compositing_node_group = tree  # before the nodes: render layers need a scene's tree
    render_layers = tree.nodes.new("CompositorNodeRLayers")
    render_layers.location = (-300, 100)
    output = tree.nodes.new("NodeGroupOutput")
    output.location = (300, 100)
    tree.links.new(render_layers.outputs["Image"], output.inputs["Image"])
    return tree


def use_compositor_tree(scene: bpy.types.Scene) -> None:
    """Switches the scene's compositor tree on. From 5.0 on, it is on whenever it exists."""
    if not has_property(scene, "compositing_node_group") and not scene.use_nodes:
        scene.use_nodes = True


def compositor_output(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket | None:
    """The input socket through which the tree's picture leaves it."""
    kind = "NodeGroupOutput" if has_property(bpy.types.Scene, "compositing_node_group") else "CompositorNodeComposite"
    outputs = [node for node in tree.nodes if node.bl_idname == kind]
    outputs.sort(key=lambda node: not getattr(node, "is_active_output", True))
    for node in outputs:
        for socket in node.inputs:
            if socket.type == "RGBA":
                return socket
    return None


def new_mix_color(
    tree: bpy.types.NodeTree, blend: str = "MIX"
) -> tuple[bpy.types.Node, list[bpy.types.NodeSocket], bpy.types.NodeSocket]:
    """A compositor node that blends two colours, unclamped; it keeps the alpha of the first.

    Returns it, its inputs (factor, first, second), and its output.
    """
    if hasattr(bpy.types, "CompositorNodeMixRGB"):  # to 4.5
        node = tree.nodes.new("CompositorNodeMixRGB")
        node.blend_type = blend
        return node, list(node.inputs[:3]), node.outputs[0]
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    node.blend_type = blend
    node.clamp_factor = True
    socket = {socket.identifier: socket for socket in (*node.inputs, *node.outputs)}
    return node, [socket[name] for name in ("Factor_Float", "A_Color", "B_Color")], socket["Result_Color"]


def compositor_math_node() -> str:
    """The type of the compositor's Math node."""
    return "CompositorNodeMath" if hasattr(bpy.types, "CompositorNodeMath") else "ShaderNodeMath"


def set_alpha_mode(node: bpy.types.Node, replace: bool) -> None:
    """Make a Set Alpha node replace alpha and leave the premultiplied colour, or multiply both by its alpha."""
    if has_property(node, "mode"):  # to 4.5
        node.mode = "REPLACE_ALPHA" if replace else "APPLY"
    else:
        node.inputs["Type"].default_value = "Replace Alpha" if replace else "Apply Mask"


def colorspace_names() -> list[str]:
    """The colour spaces that images can have in this Blender's configuration."""
    settings = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"]
    return [item.identifier for item in settings.enum_items]


def colorspace_name(settings: bpy.types.ColorManagedInputColorspaceSettings) -> str:
    """The name of a colour space; empty: none was ever chosen, of which Blender would print a warning when asked.

    Blender's own structure begins with the name, zero-terminated.
    """
    return settings.name if ctypes.string_at(settings.as_pointer(), 1) != b"\0" else ""


def scene_linear_name() -> str:
    """The colour space of the compositor; empty: this configuration has neither Blender's name for it nor the role."""
    names = colorspace_names()
    return next((name for name in ("scene_linear", "Linear Rec.709") if name in names), "")
