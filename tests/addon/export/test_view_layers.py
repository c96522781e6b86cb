"""The motion covers what the rendered view layers show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from .export_scenes import add_mesh
from .exr_passes import read_passes


@pytest.fixture
def three(scene: bpy.types.Scene) -> dict[str, bpy.types.LayerCollection]:
    """Three cubes side by side, each in a collection of its own; the layer collections of the first view layer."""
    for index, name in enumerate("ABC"):
        cube = add_mesh(scene, "cube", name, size=1.2, location=(2 * index - 2, 0, 0))
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
        scene.collection.objects.unlink(cube)
        collection.objects.link(cube)
    return {child.name: child for child in scene.view_layers[0].layer_collection.children}


@pytest.fixture
def shown(export: Callable, tmp_path: Path) -> Callable[[], set[str]]:
    def run() -> set[str]:
        export(1, 1)
        return read_passes(tmp_path / "job" / "passes" / "0001.exr").shown()

    return run


def test_one_layer(three: dict, shown: Callable) -> None:
    assert shown() == {"A", "B", "C"}


def test_excluded(three: dict, shown: Callable) -> None:
    three["B"].exclude = True
    assert shown() == {"A", "C"}


def test_child_of_an_excluded_collection(scene: bpy.types.Scene, three: dict, shown: Callable) -> None:
    inner = bpy.data.collections.new("Inner")
    bpy.data.collections["B"].children.link(inner)
    inner.objects.link(add_mesh(scene, "cube", "D", size=1.2, location=(0, 0, 2)))
    scene.collection.objects.unlink(bpy.data.objects["D"])
    three["B"].exclude = True
    three["B"].children["Inner"].exclude = False
    assert shown() == {"A", "C", "D"}


@pytest.mark.parametrize("flag", ["holdout", "indirect_only"])
def test_not_seen(three: dict, shown: Callable, flag: str) -> None:
    setattr(three["B"], flag, True)
    assert shown() == {"A", "C"}


def test_several_layers_together(scene: bpy.types.Scene, three: dict, shown: Callable) -> None:
    second = scene.view_layers.new("Second").layer_collection.children
    three["A"].exclude = True
    second["A"].holdout = True  # the only layer that has it
    three["B"].holdout = True  # the second shows it
    second["C"].exclude = True  # the first shows it
    assert shown() == {"B", "C"}


def test_layer_that_is_not_rendered(scene: bpy.types.Scene, three: dict, shown: Callable) -> None:
    scene.view_layers.new("Second").use = False
    three["A"].exclude = True
    assert shown() == {"B", "C"}


def test_material_override(scene: bpy.types.Scene, three: dict, shown: Callable) -> None:
    """The layer's override makes invisible what is opaque by itself."""
    from .export_scenes import new_material

    material = new_material("Invisible")
    tree = material.node_tree
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    tree.links.new(clear.outputs[0], tree.get_output_node("CYCLES").inputs["Surface"])
    scene.view_layers[0].material_override = material
    assert shown() == set()
