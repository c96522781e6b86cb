"""Builds the demo's scene. Runs inside Blender, or in a Python that has the bpy wheel, and imports nothing else.

    blender --background --factory-startup --python-exit-code 1 --python scene.py -- scene.blend
    python scene.py scene.blend

The scene is a small court in flat colours, like an artist's blockout. A tower of blocks turns on its pedestal, a
boulder rolls past in front of it, the ground is paved in two tones, trees, a house and hills stand behind, and the
camera moves past everything. So the noise must cope with rotation, parallax, occlusion, and a sky that has no surface.
"""

from __future__ import annotations

import argparse
import math
import random
import sys

import bpy

Vector = tuple[float, float, float]
Colour = tuple[float, float, float]

STONE, PALE_STONE = (0.30, 0.29, 0.27), (0.52, 0.48, 0.42)
PAVING, PAVING_DARK = (0.33, 0.31, 0.29), (0.19, 0.18, 0.18)
BRICK, ROOF, WOOD = (0.34, 0.10, 0.055), (0.13, 0.075, 0.06), (0.26, 0.12, 0.04)
LEAF, LEAF_DARK, AUTUMN, MEADOW = (0.07, 0.19, 0.03), (0.035, 0.11, 0.03), (0.36, 0.13, 0.02), (0.13, 0.20, 0.05)
OCHRE, CLAY = (0.50, 0.26, 0.06), (0.42, 0.13, 0.06)
SKY, SHADE = (0.36, 0.55, 0.80), (0.34, 0.36, 0.40)


