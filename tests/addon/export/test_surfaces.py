"""The motion of what is not one rigid mesh: deforming meshes, instances, curves, text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from warpnoise_addon import compat

from .analytic_motion import away_from_silhouettes
from .export_scenes import add_mesh, degrees, key
from .exr_passes import Passes, read_passes
from .test_simulations import simulation_zone

PIXELS_PER_UNIT = 8.0


@pytest.fixture
def flat(scene: bpy.types.Scene) -> bpy.types.Scene:
    """An orthographic camera that looks along +y: 8 x 8 units on 64 x 64 pixels."""
    scene.camera.data.type = "ORTHO"
    scene.camera.data.ortho_scale = 8.0
    return scene


@pytest.fixture
def passes(export: Callable, tmp_path: Path) -> Callable[[], tuple[Passes, dict]]:
    """Exports frames 1 to 3 and returns the passes of frame 2 and the objects of frame 1."""

    def run() -> tuple[Passes, dict]:
        export(1, 3)
        job = json.loads((tmp_path / "job" / "job.json").read_text())
        return read_passes(tmp_path / "job" / "passes" / "0002.exr"), job["frames"][0]["objects"]

    return run


def assert_moves(passes: Passes, name: str, before: tuple[float, float], after: tuple[float, float]) -> None:
    """``before``, ``after``: units in x and z that the surface moves from frame 1 to 2, and from 2 to 3."""
    where = passes.where(name) & away_from_silhouettes(passes.surface, 1)
    assert where.sum() > 20
    expected = -PIXELS_PER_UNIT * np.array([*before, *after])
    np.testing.assert_allclose(passes.vector[where], np.tile(expected, (where.sum(), 1)), atol=2e-3)


def linear_motion(thing: bpy.types.ID) -> None:
    """0.25 units a frame to the right, and up from frame 2 on."""
    key(thing, "location", {1: (-0.25, 0, 0), 2: (0, 0, 0), 3: (0.25, 0, 0.5)})


def test_mesh(flat: bpy.types.Scene, passes: Callable) -> None:
    linear_motion(add_mesh(flat, "cube", "Cube", size=3))
    found, objects = passes()
    assert_moves(found, "Cube", (0.25, 0), (0.25, 0.5))
    assert objects.keys() == {"Cube"}


def test_armature(flat: bpy.types.Scene, passes: Callable) -> None:
    cube = add_mesh(flat, "cube", "Cube", size=3)
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    flat.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("Bone")
    bone.head, bone.tail = (0, 0, 0), (1, 0, 0)  # its y is the world's x
    bpy.ops.object.mode_set(mode="OBJECT")
    cube.vertex_groups.new(name="Bone").add(range(8), 1.0, "REPLACE")
    cube.modifiers.new("Rig", "ARMATURE").object = armature
    key(armature.pose.bones["Bone"], "location", {1: (0, 0, 0), 2: (0, 0.5, 0), 3: (0, 0.25, 0)})
    found, objects = passes()
    assert_moves(found, "Cube", (0.5, 0), (-0.25, 0))
    assert np.array_equal(objects["Cube"], np.eye(4)), "the object itself stands still"


def test_shape_key(flat: bpy.types.Scene, passes: Callable) -> None:
    cube = add_mesh(flat, "cube", "Cube", size=3)
    cube.shape_key_add(name="Basis")
    moved = cube.shape_key_add(name="Moved")
    for point in moved.data:
        point.co.x += 1.0
    key(moved, "value", {1: 0.0, 2: 0.5, 3: 0.75})
    found, _ = passes()
    assert_moves(found, "Cube", (0.5, 0), (0.25, 0))


def test_collection_instance(flat: bpy.types.Scene, passes: Callable) -> None:
    collection = bpy.data.collections.new("Parts")
    cube = add_mesh(flat, "cube", "Cube", size=3)
    flat.collection.objects.unlink(cube)
    collection.objects.link(cube)
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", collection
    flat.collection.objects.link(instance)
    linear_motion(instance)
    found, objects = passes()
    assert_moves(found, "Cube", (0.25, 0), (0.25, 0.5))
    assert objects == {}, "an instance shares its name with all of the others"


def test_geometry_nodes_instance(flat: bpy.types.Scene, passes: Callable) -> None:
    cube = add_mesh(flat, "cube", "Cube", size=2, location=(2, 0, 0))
    host = add_mesh(flat, "plane", "Host", size=1)
    tree = bpy.data.node_groups.new("Instances", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    info, output = tree.nodes.new("GeometryNodeObjectInfo"), tree.nodes.new("NodeGroupOutput")
    info.inputs["Object"].default_value = cube
    info.inputs["As Instance"].default_value = True
    tree.links.new(info.outputs["Geometry"], output.inputs[0])
    host.modifiers.new("Instances", "NODES").node_group = tree
    host.location.x = -2.0
    key(host, "location", {1: (-2.25, 0, 0), 2: (-2, 0, 0), 3: (-1.75, 0, 0.5)})
    found, objects = passes()
    left = np.arange(64) < 32
    where = found.where("Cube") & left & away_from_silhouettes(found.surface, 1)
    assert where.sum() > 20
    np.testing.assert_allclose(found.vector[where], np.tile([-2, 0, -2, -4], (where.sum(), 1)), atol=2e-3)
    still = found.where("Cube") & ~left & away_from_silhouettes(found.surface, 1)
    assert still.sum() > 20
    assert np.abs(found.vector[still]).max() < 2e-3
    assert "Cube" not in objects, "it is drawn as itself and as an instance"


def test_curve(flat: bpy.types.Scene, passes: Callable) -> None:
    bpy.ops.curve.primitive_bezier_circle_add(radius=2, rotation=degrees(90, 0, 0))
    circle = bpy.context.object
    circle.name = "Circle"
    circle.data.bevel_depth = 0.6
    linear_motion(circle)
    found, objects = passes()
    assert_moves(found, "Circle", (0.25, 0), (0.25, 0.5))
    assert objects.keys() == {"Circle"}


def test_text(flat: bpy.types.Scene, passes: Callable) -> None:
    bpy.ops.object.text_add(rotation=degrees(90, 0, 0))
    text = bpy.context.object
    text.name = "Text"
    text.data.body = "MM"
    text.data.size, text.data.offset = 5.0, 0.08
    text.data.align_x, text.data.align_y = "CENTER", "CENTER"
    linear_motion(text)
    found, objects = passes()
    assert_moves(found, "Text", (0.25, 0), (0.25, 0.5))
    assert objects.keys() == {"Text"}


def test_names_are_those_of_the_manifest(flat: bpy.types.Scene, passes: Callable) -> None:
    names = ['A "quoted" \\ name', "Würfel.001", "ボール"]
    for index, name in enumerate(names):
        add_mesh(flat, "cube", name, size=1.5, location=(2 * index - 2, 0, 0))
    found, objects = passes()
    assert found.shown() == set(names)
    assert objects.keys() == set(names)


def test_objects_that_come_and_go(flat: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    cube = add_mesh(flat, "cube", "Cube", size=3)
    key(cube, "hide_render", {1: True, 2: False, 3: True})
    key(cube, "hide_viewport", {1: True})  # what is hidden while working is rendered all the same
    export(1, 3)
    job = json.loads((tmp_path / "job" / "job.json").read_text())
    assert [list(entry["objects"].items()) for entry in job["frames"]] == [
        [],
        [("Cube", np.eye(4).tolist())],
        [("Cube", None)],
    ]


def geometry_nodes(host: bpy.types.Object) -> tuple[bpy.types.NodeTree, Callable[[str], bpy.types.Node]]:
    """A Nodes modifier on ``host`` that hands its geometry on; a tree to build in, and what adds a node to it."""
    tree = bpy.data.node_groups.new("Nodes", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    host.modifiers.new("Nodes", "NODES").node_group = tree
    return tree, tree.nodes.new


def growing_ball(scene: bpy.types.Scene, velocity: bool) -> None:
    """A ball of which a face more is gone each frame, that moves a quarter of a unit a frame; with its velocity."""
    ball = add_mesh(scene, "uv_sphere", "Ball", radius=1.5, segments=16, ring_count=12)
    key(ball, "location", {1: (-0.25, 0, 0), 3: (0.25, 0, 0)})
    for curve in compat.animation_curves(ball):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    tree, new = geometry_nodes(ball)
    delete, index, time, less = (
        new("GeometryNodeDeleteGeometry"),
        new("GeometryNodeInputIndex"),
        new("GeometryNodeInputSceneTime"),
        new("FunctionNodeCompare"),
    )
    less.data_type, less.operation, delete.domain = "FLOAT", "LESS_THAN", "FACE"
    store = new("GeometryNodeStoreNamedAttribute")
    store.data_type = "FLOAT_VECTOR"
    store.inputs["Name"].default_value = "velocity" if velocity else "something else"
    vector = next(socket for socket in store.inputs if socket.name == "Value" and socket.enabled)
    vector.default_value = (0.0, 0.0, 0.25 * scene.render.fps)  # and Cycles adds the object's own motion
    for output, socket in (
        (new("NodeGroupInput").outputs[0], delete.inputs["Geometry"]),
        (index.outputs[0], less.inputs[0]),
        (time.outputs["Frame"], less.inputs[1]),
        (less.outputs[0], delete.inputs["Selection"]),
        (delete.outputs[0], store.inputs["Geometry"]),
        (store.outputs[0], new("NodeGroupOutput").inputs[0]),
    ):
        tree.links.new(output, socket)


def unknown_motion(job: Path) -> list[list[str]]:
    return [entry["unknown_motion"] for entry in json.loads((job / "job.json").read_text())["frames"]]


def test_metaballs_whose_topology_changes(flat: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    for name, x in (("Meta", -0.5), ("Meta.001", 0.5)):
        bpy.ops.object.metaball_add(type="BALL", radius=1.5, location=(x, 0, 0))
        bpy.context.object.name = name
    key(bpy.context.object, "location", {2: (0.5, 0, 0), 3: (1.2, 0, 0.5)})
    add_mesh(flat, "cube", "Cube", size=1, location=(0, 0, 3))
    export(1, 3)
    assert unknown_motion(tmp_path / "job") == [[], [], ["Meta"]], "still, then changing"


def test_meshes_whose_topology_changes(flat: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    growing_ball(flat, velocity=False)
    export(1, 3)
    assert unknown_motion(tmp_path / "job") == [[], ["Ball"], ["Ball"]]


def test_equal_counts_of_another_topology(flat: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    """As sequences of mesh files have it: the object shows another mesh in each frame."""
    plane = add_mesh(flat, "plane", "Plane", size=3, rotation=degrees(90, 0, 0))
    meshes = [plane.data, plane.data.copy()]
    plane.modifiers.new("Solid", "SOLIDIFY")

    def swap(scene: bpy.types.Scene, depsgraph: object = None) -> None:
        plane.data = meshes[scene.frame_current > 2]

    bpy.app.handlers.frame_change_pre.append(swap)
    try:
        export(1, 3)
        assert unknown_motion(tmp_path / "job") == [[], [], []], "a copy is the same"
        meshes[1].polygons.foreach_set("loop_start", [0])
        meshes[1].loops.foreach_set("vertex_index", [1, 3, 2, 0])
        export(1, 3)
    finally:
        bpy.app.handlers.frame_change_pre.remove(swap)
    assert unknown_motion(tmp_path / "job") == [[], [], ["Plane"]]


def test_velocity_makes_the_motion_of_a_changing_topology_known(
    flat: bpy.types.Scene, passes: Callable, tmp_path: Path
) -> None:
    growing_ball(flat, velocity=True)
    found, _ = passes()
    assert unknown_motion(tmp_path / "job") == [[], [], []]
    assert_moves(found, "Ball", (0.25, 0.25), (0.25, 0.25))


@pytest.mark.parametrize("step", [1, 2, 3])
def test_velocity_spans_the_frame_step(flat: bpy.types.Scene, export: Callable, tmp_path: Path, step: int) -> None:
    """A quarter of a unit a frame, by the scene's time in seconds: the frame rate is as it was where that is read."""
    growing_ball(flat, velocity=True)
    ball = bpy.data.objects["Ball"]
    ball.animation_data_clear()
    ball.location = (0, 0, 0)
    group = ball.modifiers["Nodes"].node_group
    time = next(node for node in group.nodes if node.bl_idname == "GeometryNodeInputSceneTime")
    move, vector, scale = (
        group.nodes.new(kind) for kind in ("GeometryNodeTransform", "ShaderNodeCombineXYZ", "ShaderNodeMath")
    )
    scale.operation = "MULTIPLY"
    scale.inputs[1].default_value = 0.25 * flat.render.fps  # a quarter of a unit a frame, by the seconds
    store = next(node for node in group.nodes if node.bl_idname == "GeometryNodeStoreNamedAttribute")
    link = store.inputs["Geometry"].links[0]
    group.links.new(time.outputs["Seconds"], scale.inputs[0])
    group.links.new(scale.outputs[0], vector.inputs["Z"])
    group.links.new(vector.outputs[0], move.inputs["Translation"])
    group.links.new(link.from_socket, move.inputs["Geometry"])
    group.links.new(move.outputs[0], store.inputs["Geometry"])
    flat.frame_set(1)
    export(1, 1 + step, frame_step=step)
    for frame in (1, 1 + step):
        found = read_passes(tmp_path / "job" / "passes" / f"{frame:04d}.exr")
        assert_moves(found, "Ball", (0, 0.25 * step), (0, 0.25 * step))
        centre = np.argwhere(found.where("Ball")).mean(0)[0]
        assert centre == pytest.approx(31.5 - PIXELS_PER_UNIT * 0.25 * frame, abs=1.0)
    assert flat.render.fps_base == 1.0


