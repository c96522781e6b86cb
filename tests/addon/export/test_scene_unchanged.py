"""A scene that has all that an export touches is the same afterwards, to every property."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from warpnoise_addon import compat
from warpnoise_addon.errors import ExportError, WarpnoiseError
from warpnoise_addon.export import ExportOptions, export_job

from .export_scenes import add_camera, add_mesh, key, new_material
from .snapshot import differences, snapshot


@pytest.fixture
def rich(scene: bpy.types.Scene, tmp_path: Path) -> bpy.types.Scene:
    """Unusual values wherever the export sets something; animation, drivers, markers, a compositor, view layers."""
    render = scene.render
    render.use_border = render.use_crop_to_border = render.use_stamp = render.use_multiview = True
    render.use_motion_blur = render.film_transparent = render.use_persistent_data = True
    render.use_file_extension = False
    render.filepath = "//somewhere/else_####"
    exr = {"media_type": "IMAGE", "file_format": "OPEN_EXR", "color_depth": "32", "views_format": "INDIVIDUAL"}
    for name, value in compat.image_settings_values(render.image_settings, **exr).items():
        setattr(render.image_settings, name, value)
    render.image_settings.exr_codec = "PIZ"
    render.image_settings.color_management = "OVERRIDE"
    render.image_settings.linear_colorspace_settings.name = "ACEScg"
    render.image_settings.view_settings.exposure = 1.5
    render.image_settings.view_settings.use_curve_mapping = True
    render.image_settings.view_settings.curve_mapping.curves[0].points.new(0.25, 0.6)
    scene.cycles.samples = 3
    scene.cycles.seed = 7
    scene.cycles.filter_width = 2.5
    scene.cycles.property_unset("max_bounces")
    scene.world = bpy.data.worlds.new("World")

    cube = add_mesh(scene, "cube", "Cube", size=2)
    key(cube, "location", {1: (0, 0, 0), 9: (1, 0, 0)})
    cube.location = (0.5, 5.0, 0.5)  # moved by hand, and not keyed
    cube["custom"] = 1.0
    cube.keyframe_insert('["custom"]', frame=2)
    cube["custom"] = 4.0
    driver = cube.driver_add("rotation_euler", 2).driver
    driver.expression = "frame / 10"
    key(scene.cycles, "seed", {1: 7, 9: 70})
    key(scene.camera.data.dof, "aperture_fstop", {1: 2.8, 9: 5.6})
    scene.camera.data.dof.use_dof = True
    key(scene.camera.data.dof, "use_dof", {1: True})
    smoke = add_mesh(scene, "cube", "Smoke", size=1)
    material = new_material("Smoke")
    nodes = material.node_tree.nodes
    output = material.node_tree.get_output_node("CYCLES")
    for link in list(output.inputs["Surface"].links):
        material.node_tree.links.remove(link)
    volume = nodes.new("ShaderNodeVolumePrincipled")
    material.node_tree.links.new(volume.outputs[0], output.inputs["Volume"])
    smoke.data.materials.append(material)

    other = add_camera(scene, "Other")
    for frame, camera in ((1, scene.camera), (3, other)):
        scene.timeline_markers.new(camera.name, frame=frame).camera = camera
    extra = bpy.data.collections.new("Extra")
    scene.collection.children.link(extra)
    second = scene.view_layers.new("Second")
    second.layer_collection.children["Extra"].exclude = True
    second.use_pass_mist = True
    scene.view_layers.new("Off").use = False
    _add_compositor(scene, tmp_path)
    scene.frame_set(5, subframe=0.25)
    cube.location = (0.5, 5.0, 0.5)
    cube["custom"] = 4.0
    return scene


def _add_compositor(scene: bpy.types.Scene, folder: Path) -> None:
    """Render Layers, through a group that brings stylized frames back, to the output; a File Output beside it."""
    group = bpy.data.node_groups.new("Stylized", "CompositorNodeTree")
    group["warpnoise_job"] = str(folder)
    group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    tree = new_compositor(scene)
    layers = tree.nodes.new("CompositorNodeRLayers")
    stylized = tree.nodes.new("CompositorNodeGroup")
    stylized.node_tree = group
    tree.links.new(layers.outputs["Image"], stylized.inputs[0])
    tree.links.new(stylized.outputs[0], output_socket(tree))
    tree.nodes.new("CompositorNodeOutputFile")


def new_compositor(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """An empty compositor tree that the scene uses."""
    if compat.has_property(scene, "compositing_node_group"):
        scene.compositing_node_group = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        return scene.compositing_node_group
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree


def output_socket(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The input of the compositor tree's end."""
    try:
        return tree.nodes.new("CompositorNodeComposite").inputs[0]
    except RuntimeError:  # from 5.0 the tree is a group
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        return tree.nodes.new("NodeGroupOutput").inputs[0]


def options(folder: Path, **more: object) -> ExportOptions:
    return ExportOptions(folder / "job", 1, 4, **more)


def test_after_success(rich: bpy.types.Scene, tmp_path: Path) -> None:
    before = snapshot()
    assert len(before) > 2000
    assert len(list(export_job(bpy.context, options(tmp_path)))) == 4
    assert differences(before, snapshot()) == {}


def test_after_cancel(rich: bpy.types.Scene, tmp_path: Path) -> None:
    before = snapshot()
    export = export_job(bpy.context, options(tmp_path))
    next(export)
    next(export)
    export.close()
    assert differences(before, snapshot()) == {}


def test_between_frames_only_the_frame_is_another(rich: bpy.types.Scene, tmp_path: Path) -> None:
    before = snapshot()
    export = export_job(bpy.context, options(tmp_path))
    next(export)
    changed = differences(before, snapshot())
    export.close()
    expected = (
        "frame_",
        "view_layers",
        "location",
        "rotation",
        "matrix",
        "custom",
        "seed",
        "dof",
        "camera",
        "handlers",
    )
    assert [path for path in changed if not any(word in path for word in expected)] == []


@pytest.mark.parametrize("when", [1, 3])
def test_after_an_error(rich: bpy.types.Scene, tmp_path: Path, when: int) -> None:
    """A folder in the place of a frame's file, so that the frame cannot be put there."""
    (tmp_path / "job" / "passes" / f"{when:04d}.exr").mkdir(parents=True)
    before = snapshot()
    with pytest.raises(WarpnoiseError, match=f"{when:04d}.exr"):
        list(export_job(bpy.context, options(tmp_path)))
    assert differences(before, snapshot()) == {}


def test_after_a_refusal(rich: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.data.cameras["Other"].type = "PANO"
    before = snapshot()
    with pytest.raises(ExportError, match="'Other', whose lens is of type PANO"):
        export_job(bpy.context, options(tmp_path))
    assert differences(before, snapshot()) == {}
    assert not (tmp_path / "job").exists()


def test_with_given_frames(rich: bpy.types.Scene, tmp_path: Path) -> None:
    list(export_job(bpy.context, options(tmp_path)))
    before = snapshot()
    given = options(
        tmp_path / "again", color_source=tmp_path / "job" / "color", passes_source=tmp_path / "job" / "passes"
    )
    assert len(list(export_job(bpy.context, given))) == 4
    assert differences(before, snapshot()) == {}


def test_a_colour_space_that_was_never_chosen_is_not_asked_for(
    scene: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Blender prints a warning when it has no name for it."""
    assert compat.colorspace_name(scene.render.image_settings.linear_colorspace_settings) == ""
    for _ in export_job(bpy.context, ExportOptions(tmp_path / "job", 1, 1)):
        pass
    said = capfd.readouterr()
    assert "matches no enum" not in said.out + said.err