def build(frames: int, size: int) -> None:
    """The whole scene in an empty file: ``frames`` frames from 1, ``size`` x ``size`` pixels."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.render.fps = 1, frames, 24
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 32, False  # not every Blender is built with the denoiser
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"

    _ground()
    _tower(frames)
    _boulder(frames)
    _house((4.6, 8.6, 0.0))
    _surroundings()
    _light()
    _camera(frames)
    scene.frame_set(1)


# --- what stands in it -----------------------------------------------------------------------------------------------


def _ground() -> None:
    """A meadow, and on it the paved court: slabs of two tones, laid in a half-drop pattern."""
    _thing("Meadow", _box_mesh((60, 60, 0.2)), MEADOW, (0, 10, -0.22))
    slab, rows, columns = 1.1, 13, 16
    for tone, colour in enumerate((PAVING, PAVING_DARK)):
        corners: list[Vector] = []
        for row in range(rows):
            for column in range(columns):
                if (column + row // 2) % 2 == tone:
                    x, y = (column - columns / 2 + 0.5 * (row % 2)) * slab, (row - 5.5) * slab
                    corners += [(x, y, 0), (x + slab, y, 0), (x + slab, y + slab, 0), (x, y + slab, 0)]
        faces = [tuple(range(i, i + 4)) for i in range(0, len(corners), 4)]
        _thing(f"Paving {'dark' if tone else 'light'}", _mesh(corners, faces), colour, (0, 0, 0))


def _tower(frames: int) -> None:
    """The object that turns: blocks of different colours on top of each other, each twisted against the one below."""
    pedestal = [(1.02, 0.0), (1.02, 0.14), (0.86, 0.2), (0.8, 0.46), (0.94, 0.54)]
    _thing("Pedestal", _turned_mesh(pedestal, 24), PALE_STONE)
    hub = bpy.data.objects.new("Tower", None)
    bpy.context.collection.objects.link(hub)
    hub.location = (0, 0, 0.54)
    height = 0.0
    blocks = [(1.18, 0.62, BRICK), (0.98, 0.52, OCHRE), (0.8, 0.5, STONE), (0.62, 0.42, CLAY)]
    for index, (width, tall, colour) in enumerate(blocks):
        block = _thing(f"Block {index + 1}", _box_mesh((width, width, tall)), colour, (0, 0, height + tall / 2))
        block.rotation_euler.z = math.radians(24 * index)
        block.parent = hub
        height += tall
    ball = _thing("Finial", _ball_mesh(0.3, 3), PALE_STONE, (0.0, 0, height + 0.26), smooth=True)
    ball.parent = hub
    for frame, done in _times(frames):
        hub.rotation_euler.z = math.radians(10 + 92 * done)
        hub.keyframe_insert("rotation_euler", frame=frame)


def _boulder(frames: int) -> None:
    """What passes before the tower: it rolls across the court, turning as far as it moves."""
    radius = 0.46
    boulder = _thing("Boulder", _ball_mesh(radius, 2, rough=0.12), STONE, (0, 0, 0))
    for frame, done in _times(frames):
        x = _between(-2.4, 1.7, done)
        boulder.location = (x, -1.7, radius * 0.96)
        boulder.rotation_euler.y = x / radius
        boulder.keyframe_insert("location", frame=frame)
        boulder.keyframe_insert("rotation_euler", frame=frame)


def _house(place: Vector) -> None:
    x, y, _ = place
    _thing("House", _box_mesh((3.6, 2.6, 2.2)), BRICK, (x, y, 1.1))
    w, d, h = 2.05, 1.6, 1.5
    roof = [(-w, -d, 0), (w, -d, 0), (w, d, 0), (-w, d, 0), (-w, 0, h), (w, 0, h)]
    faces = [(0, 1, 5, 4), (2, 3, 4, 5), (0, 4, 3), (1, 2, 5), (0, 3, 2, 1)]
    _thing("Roof", _mesh(roof, faces), ROOF, (x, y, 2.2))
    _thing("Door", _box_mesh((0.8, 0.1, 1.5)), WOOD, (x - 0.7, y - 1.32, 0.75))
    _thing("Window", _box_mesh((0.8, 0.1, 0.7)), SHADE, (x + 0.8, y - 1.32, 1.3))


def _surroundings() -> None:
    """Trees around the court, a low wall, barrels, and hills on the horizon."""
    trees = [
        (-3.9, 4.6, 1.35, LEAF),
        (-6.6, 7.4, 1.7, LEAF_DARK),
        (-1.6, 9.4, 1.5, AUTUMN),
        (1.4, 10.6, 1.7, LEAF),
        (8.4, 7.0, 1.6, LEAF_DARK),
        (4.4, 3.4, 1.05, AUTUMN),
        (-9.6, 10.6, 2.0, LEAF),
        (12.0, 11.5, 2.0, LEAF),
    ]
    for index, (x, y, size, colour) in enumerate(trees):
        _thing(f"Trunk {index + 1}", _turned_mesh([(0.16 * size, 0.0), (0.1 * size, 1.3 * size)], 8), WOOD, (x, y, 0))
        crown = _ball_mesh(0.92 * size, 3, rough=0.16, seed=index)
        _thing(f"Crown {index + 1}", crown, colour, (x, y, 1.75 * size))
    _thing("Low wall", _box_mesh((5.0, 0.5, 0.9)), STONE, (-3.4, 6.4, 0.45))
    barrel = [(0.3, 0.0), (0.38, 0.25), (0.4, 0.42), (0.38, 0.6), (0.3, 0.85)]
    for index, (x, y) in enumerate([(-2.3, 2.3), (-1.45, 2.75), (2.6, 1.9)]):
        _thing(f"Barrel {index + 1}", _turned_mesh(barrel, 20), WOOD, (x, y, 0))
    for index, (x, y, wide, tall) in enumerate([(-15, 30, 13, 3.6), (3, 34, 15, 4.6), (20, 30, 12, 3.4)]):
        hill = _thing(f"Hill {index + 1}", _ball_mesh(1.0, 3, rough=0.05, seed=20 + index), LEAF_DARK, (x, y, -0.3))
        hill.scale = (wide, 5, tall)


def _light() -> None:
    lamp = bpy.data.lights.new("Sun", "SUN")
    lamp.energy, lamp.color, lamp.angle = 3.0, (1.0, 0.93, 0.82), math.radians(3)
    sun = bpy.data.objects.new("Sun", lamp)
    sun.rotation_euler = (math.radians(48), 0, math.radians(-38))
    bpy.context.collection.objects.link(sun)

    world = bpy.data.worlds.new("Sky")
    bpy.context.scene.world = world
    if world.node_tree is None:  # always there from Blender 5.0 on
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    shade, sky = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeBackground")
    shade.inputs["Color"].default_value = (*SHADE, 1)  # what lights the shadows ...
    sky.inputs["Color"].default_value = (*SKY, 1)  # ... and what the camera sees
    mix, path = nodes.new("ShaderNodeMixShader"), nodes.new("ShaderNodeLightPath")
    links.new(path.outputs["Is Camera Ray"], mix.inputs[0])
    links.new(shade.outputs[0], mix.inputs[1])
    links.new(sky.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], nodes.new("ShaderNodeOutputWorld").inputs["Surface"])


def _camera(frames: int) -> None:
    """Past the tower from left to right, rising a little, and turning so that the tower stays in the picture."""
    aim = bpy.data.objects.new("Aim", None)
    bpy.context.collection.objects.link(aim)
    lens = bpy.data.cameras.new("Camera")
    lens.lens = 30
    camera = bpy.data.objects.new("Camera", lens)
    bpy.context.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    follow = camera.constraints.new("TRACK_TO")
    follow.target, follow.track_axis, follow.up_axis = aim, "TRACK_NEGATIVE_Z", "UP_Y"
    for frame, done in _times(frames):
        camera.location = (_between(-3.2, 3.2, done), -5.2, _between(1.7, 2.5, done))
        aim.location = (_between(-1.3, 1.15, done), 0, _between(1.3, 1.2, done))
        camera.keyframe_insert("location", frame=frame)
        aim.keyframe_insert("location", frame=frame)


def _times(frames: int) -> list[tuple[int, float]]:
    """Every frame with the part of the animation that is over, 0 to 1: a key on each makes the motion even."""
    return [(frame, (frame - 1) / max(frames - 1, 1)) for frame in range(1, frames + 1)]


def _between(start: float, end: float, done: float) -> float:
    return start + (end - start) * done


# --- meshes and materials --------------------------------------------------------------------------------------------


def _thing(
    name: str, mesh: bpy.types.Mesh, colour: Colour, place: Vector = (0, 0, 0), smooth: bool = False
) -> bpy.types.Object:
    """An object in one flat colour."""
    mesh.name = name
    mesh.materials.append(_material(colour))
    for polygon in mesh.polygons:
        polygon.use_smooth = smooth
    thing = bpy.data.objects.new(name, mesh)
    thing.location = place
    thing.color = (*colour, 1)  # the same in Workbench and in the viewport
    bpy.context.collection.objects.link(thing)
    return thing


def _material(colour: Colour) -> bpy.types.Material:
    name = "#" + "".join(f"{round(255 * channel):02x}" for channel in colour)
    material = bpy.data.materials.get(name)
    if material is None:
        material = bpy.data.materials.new(name)
        material.diffuse_color = (*colour, 1)
        if material.node_tree is None:
            material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        nodes.clear()
        matte, output = nodes.new("ShaderNodeBsdfDiffuse"), nodes.new("ShaderNodeOutputMaterial")
        matte.inputs["Color"].default_value = (*colour, 1)
        links.new(matte.outputs[0], output.inputs["Surface"])
    return material


def _mesh(corners: list[Vector], faces: list[tuple[int, ...]]) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new("mesh")
    mesh.from_pydata(corners, [], faces)
    return mesh


def _box_mesh(size: Vector) -> bpy.types.Mesh:
    x, y, z = (extent / 2 for extent in size)
    corners = [(i * x, j * y, k * z) for k in (-1, 1) for j in (-1, 1) for i in (-1, 1)]
    return _mesh(corners, [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)])


def _turned_mesh(profile: list[tuple[float, float]], sides: int) -> bpy.types.Mesh:
    """What a lathe makes of (radius, height) pairs from bottom to top."""
    turns = [2 * math.pi * side / sides for side in range(sides)]
    corners = [(r * math.cos(t), r * math.sin(t), z) for r, z in profile for t in turns]
    faces: list[tuple[int, ...]] = [tuple(range((len(profile) - 1) * sides, len(profile) * sides))]
    for ring in range(len(profile) - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            faces.append((a, b, b + sides, a + sides))
    return _mesh(corners, faces)


def _ball_mesh(radius: float, subdivisions: int, rough: float = 0.0, seed: int = 0) -> bpy.types.Mesh:
    """A ball of triangles, each corner moved in or out by up to ``rough`` of the radius."""
    chance = random.Random(seed)
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions, radius=radius)
    ball = bpy.context.active_object
    mesh = ball.data
    bpy.data.objects.remove(ball)
    for corner in mesh.vertices:
        corner.co *= 1 + rough * chance.uniform(-1, 1)
    return mesh


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scene.py", description="Builds the demo's scene and saves it.")
    parser.add_argument("blend", help="the .blend file to write")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=256, help="pixels of the picture's sides")
    options = parser.parse_args(arguments)
    build(options.frames, options.size)
    bpy.ops.wm.save_as_mainfile(filepath=options.blend, compress=True)


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])
