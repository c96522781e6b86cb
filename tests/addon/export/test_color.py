"""The exported colour: 16 bits, as the viewer sees it, through the user's compositor but never our own result."""

from __future__ import annotations

import ctypes.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from .export_scenes import add_mesh, degrees, new_material
from .png_pixels import read_png
from .test_scene_unchanged import new_compositor, output_socket


@pytest.fixture
def glowing(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A square that emits (0.5, 0.25, 0.05), seen as the middle of the picture; no world."""
    plane = add_mesh(scene, "plane", "Plane", size=2, rotation=degrees(90, 0, 0))
    material = new_material("Glow")
    tree = material.node_tree
    emission = tree.nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (0.5, 0.25, 0.05, 1.0)
    tree.links.new(emission.outputs[0], tree.get_output_node("CYCLES").inputs["Surface"])
    plane.data.materials.append(material)
    scene.view_settings.view_transform = "Standard"
    scene.render.dither_intensity = 0.0
    return scene


@pytest.fixture
def color(export: Callable, tmp_path: Path) -> Callable[[], np.ndarray]:
    def run(**options: object) -> np.ndarray:
        export(1, 1, **options)
        return read_png(tmp_path / "job" / "color" / "0001.png")

    return run


def srgb(linear: tuple[float, ...]) -> np.ndarray:
    values = np.array(linear)
    return 65535 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def test_16_bits_after_the_view_transform(glowing: bpy.types.Scene, color: Callable) -> None:
    pixels = color()
    assert (pixels.shape, pixels.dtype) == ((64, 64, 3), np.uint16)
    np.testing.assert_allclose(pixels[32, 32], srgb((0.5, 0.25, 0.05)), atol=8)
    assert not pixels[0, 0].any()


def test_the_view_s_exposure(glowing: bpy.types.Scene, color: Callable) -> None:
    glowing.view_settings.exposure = -1.0
    np.testing.assert_allclose(color()[32, 32], srgb((0.25, 0.125, 0.025)), atol=8)


def test_the_files_own_colour_management_is_not_the_viewer_s(glowing: bpy.types.Scene, color: Callable) -> None:
    settings = glowing.render.image_settings
    settings.color_management = "OVERRIDE"
    settings.view_settings.exposure = 3.0
    np.testing.assert_allclose(color()[32, 32], srgb((0.5, 0.25, 0.05)), atol=8)
    assert settings.view_settings.exposure == 3.0


def test_transparent_film(glowing: bpy.types.Scene, color: Callable, tmp_path: Path) -> None:
    glowing.render.film_transparent = True
    pixels = color()
    assert pixels.shape == (64, 64, 4)
    assert (pixels[32, 32, 3], pixels[0, 0, 3]) == (65535, 0)
    assert json.loads((tmp_path / "job" / "job.json").read_text())["scene"]["transparent"] is True


def test_the_user_s_compositor_applies(glowing: bpy.types.Scene, color: Callable) -> None:
    tree = new_compositor(glowing)
    layers, exposure = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeExposure")
    exposure.inputs["Exposure"].default_value = -1.0
    tree.links.new(layers.outputs["Image"], exposure.inputs["Image"])
    tree.links.new(exposure.outputs[0], output_socket(tree))
    np.testing.assert_allclose(color()[32, 32], srgb((0.25, 0.125, 0.025)), atol=8)


@pytest.mark.parametrize("nested", [False, True])
def test_stylized_frames_are_not_fed_back(glowing: bpy.types.Scene, color: Callable, nested: bool) -> None:
    """A group that brings stylized frames back is passed by, wherever it is."""
    group = bpy.data.node_groups.new("Stylized", "CompositorNodeTree")
    group["warpnoise_job"] = "job"
    group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    red = group.nodes.new("CompositorNodeExposure")
    red.inputs["Exposure"].default_value = 3.0
    group.links.new(group.nodes.new("NodeGroupInput").outputs[0], red.inputs["Image"])
    group.links.new(red.outputs[0], group.nodes.new("NodeGroupOutput").inputs[0])
    if nested:
        outer = bpy.data.node_groups.new("Outer", "CompositorNodeTree")
        outer.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
        outer.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        inner = outer.nodes.new("CompositorNodeGroup")
        inner.node_tree = group
        outer.links.new(outer.nodes.new("NodeGroupInput").outputs[0], inner.inputs[0])
        outer.links.new(inner.outputs[0], outer.nodes.new("NodeGroupOutput").inputs[0])
        group = outer
    tree = new_compositor(glowing)
    layers, node = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeGroup")
    node.node_tree = group
    tree.links.new(layers.outputs["Image"], node.inputs[0])
    tree.links.new(node.outputs[0], output_socket(tree))
    np.testing.assert_allclose(color()[32, 32], srgb((0.5, 0.25, 0.05)), atol=8)
    assert not node.mute


def test_file_output_nodes_write_nothing(glowing: bpy.types.Scene, color: Callable, tmp_path: Path) -> None:
    tree = new_compositor(glowing)
    layers, files = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    folder = tmp_path / "theirs"
    if hasattr(files, "directory"):  # from 5.0
        files.directory = str(folder)
        files.file_output_items.new("RGBA", "Image")
    else:
        files.base_path = str(folder)
    tree.links.new(layers.outputs["Image"], files.inputs[0])
    tree.links.new(layers.outputs["Image"], output_socket(tree))
    color()
    assert not folder.exists()
    assert not files.mute


@pytest.mark.parametrize("name", ["with {braces}", "shot #4", "Würfel ボール", "a.b.exr"])
def test_names_of_folders(glowing: bpy.types.Scene, tmp_path: Path, name: str) -> None:
    from warpnoise_addon.export import ExportOptions, export_job

    (done,) = export_job(bpy.context, ExportOptions(tmp_path / name / "job", 1, 1))
    assert done.color == tmp_path / name / "job" / "color" / "0001.png"
    assert done.color.is_file()
    assert done.passes.is_file()


@pytest.mark.skipif(
    sys.platform == "linux" and ctypes.util.find_library("EGL") is None,
    reason="Workbench needs OpenGL, also in software",
)
def test_workbench(glowing: bpy.types.Scene, color: Callable, tmp_path: Path) -> None:
    from .exr_passes import read_passes

    glowing.render.engine = "BLENDER_WORKBENCH"
    glowing.display.shading.light = "FLAT"
    glowing.display.shading.color_type = "SINGLE"
    glowing.display.shading.single_color = (0.5, 0.25, 0.05)
    np.testing.assert_allclose(color()[32, 32], srgb((0.5, 0.25, 0.05)), atol=400)
    assert read_passes(tmp_path / "job" / "passes" / "0001.exr").shown() == {"Plane"}
    assert glowing.render.engine == "BLENDER_WORKBENCH"
