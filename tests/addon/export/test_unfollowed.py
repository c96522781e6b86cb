"""What the motion does not follow is named, and what it does follow is not."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import pytest

from warpnoise_addon.export.unfollowed import unfollowed

from .export_scenes import add_mesh, key, new_material
from .test_scene_unchanged import new_compositor, output_socket

MOVING = ["Scale", "Translate", "Rotate", "Transform", "Flip", "Crop", "Lensdist", "Displace", "MapUV", "CornerPin"]


def between_render_and_output(scene: bpy.types.Scene, kind: str) -> bpy.types.Node:
    """A node of this kind between the render layers and the output."""
    tree = new_compositor(scene)
    layers, node = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new(kind)
    pictures = [socket for socket in node.inputs if socket.type == "RGBA"]
    if pictures:
        tree.links.new(layers.outputs["Image"], pictures[0])
    tree.links.new(next(socket for socket in node.outputs if socket.enabled), output_socket(tree))
    return node


@pytest.mark.parametrize("kind", MOVING)
def test_nodes_that_move_pixels(scene: bpy.types.Scene, kind: str) -> None:
    node = between_render_and_output(scene, f"CompositorNode{kind}")
    node.label = "My node"
    (warning,) = unfollowed(scene)
    assert "'My node' moves pixels" in warning


def test_each_frame_range_is_reported_once(scene: bpy.types.Scene, export: Callable) -> None:
    node = between_render_and_output(scene, "CompositorNodeFlip")
    first, second = export(1, 2)
    assert [node.name in warning for warning in first.warnings] == [True]
    assert second.warnings == ()


@pytest.mark.parametrize("kind", ["CompositorNodeBlur", "CompositorNodeGlare", "CompositorNodeHueSat"])
def test_nodes_that_leave_pixels_in_place(scene: bpy.types.Scene, kind: str) -> None:
    between_render_and_output(scene, kind)
    assert list(unfollowed(scene)) == []


def test_nodes_that_do_not_arrive_at_the_output(scene: bpy.types.Scene) -> None:
    node = between_render_and_output(scene, "CompositorNodeFlip")
    node.mute = True
    assert list(unfollowed(scene)) == []
    node.mute = False
    scene.render.use_compositing = False
    assert list(unfollowed(scene)) == []
    scene.render.use_compositing = True
    tree = node.id_data
    tree.links.remove(node.outputs[0].links[0])
    assert list(unfollowed(scene)) == []


def test_nodes_in_groups(scene: bpy.types.Scene) -> None:
    group = bpy.data.node_groups.new("Group", "CompositorNodeTree")
    for in_out in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Image", in_out=in_out, socket_type="NodeSocketColor")
    begin, flip, end = (group.nodes.new(kind) for kind in ("NodeGroupInput", "CompositorNodeFlip", "NodeGroupOutput"))
    group.links.new(begin.outputs[0], flip.inputs[0])
    link = group.links.new(flip.outputs[0], end.inputs[0])
    tree = new_compositor(scene)
    layers, node = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeGroup")
    node.node_tree = group
    tree.links.new(layers.outputs["Image"], node.inputs[0])
    tree.links.new(node.outputs[0], output_socket(tree))
    assert [f"'{flip.name}' moves pixels" in warning for warning in unfollowed(scene)] == [True]
    group.links.remove(link)
    assert list(unfollowed(scene)) == []


def test_other_scenes_and_pictures(scene: bpy.types.Scene) -> None:
    other = bpy.data.scenes.new("Titles")
    tree = new_compositor(scene)
    target = output_socket(tree)
    layers = tree.nodes.new("CompositorNodeRLayers")
    layers.scene = other
    link = tree.links.new(layers.outputs["Image"], target)
    (warning,) = unfollowed(scene)
    assert layers.name in warning and "'Titles'" in warning
    layers.scene = scene
    assert list(unfollowed(scene)) == []
    tree.links.remove(link)
    image = tree.nodes.new("CompositorNodeImage")
    image.image = bpy.data.images.new("Plate", 8, 8)
    tree.links.new(image.outputs[0], target)
    (warning,) = unfollowed(scene)
    assert image.name in warning and "picture" in warning


def test_grease_pencil_and_freestyle(scene: bpy.types.Scene) -> None:
    if hasattr(bpy.ops.object, "grease_pencil_add"):
        bpy.ops.object.grease_pencil_add(type="MONKEY")
    else:
        bpy.ops.object.gpencil_add(type="MONKEY")
    strokes = bpy.context.object
    scene.render.use_freestyle = scene.view_layers[0].use_freestyle = True
    pencil, lines = unfollowed(scene)
    assert f"'{strokes.name}'" in pencil and "Grease Pencil" in pencil
    assert "Freestyle" in lines
    strokes.hide_render = True
    scene.view_layers[0].use_freestyle = False
    assert list(unfollowed(scene)) == []


def test_animated_displacement(scene: bpy.types.Scene) -> None:
    material = new_material("Waves")
    add_mesh(scene, "plane", "Sea").data.materials.append(material)
    tree = material.node_tree
    displacement = tree.nodes.new("ShaderNodeDisplacement")
    tree.links.new(displacement.outputs[0], tree.get_output_node("CYCLES").inputs["Displacement"])
    material.displacement_method = "DISPLACEMENT"
    assert list(unfollowed(scene)) == [], "it stands still"
    key(displacement.inputs["Height"], "default_value", {1: 0.0, 3: 1.0})
    (warning,) = unfollowed(scene)
    assert "'Waves'" in warning
    material.displacement_method = "BUMP"
    assert list(unfollowed(scene)) == []


@pytest.mark.parametrize("with_id", [False, True])
def test_instances_whose_indices_shift(scene: bpy.types.Scene, export: Callable, with_id: bool) -> None:
    """Each frame one more of the first points is taken away."""
    part = add_mesh(scene, "cube", "Part", size=0.3, location=(0, 30, 0))
    host = add_mesh(scene, "grid", "Host", x_subdivisions=3, y_subdivisions=3, size=4)
    tree = bpy.data.node_groups.new("Nodes", "GeometryNodeTree")
    for in_out in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=in_out, socket_type="NodeSocketGeometry")
    new, link = tree.nodes.new, tree.links.new
    given, points, delete, index, time, less, make, info, result = (
        new(kind)
        for kind in (
            "NodeGroupInput",
            "GeometryNodeMeshToPoints",
            "GeometryNodeDeleteGeometry",
            "GeometryNodeInputIndex",
            "GeometryNodeInputSceneTime",
            "FunctionNodeCompare",
            "GeometryNodeInstanceOnPoints",
            "GeometryNodeObjectInfo",
            "NodeGroupOutput",
        )
    )
    less.data_type, less.operation = "FLOAT", "LESS_THAN"
    info.inputs["Object"].default_value = part
    link(given.outputs[0], points.inputs[0])
    source = points.outputs[0]
    if with_id:
        store = new("GeometryNodeStoreNamedAttribute")
        store.data_type, store.inputs["Name"].default_value = "INT", "id"
        link(source, store.inputs["Geometry"])
        link(index.outputs[0], next(s for s in store.inputs if s.name == "Value" and s.enabled))
        source = store.outputs[0]
    link(source, delete.inputs["Geometry"])
    link(index.outputs[0], less.inputs[0])
    link(time.outputs["Frame"], less.inputs[1])
    link(less.outputs[0], delete.inputs["Selection"])
    link(delete.outputs[0], make.inputs["Points"])
    link(info.outputs["Geometry"], make.inputs["Instance"])
    link(make.outputs[0], result.inputs[0])
    host.modifiers.new("Nodes", "NODES").node_group = tree
    told = [warning for item in export(1, 3) for warning in item.warnings]
    assert len(told) == (not with_id)
    if told:
        assert "'Host'" in told[0] and "'id'" in told[0]
