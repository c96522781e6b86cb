"""Which surface's motion a pixel gets: one sample at its centre, whatever the scene does to light."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from .export_scenes import add_mesh, degrees, key, new_material
from .exr_passes import Passes, read_passes


@pytest.fixture
def wall(scene: bpy.types.Scene) -> bpy.types.Object:
    """A wall that fills the picture and moves one pixel a frame to the right."""
    scene.camera.data.type = "ORTHO"
    scene.camera.data.ortho_scale = 8.0
    wall = add_mesh(scene, "plane", "Wall", size=20, rotation=degrees(90, 0, 0))
    key(wall, "location", {frame: (frame / 8, 3, 0) for frame in (0, 1, 2)})
    return wall


@pytest.fixture
def passes(export: Callable, tmp_path: Path) -> Callable[[], Passes]:
    def run() -> Passes:
        export(1, 1)
        return read_passes(tmp_path / "job" / "passes" / "0001.exr")

    return run


def assert_only_the_wall(found: Passes) -> None:
    assert found.shown() == {"Wall"}
    assert found.where("Wall").all()
    np.testing.assert_allclose(found.vector, np.tile([-1, 0, -1, 0], (64, 64, 1)), atol=2e-3)
    np.testing.assert_allclose(found.depth, 13.0, atol=1e-4)


def material_of(wall: bpy.types.Object, node: str, socket: str) -> bpy.types.Node:
    """A new material of one shader node on the object."""
    material = new_material(node)
    tree = material.node_tree
    output = tree.get_output_node("CYCLES")
    for link in list(tree.links):
        tree.links.remove(link)
    shader = tree.nodes.new(node)
    tree.links.new(shader.outputs[0], output.inputs[socket])
    wall.data.materials.append(material)
    return shader


def test_plain(wall: bpy.types.Object, passes: Callable) -> None:
    assert_only_the_wall(passes())


def test_motion_blur_depth_of_field_and_denoising_are_off(
    scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable, export: Callable, tmp_path: Path
) -> None:
    """In the motion only: a still picture would not tell, so the edge of a small moving plane does."""
    small = add_mesh(scene, "plane", "Small", size=3, rotation=degrees(90, 0, 0))
    key(small, "location", {0: (-1, 0, 0), 2: (1, 0, 0)})
    expected = passes()
    scene.render.use_motion_blur = True
    dof = scene.camera.data.dof
    dof.use_dof, dof.focus_distance, dof.aperture_fstop = True, 2.0, 0.1
    key(dof, "use_dof", {1: True})
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.samples = 2
    key(scene.cycles, "samples", {1: 2})
    found = passes()
    assert found.shown() == {"Wall", "Small"}
    for name in ("depth", "vector", "surface"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert scene.render.use_motion_blur
    assert dof.use_dof


def test_volumes_are_looked_through(scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable) -> None:
    smoke = add_mesh(scene, "cube", "Smoke", size=4)
    material_of(smoke, "ShaderNodeVolumePrincipled", "Volume").inputs["Density"].default_value = 0.5
    scene.world = bpy.data.worlds.new("Fog")
    if scene.world.node_tree is None:  # up to 4.5
        scene.world.use_nodes = True
    tree = scene.world.node_tree
    scatter = tree.nodes.new("ShaderNodeVolumeScatter")
    scatter.inputs["Density"].default_value = 0.5
    output = next(node for node in tree.nodes if node.type == "OUTPUT_WORLD")
    tree.links.new(scatter.outputs[0], output.inputs["Volume"])
    assert_only_the_wall(passes())
    assert smoke.visible_camera


def test_invisible_surfaces_are_looked_through(
    scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable
) -> None:
    for depth in range(3):
        pane = add_mesh(scene, "plane", f"Pane {depth}", size=20, location=(0, -depth, 0), rotation=degrees(90, 0, 0))
        material_of(pane, "ShaderNodeBsdfTransparent", "Surface")
    assert_only_the_wall(passes())


def test_glass_is_a_surface(scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable) -> None:
    pane = add_mesh(scene, "plane", "Pane", size=20, rotation=degrees(90, 0, 0))
    material_of(pane, "ShaderNodeBsdfGlass", "Surface")
    found = passes()
    assert found.shown() == {"Pane"}
    assert not found.vector.any()


def test_holdout_is_background(scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable) -> None:
    scene.render.film_transparent = True
    hole = add_mesh(scene, "plane", "Hole", size=3, rotation=degrees(90, 0, 0))
    hole.is_holdout = True
    found = passes()
    assert found.surface[32, 32] == 0
    assert found.depth[32, 32] >= 1e9
    assert found.surface[2, 2] == found.names["Wall"]


def test_displacement(scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable) -> None:
    """A wall that is displaced by one unit towards the camera is there, and moves as before."""
    material = new_material("Displaced")
    tree = material.node_tree
    shift = tree.nodes.new("ShaderNodeDisplacement")
    for name, value in (("Height", 1.0), ("Midlevel", 0.0), ("Scale", 1.0)):
        shift.inputs[name].default_value = value
    tree.links.new(shift.outputs[0], tree.get_output_node("CYCLES").inputs["Displacement"])
    material.displacement_method = "DISPLACEMENT"
    wall.data.materials.append(material)
    found = passes()
    np.testing.assert_allclose(found.depth, 12.0, atol=1e-3)
    np.testing.assert_allclose(found.vector, np.tile([-1, 0, -1, 0], (64, 64, 1)), atol=2e-3)


def test_hidden_from_the_camera(scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable) -> None:
    pane = add_mesh(scene, "plane", "Pane", size=20, rotation=degrees(90, 0, 0))
    pane.visible_camera = False
    assert_only_the_wall(passes())


def test_the_sample_is_at_the_pixel_s_centre(scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable) -> None:
    """On a steep wall, whose depth grows by a quarter unit a pixel, depth tells where the sample is."""
    wall.rotation_euler.z = np.arctan(2.0)
    wall.scale.x = 4.0
    found = passes()
    x = (np.arange(64) - 31.5) / 8.0
    where_the_wall_is = 1 / 8
    expected = np.tile(13.0 + 2.0 * (x - where_the_wall_is), (64, 1))
    np.testing.assert_allclose(found.depth, expected, atol=0.02 * 0.25)


def test_vectors_at_silhouettes_are_those_of_one_surface(
    scene: bpy.types.Scene, wall: bpy.types.Object, passes: Callable
) -> None:
    ball = add_mesh(scene, "uv_sphere", "Ball", radius=1.7)
    key(ball, "location", {0: (0, 0, -0.5), 2: (0, 0, 0.5)})
    found = passes()
    for name, vector in (("Wall", (-1, 0, -1, 0)), ("Ball", (0, -4, 0, -4))):
        where = found.where(name)
        assert where.sum() > 400
        np.testing.assert_allclose(found.vector[where], np.tile(vector, (where.sum(), 1)), atol=2e-3)
    assert found.shown() == {"Wall", "Ball"}