def test_zero_velocities_count_as_missing(flat: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    """As on liquids that are not baked."""
    growing_ball(flat, velocity=True)
    nodes = bpy.data.objects["Ball"].modifiers["Nodes"].node_group.nodes
    store = next(node for node in nodes if node.bl_idname == "GeometryNodeStoreNamedAttribute")
    next(s for s in store.inputs if s.name == "Value" and s.enabled).default_value = (0, 0, 0)
    export(1, 2)
    assert unknown_motion(tmp_path / "job") == [[], ["Ball"]]


def test_velocity_with_simulation_zones_and_a_frame_step_is_unknown(
    flat: bpy.types.Scene, export: Callable, tmp_path: Path
) -> None:
    """Spanning the step would make Blender forget the simulation."""
    growing_ball(flat, velocity=True)
    bpy.data.objects[simulation_zone(flat)].location = (2, -3, 1)
    export(2, 4, frame_step=2)
    assert unknown_motion(tmp_path / "job") == [[], ["Ball"]]
    found = read_passes(tmp_path / "job" / "passes" / "0004.exr")
    assert_moves(found, "Falling", (0, -0.4), (0, -0.4))


def test_adaptive_subdivision(flat: bpy.types.Scene, passes: Callable) -> None:
    """Blender 4.2 and 4.3 write no motion of what deforms and is subdivided so."""
    cube = add_mesh(flat, "cube", "Cube", size=3)
    cube.shape_key_add(name="Basis")
    moved = cube.shape_key_add(name="Moved")
    for point in moved.data:
        point.co.x += 1.0
    key(moved, "value", {1: 0.0, 2: 0.5, 3: 0.75})
    modifier = cube.modifiers.new("Subdivision", "SUBSURF")
    if compat.has_property(modifier, "use_adaptive_subdivision"):  # from 5.0
        modifier.use_adaptive_subdivision = True
    else:
        flat.cycles.feature_set = "EXPERIMENTAL"
        cube.cycles.use_adaptive_subdivision = True
    found, _ = passes()
    assert_moves(found, "Cube", (0.5, 0), (0.25, 0))


def test_deforming_objects_keep_their_topology(flat: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    cube = add_mesh(flat, "cube", "Cube", size=3)
    wave = cube.modifiers.new("Twist", "SIMPLE_DEFORM")
    key(wave, "angle", {1: 0.0, 3: 1.0})
    cube.modifiers.new("Smooth", "SUBSURF").render_levels = 2
    bpy.ops.curve.primitive_bezier_circle_add(radius=2)
    bpy.context.object.data.bevel_depth = 0.6
    key(bpy.context.object.data, "bevel_depth", {1: 0.6, 3: 0.3})
    export(1, 3)
    assert unknown_motion(tmp_path / "job") == [[], [], []]
