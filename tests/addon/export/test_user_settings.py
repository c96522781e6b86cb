"""Settings of the user's that are about the picture change nothing of the motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from warpnoise_addon.export.rendering import RenderedColor

from .export_scenes import add_mesh, key
from .exr_passes import Passes, read_passes

PNG = bytes.fromhex(  # 1 x 1 pixels
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000000200"
    "0148afa4710000000049454e44ae426082"
)


@pytest.fixture
def moving(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A camera on a moving parent, a moving cube, a deforming ball, and a moving instance of a collection."""
    dolly = bpy.data.objects.new("Dolly", None)
    scene.collection.objects.link(dolly)
    scene.camera.parent = dolly
    key(dolly, "location", {1: (0, 0, 0), 3: (0.4, 0, 0.2)})
    key(add_mesh(scene, "cube", "Cube", size=1.5), "location", {1: (-1.4, 0, 1), 3: (-1, 0, 1.2)})
    ball = add_mesh(scene, "uv_sphere", "Ball", radius=0.9, location=(1.2, 0, 1))
    ball.shape_key_add(name="Basis")
    wide = ball.shape_key_add(name="Wide")
    for point in wide.data:
        point.co.x *= 1.5
    key(wide, "value", {1: 0.0, 3: 1.0})
    parts = bpy.data.collections.new("Parts")
    part = add_mesh(scene, "cube", "Part", size=1.2)
    scene.collection.objects.unlink(part)
    parts.objects.link(part)
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", parts
    scene.collection.objects.link(instance)
    key(instance, "location", {1: (0, 0, -1.2), 3: (0.4, 0, -1.4)})
    return scene


@pytest.fixture
def passes(export: Callable, tmp_path: Path) -> Callable[[], Passes]:
    """Exports frame 2 and returns its passes."""

    def run() -> Passes:
        export(2, 2)
        return read_passes(tmp_path / "job" / "passes" / "0002.exr")

    return run


def assert_same_motion(found: Passes, expected: Passes) -> None:
    assert {"Cube", "Ball", "Part"} <= expected.shown()
    assert np.abs(expected.vector).max() > 1
    np.testing.assert_array_equal(found.vector, expected.vector)
    np.testing.assert_array_equal(found.depth, expected.depth)
    np.testing.assert_array_equal(found.surface, expected.surface)


def test_motion_blur_switched_off_for_the_camera(moving: bpy.types.Scene, passes: Callable[[], Passes]) -> None:
    expected = passes()
    moving.camera.cycles.use_motion_blur = False
    assert_same_motion(passes(), expected)
    assert not moving.camera.cycles.use_motion_blur


def test_motion_blur_keyed_off_for_the_camera(moving: bpy.types.Scene, passes: Callable[[], Passes]) -> None:
    expected = passes()
    key(moving.camera.cycles, "use_motion_blur", {1: False, 3: False})
    assert_same_motion(passes(), expected)


@pytest.mark.parametrize("engine", ["CYCLES", "BLENDER_WORKBENCH"])
def test_culling_is_for_pictures_that_cycles_renders(
    moving: bpy.types.Scene, passes: Callable[[], Passes], monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Other engines show what Cycles would leave out because it is far away."""
    monkeypatch.setattr(RenderedColor, "write_color", lambda self, frame, path: path.write_bytes(PNG))
    moving.render.use_simplify = moving.cycles.use_distance_cull = True
    moving.cycles.distance_cull_margin = 1.0
    bpy.data.objects["Cube"].cycles.use_distance_cull = True
    moving.render.engine = engine
    assert ("Cube" in passes().shown()) == (engine != "CYCLES")


def test_every_cycles_setting_of_objects_and_layers(moving: bpy.types.Scene, passes: Callable[[], Passes]) -> None:
    """All of them away from their values at once: switches turned over, numbers at their ends."""
    expected = passes()
    changed = [name for owner in _cycles_settings(moving) for name in _change_all(owner)]
    assert "use_motion_blur" in changed and "motion_steps" in changed and "use_camera_cull" in changed
    assert_same_motion(passes(), expected)


def test_every_cycles_setting_of_the_scene(moving: bpy.types.Scene, passes: Callable[[], Passes]) -> None:
    expected = passes()
    assert len(_change_all(moving.cycles)) > 50
    assert_same_motion(passes(), expected)


def _cycles_settings(scene: bpy.types.Scene) -> Iterator[bpy.types.bpy_struct]:
    for datablock in (*bpy.data.objects, *bpy.data.cameras, *bpy.data.meshes, *scene.view_layers):
        if hasattr(datablock, "cycles"):
            yield datablock.cycles


def _change_all(owner: bpy.types.bpy_struct) -> list[str]:
    """Changes every switch and number of ``owner``, but those that nothing renders with; returns their names."""
    changed = []
    for prop in owner.bl_rna.properties:
        name = prop.identifier
        if prop.is_readonly or "preview" in name:
            continue
        if prop.type == "BOOLEAN":
            setattr(owner, name, not getattr(owner, name))
        elif prop.type in ("INT", "FLOAT") and not prop.is_array:
            setattr(owner, name, prop.soft_max)
        else:
            continue
        changed.append(name)
    return changed
