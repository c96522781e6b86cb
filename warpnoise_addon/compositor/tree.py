"""The place of the group in a compositor tree. It deletes no nodes of the user, and changes links only on request."""

from __future__ import annotations

import bpy

from .. import compat
from ..errors import Message

_DEFAULT_NODES = {
    "CompositorNodeRLayers",
    "CompositorNodeComposite",
    "CompositorNodeViewer",
    "NodeGroupOutput",
    "NodeReroute",
}


def place_group(scene: bpy.types.Scene, group: bpy.types.NodeTree, connect: bool) -> tuple[bool, tuple[str, ...]]:
    """Put a node of ``group`` into the scene's compositor tree, once, and link it where that was asked or harmless.

    Returns whether the scene's output passes through the group, and warnings.
    """
    tree = compat.stored_compositor_tree(scene)
    users = compat.other_scenes_with_compositor(scene, tree) if tree is not None else []
    unasked = tree is None or (_is_untouched(scene, tree) and not users)
    if tree is None:
        tree = compat.new_compositor_tree(scene)
    elif tree.library is not None:
        text = Message("the compositor tree {name} is linked from another file: add the group there", name=tree.name)
        return False, (text,)
    warnings = []
    if unasked or connect:
        compat.use_compositor_tree(scene)
    elif compat.compositor_tree(scene) is None:
        warnings.append("the compositor is off (Use Nodes): the group was added to its tree unlinked")
    if not scene.render.use_compositing:
        warnings.append("Post Processing > Compositing is off: the render does not pass through the compositor")

    output = compat.compositor_output(tree)
    node = next((n for n in tree.nodes if getattr(n, "node_tree", None) == group), None)
    if node is None:
        node = tree.nodes.new("CompositorNodeGroup")
        node.node_tree = group
        node.name = node.label = group.name
        node.width = 220
        if output is not None:
            x, y = output.node.location
            node.location = (x - node.width - 40, y - 180)
    if output is not None and node in compat.nodes_before(tree, output.node):
        return True, tuple(warnings)
    if unasked or connect:
        if output is not None:
            _insert_before(output, tree, node)
            return True, tuple(warnings)
        warnings.append("the compositor tree has no output: link the group to one yourself")
    elif users:
        names = ", ".join(f"'{name}'" for name in users)
        warnings.append(
            Message(
                "the compositor tree '{name}' also renders the scene {names}, which would show these frames too: the "
                "group was added unlinked. Make the tree a single-user copy, or link the group yourself",
                name=tree.name,
                names=names,
            )
        )
    else:
        warnings.append("the compositor has your own nodes: the group was added unlinked. Link it where you want it")
    return False, tuple(warnings)


def _is_untouched(scene: bpy.types.Scene, tree: bpy.types.NodeTree) -> bool:
    """Whether the tree is only what Blender makes by default, the scene's render layers to output, and our groups."""
    nodes = [node for node in tree.nodes if not compat.is_stylized_node(node)]
    if any(node.bl_idname not in _DEFAULT_NODES or node.mute for node in nodes):
        return False
    render_layers = [node for node in nodes if node.bl_idname == "CompositorNodeRLayers"]
    if len(render_layers) > 1 or any(node.scene not in (scene, None) for node in render_layers):
        return False
    output = compat.compositor_output(tree)
    if output is None:
        return not nodes
    sources = {link.from_node.bl_idname for link in tree.links if link.to_node == output.node}
    return all(kind in _DEFAULT_NODES or kind == "CompositorNodeGroup" for kind in sources)


def _insert_before(output: bpy.types.NodeSocket, tree: bpy.types.NodeTree, node: bpy.types.Node) -> None:
    """Link ``node`` between the socket ``output`` and what is linked to it, or else the render layers."""
    if not node.inputs["Image"].is_linked:
        layers = next((n for n in tree.nodes if n.bl_idname == "CompositorNodeRLayers"), None)
        if output.links:
            tree.links.new(output.links[0].from_socket, node.inputs["Image"])
        elif layers is not None:
            tree.links.new(layers.outputs["Image"], node.inputs["Image"])
    tree.links.new(node.outputs["Image"], output)
