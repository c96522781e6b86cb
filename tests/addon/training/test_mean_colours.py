"""The colours of the training data's plain twins. It needs Cycles, and so stands with the tests that run in Blender."""

from __future__ import annotations

import math

import bpy
import pytest

from training import materials, scenes
from training.node_graph import NodeGraph
from training.render_dataset import give_mean_colours

RECIPE = (0.1, 0.2, 0.3, 1.0)


def square(name: str, x: float, size: float, colour: object) -> bpy.types.Object:
    """An upright square that faces the camera; its material is textured unless ``colour`` is one."""
    mesh = bpy.data.meshes.new(name)
    s = size / 2
    mesh.from_pydata([(-s, 0, -s), (s, 0, -s), (s, 0, s), (-s, 0, s)], [], [(0, 1, 2, 3)])
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(thing)
    thing.location, thing.color = (x, 0, 0), RECIPE
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    graph = NodeGraph(material.node_tree)
    if colour is None:
        colour = graph.add("TexChecker", Color1=(0.8, 0.4, 0.0), Color2=(0.0, 0.2, 0.6), Scale=8.0).outputs["Color"]
    materials._surface(graph, colour, 0.5)
    mesh.materials.append(material)
    return thing


@pytest.mark.filterwarnings("ignore:.*use_nodes:DeprecationWarning")  # in 5.0; 4.2 needs it
def test_objects_get_the_mean_of_their_material() -> None:
    """Without any light: it is the material's own colour. What is hardly seen keeps its recipe's."""
    built = scenes.build(1, views=1)
    for thing in list(bpy.data.objects):
        if thing.type == "MESH":
            bpy.data.objects.remove(thing)
    checked, even = square("checked", -1.0, 1.6, None), square("even", 1.0, 1.0, (0.5, 0.25, 0.125))
    speck = square("speck", 0.0, 0.1, (1.0, 1.0, 1.0))
    scene = bpy.context.scene
    scene.render.engine, scene.render.resolution_x, scene.render.resolution_y = "CYCLES", 64, 64
    scene.camera = built.cameras[0]
    scene.camera.location, scene.camera.rotation_euler = (0, -5, 0), (math.pi / 2, 0, 0)
    scene.camera.data.lens = 40.0
    bpy.context.view_layer.update()
    give_mean_colours(scene, built)
    assert tuple(even.color) == pytest.approx((0.5, 0.25, 0.125, 1.0), abs=1e-3)
    assert tuple(checked.color) == pytest.approx((0.4, 0.3, 0.3, 1.0), abs=0.06)
    assert tuple(speck.color) == pytest.approx(RECIPE)
    outputs = [n for n in checked.active_material.node_tree.nodes if n.type == "OUTPUT_MATERIAL"]
    active = [n.name == materials.ALBEDO for n in outputs if n.is_active_output]
    assert active == [False], "the material is shaded again"
