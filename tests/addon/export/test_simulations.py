"""Simulations that are not baked: each frame shows its own time, and its motion is that of its own time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from warpnoise_addon.export import simulations

from .export_scenes import add_mesh
from .exr_passes import read_passes
from .snapshot import differences, snapshot

PIXELS_PER_UNIT = 8.0
FRAMES = range(4, 7)


def rigid_body(scene: bpy.types.Scene) -> str:
    add_mesh(scene, "cube", "Falling", size=2)
    bpy.ops.rigidbody.object_add()
    return "Falling"


def cloth(scene: bpy.types.Scene) -> str:
    add_mesh(scene, "grid", "Falling", x_subdivisions=3, y_subdivisions=3, rotation=(1.3, 0, 0))
    bpy.context.object.modifiers.new("Cloth", "CLOTH")
    return "Falling"


def soft_body(scene: bpy.types.Scene) -> str:
    cube = add_mesh(scene, "cube", "Falling", size=2)
    cube.modifiers.new("Soft", "SOFT_BODY").settings.use_goal = False
    return "Falling"


def particles(scene: bpy.types.Scene) -> str:
    add_mesh(scene, "cube", "Falling", size=2, location=(40, 0, 0))
    emitter = add_mesh(scene, "plane", "Emitter", size=0.1)
    settings = emitter.modifiers.new("Particles", "PARTICLE_SYSTEM").particle_system.settings
    settings.count, settings.frame_start, settings.frame_end, settings.lifetime = 1, 0, 0.5, 100
    settings.normal_factor, settings.particle_size = 0.0, 1.0
    settings.render_type, settings.instance_object = "OBJECT", bpy.data.objects["Falling"]
    return "Falling"


def simulation_zone(scene: bpy.types.Scene) -> str:
    cube = add_mesh(scene, "cube", "Falling", size=2)
    tree = bpy.data.node_groups.new("Nodes", "GeometryNodeTree")
    for in_out in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=in_out, socket_type="NodeSocketGeometry")
    given, result, begin, end, move = (
        tree.nodes.new(kind)
        for kind in (
            "NodeGroupInput",
            "NodeGroupOutput",
            "GeometryNodeSimulationInput",
            "GeometryNodeSimulationOutput",
            "GeometryNodeTransform",
        )
    )
    begin.pair_with_output(end)
    move.inputs["Translation"].default_value = (0, 0, -0.2)
    tree.links.new(given.outputs[0], begin.inputs["Geometry"])
    tree.links.new(begin.outputs["Geometry"], move.inputs["Geometry"])
    tree.links.new(move.outputs[0], end.inputs["Geometry"])
    tree.links.new(end.outputs["Geometry"], result.inputs[0])
    cube.modifiers.new("Nodes", "NODES").node_group = tree
    return "Falling"


def in_an_instanced_collection(scene: bpy.types.Scene) -> str:
    cloth(scene)
    collection = bpy.data.collections.new("Parts")
    falling = bpy.data.objects["Falling"]
    scene.collection.objects.unlink(falling)
    collection.objects.link(falling)
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", collection
    scene.collection.objects.link(instance)
    return "Falling"


def hidden_while_working(scene: bpy.types.Scene) -> str:
    cloth(scene)
    bpy.data.objects["Falling"].hide_viewport = True
    bpy.data.objects["Falling"].modifiers["Cloth"].show_viewport = False
    return "Falling"


def in_a_hidden_collection(scene: bpy.types.Scene) -> str:
    cloth(scene)
    collection = bpy.data.collections.new("Hidden")
    falling = bpy.data.objects["Falling"]
    scene.collection.objects.unlink(falling)
    scene.collection.children.link(collection)
    collection.objects.link(falling)
    collection.hide_viewport = True
    return "Falling"


def finer_in_the_render(scene: bpy.types.Scene) -> str:
    cloth(scene)
    modifiers = bpy.data.objects["Falling"].modifiers
    modifiers.new("Finer", "SUBSURF").render_levels = 2
    modifiers["Finer"].levels = 0
    modifiers.move(1, 0)
    return "Falling"


def coarser_while_working(scene: bpy.types.Scene) -> str:
    finer_in_the_render(scene)
    bpy.data.objects["Falling"].modifiers["Finer"].levels = 2
    scene.render.use_simplify = True
    scene.render.simplify_subdivision, scene.render.simplify_subdivision_render = 0, 2
    return "Falling"


KINDS = [
    rigid_body,
    cloth,
    soft_body,
    particles,
    simulation_zone,
    in_an_instanced_collection,
    hidden_while_working,
    in_a_hidden_collection,
    finer_in_the_render,
    coarser_while_working,
]


@pytest.fixture
def falling(scene: bpy.types.Scene) -> bpy.types.Scene:
    """An orthographic camera: 8 x 8 units on 64 x 64 pixels; strong gravity, and 30 frames."""
    scene.camera.data.type = "ORTHO"
    scene.camera.data.ortho_scale = 8.0
    scene.gravity = (0, 0, -25)
    scene.frame_start, scene.frame_end = 1, 30
    return scene


def heights(scene: bpy.types.Scene, name: str, last: int) -> dict[int, float]:
    """The mean height of what is drawn under that name near the origin, when the scene is played from its start."""
    found = {}
    for frame in range(1, last + 1):
        scene.frame_set(frame)
        for instance in bpy.context.evaluated_depsgraph_get().object_instances:
            shown = instance.object
            if shown.name == name and abs(instance.matrix_world.translation.x) < 10:
                points = np.empty(3 * len(shown.data.vertices), np.float32)
                shown.data.vertices.foreach_get("co", points)
                matrix = np.array(instance.matrix_world)
                found[frame] = float((points.reshape(-1, 3) @ matrix[2, :3] + matrix[2, 3]).mean())
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("step", [1, 2])
def test_frames_and_motion_are_of_their_time(
    kind: Callable, step: int, falling: bpy.types.Scene, export: Callable, tmp_path: Path
) -> None:
    """Of a part in the middle too, which another machine may be given."""
    name = kind(falling)
    progress = export(FRAMES[0], FRAMES[-1], frame_step=step)
    assert [warning for item in progress for warning in item.warnings] == []
    for shown in (*bpy.data.objects, *bpy.data.collections):
        shown.hide_viewport = False
        for modifier in getattr(shown, "modifiers", ()):
            modifier.show_viewport = True
            if modifier.type == "SUBSURF":
                modifier.levels = modifier.render_levels
    falling.render.use_simplify = False
    truth = heights(falling, name, FRAMES[-1] + step)
    for frame in FRAMES[::step]:
        found = read_passes(tmp_path / "job" / "passes" / f"{frame:04d}.exr")
        where = found.where(name)
        moved = PIXELS_PER_UNIT * np.array([truth[frame - step] - truth[frame], truth[frame] - truth[frame + step]])
        assert moved.min() > 0.3
        assert np.argwhere(where).mean(0)[0] == pytest.approx(31.5 - PIXELS_PER_UNIT * truth[frame], abs=0.8)
        np.testing.assert_allclose(found.vector[where][:, [1, 3]].mean(0), moved, rtol=0.1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_nothing_is_baked_afterwards(kind: Callable, falling: bpy.types.Scene, export: Callable) -> None:
    kind(falling)
    falling.frame_set(3)
    before = snapshot()
    export(FRAMES[0], FRAMES[0])
    changed = differences(before, snapshot())
    simulated = ("info", "is_outdated", "is_frame_skip", "point_caches", "matrix", "bound_box", "dimensions")
    assert [path for path in changed if not any(word in path for word in simulated)] == []


@pytest.mark.skipif(not bpy.app.binary_path, reason="fluids end the process in bpy wheels")
def test_liquids_that_are_replayed(falling: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    domain = add_mesh(falling, "cube", "Domain", size=4).modifiers.new("Fluid", "FLUID")
    domain.fluid_type = "DOMAIN"
    settings = domain.domain_settings
    settings.domain_type, settings.cache_type, settings.resolution_max = "LIQUID", "REPLAY", 16
    settings.use_mesh = settings.use_speed_vectors = True
    settings.cache_directory, settings.cache_frame_end = str(tmp_path / "liquid"), 8
    source = add_mesh(falling, "uv_sphere", "Source", radius=1, location=(0, 0, 0.8))
    source.hide_render = True
    flow = source.modifiers.new("Fluid", "FLUID")
    flow.fluid_type = "FLOW"
    flow.flow_settings.flow_type = "LIQUID"
    export(5, 6)
    where = read_passes(tmp_path / "job" / "passes" / "0006.exr").where("Domain")
    assert 50 < where.sum() < 1000, "a drop, not the domain's cube"
    job = json.loads((tmp_path / "job" / "job.json").read_text())
    assert job["frames"][1]["unknown_motion"] == ["Domain"], "its velocities are all 0"


def test_simulations_that_cannot_be_baked_are_named(
    falling: bpy.types.Scene, export: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloth(falling)
    monkeypatch.setattr(simulations, "_bake_all", lambda: None)
    (warning,) = (warning for item in export(1, 1) for warning in item.warnings)
    assert "'Falling' could not be baked" in warning and "Bake it" in warning
