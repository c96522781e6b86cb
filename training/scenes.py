"""One random scene from one seed: shapes, materials, ground, walls, light and cameras, and its plain twin."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import bpy
from mathutils import Vector

from training import materials, shapes
from training.materials import blend, hsv
from training.node_graph import Colour, NodeGraph


@dataclass(frozen=True)
class BuiltScene:
    """The inputs of the renderer: the worlds and materials of each kind of picture, the lamps of all, and the views.

    The plain twin has the same light, as an artist's blocked-out scene has. With other lamps, shadows and shading of
    the plain picture would not predict those of the rich one.
    """

    layout: str
    rich_world: bpy.types.World
    plain_world: bpy.types.World
    lamps: tuple[bpy.types.Object, ...]
    plain_material: bpy.types.Material
    depth_material: bpy.types.Material
    index_material: bpy.types.Material
    empty_world: bpy.types.World
    cameras: tuple[bpy.types.Object, ...]
    exposure: float
    """In stops, of the rich pictures."""
    plain_exposure: float


def build(seed: int, views: int) -> BuiltScene:
    """Empties the file and builds the scene of `seed` with `views` cameras."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rng = random.Random(seed)
    layout = rng.choice(["scatter", "scatter", "stack", "hero", "hero", "still_life", "landscape", "corner"])
    focus = _LAYOUTS[layout](rng)
    horizon = hsv(rng.random(), rng.uniform(0.05, 0.6), rng.uniform(0.35, 0.95))
    light = _light(rng, horizon)
    gain = rng.uniform(0.95, 1.25) / light.brightness
    red, green, blue = (c / gain for c in blend(horizon, (0.5, 0.5, 0.5), rng.uniform(0.1, 0.5)))
    return BuiltScene(
        layout=layout,
        rich_world=light.world,
        plain_world=_plain_world(light.world, (red, green, blue)),
        lamps=light.lamps,
        plain_material=_plain_material(),
        depth_material=_depth_material(),
        index_material=_index_material(),
        empty_world=_empty_world(),
        cameras=tuple(_camera(rng, focus, layout) for _ in range(views)),
        exposure=light.exposure,
        plain_exposure=math.log2(gain),
    )


# --- what stands in it ---


def _dress(thing: bpy.types.Object, names: tuple[str, ...], rng: random.Random) -> bpy.types.Object:
    """Gives an object a random material from `names`, and its mean colour for the plain twin."""
    material, mean = materials.build(rng.choice(names), rng)
    thing.data.materials.append(material)
    thing.color = (*mean, 1.0)
    return thing


def _ground(rng: random.Random, names: tuple[str, ...] = materials.FLOORS, size: float = 40.0) -> None:
    mesh = bpy.data.meshes.new("ground")
    s = size / 2
    mesh.from_pydata([(-s, -s, 0), (s, -s, 0), (s, s, 0), (-s, s, 0)], [], [(0, 1, 2, 3)])
    ground = bpy.data.objects.new("ground", mesh)
    bpy.context.collection.objects.link(ground)
    ground.rotation_euler.z = rng.uniform(0, math.pi)
    _dress(ground, names, rng)


def _wall(rng: random.Random, distance: float, turn: float) -> None:
    mesh = bpy.data.meshes.new("wall")
    mesh.from_pydata([(-12, 0, 0), (12, 0, 0), (12, 0, 9), (-12, 0, 9)], [], [(0, 1, 2, 3)])
    wall = bpy.data.objects.new("wall", mesh)
    bpy.context.collection.objects.link(wall)
    wall.location = (-math.sin(turn) * distance, math.cos(turn) * distance, 0.0)
    wall.rotation_euler.z = turn
    _dress(wall, materials.WALLS, rng)


def _put(thing: bpy.types.Object, x: float, y: float, z: float, size: float, rng: random.Random) -> bpy.types.Object:
    thing.location = (x, y, z)
    thing.scale = (size,) * 3
    thing.rotation_euler.z = rng.uniform(0, 2 * math.pi)
    return thing


def _shape(rng: random.Random) -> bpy.types.Object:
    return _dress(rng.choice(shapes.SHAPES)(rng), materials.OBJECTS, rng)


def _height(thing: bpy.types.Object) -> float:
    bpy.context.view_layer.update()
    return max((thing.matrix_world @ Vector(c)).z for c in thing.bound_box)


def _scatter(rng: random.Random) -> Vector:
    """Objects of many sizes, which dart throwing keeps apart."""
    _ground(rng)
    if rng.random() < 0.4:
        _wall(rng, rng.uniform(3.0, 5.0), 0.0)
    placed: list[tuple[float, float, float]] = []
    for _ in range(rng.randint(40, 90)):
        size = rng.uniform(0.4, 1.5)
        x, y = rng.uniform(-3.2, 3.2), rng.uniform(-2.6, 2.8)
        if all(math.hypot(x - a, y - b) > 0.55 * (size + s) for a, b, s in placed):
            placed.append((x, y, size))
            _put(_shape(rng), x, y, 0.0, size, rng)
        if len(placed) >= 14:
            break
    return Vector((0, 0, 0.4))


def _stack(rng: random.Random) -> Vector:
    _ground(rng)
    if rng.random() < 0.5:
        _wall(rng, rng.uniform(2.0, 4.0), 0.0)
    for i in range(rng.randint(1, 3)):
        z, x = 0.0, (i - 0.8) * 1.4
        y, size = rng.uniform(-0.6, 0.6), rng.uniform(0.8, 1.2)
        for _ in range(rng.randint(2, 4)):
            thing = _dress(rng.choice(shapes.STACKABLE)(rng), materials.OBJECTS, rng)
            z = _height(_put(thing, x + rng.uniform(-0.06, 0.06), y, z, size, rng))
            size *= rng.uniform(0.65, 0.9)
    return Vector((0, 0, 0.8))


def _hero(rng: random.Random) -> Vector:
    """A large object, which may be raised and tilted, before a coloured world or a wall, and another one beside it."""
    _ground(rng)
    if rng.random() < 0.35:
        _wall(rng, rng.uniform(1.6, 4.0), 0.0)
    thing = _put(_shape(rng), 0, 0, rng.choice([0.0, 0.3]), rng.uniform(1.3, 2.0), rng)
    thing.rotation_euler.x += rng.choice([0.0, 0.0, rng.uniform(-0.5, 0.5)])
    for _ in range(rng.randint(0, 2)):
        angle = rng.uniform(0, 2 * math.pi)
        _put(
            _shape(rng),
            1.7 * math.cos(angle),
            1.7 * math.sin(angle),
            rng.choice([0.0, 0.8]),
            rng.uniform(0.4, 0.9),
            rng,
        )
    return Vector((0, 0, 0.7))


def _still_life(rng: random.Random) -> Vector:
    """Vessels, fruit and boxes close together on a table before a wall."""
    _ground(rng, ("planks", "wood", "fabric", "marble", "terrazzo", "tiles", "concrete"))
    _wall(rng, rng.uniform(1.2, 2.5), rng.uniform(-0.2, 0.2))
    for i in range(rng.randint(4, 7)):
        shape = rng.choice(
            (shapes.turned, shapes.turned, shapes.ball, shapes.ball, shapes.box, shapes.rock, shapes.ring)
        )
        names = ("fabric", "tiles", "wood", "leather", "marble", "terrazzo", "rust")
        x = (i - 2.5) * 0.55 + rng.uniform(-0.1, 0.1)
        _put(_dress(shape(rng), names, rng), x, rng.uniform(-0.7, 0.5), 0.0, rng.uniform(0.45, 1.2), rng)
    return Vector((0, 0, 0.4))


def _landscape(rng: random.Random) -> Vector:
    """Trees, rocks and buildings on open ground under the sky."""
    _ground(rng, ("grass", "grass", "earth", "cobbles"), 60.0)
    for _ in range(rng.randint(6, 14)):
        x, y = rng.uniform(-4, 4), rng.uniform(-2, 6)
        kind = rng.random()
        if kind < 0.5:
            size = rng.uniform(0.7, 1.6)
            trunk = rng.uniform(0.4, 1.0)
            stem = shapes.column(rng)
            _put(_dress(stem, ("wood", "earth"), rng), x, y, 0.0, trunk, rng)
            stem.scale = (0.18 * size, 0.18 * size, trunk)
            _put(_dress(shapes.crown(rng), ("foliage",), rng), x, y, trunk * 0.7, size, rng)
        elif kind < 0.75:
            _put(
                _dress(shapes.rock(rng), ("cobbles", "concrete", "marble", "earth"), rng),
                x,
                y,
                -0.08,
                rng.uniform(0.4, 1.3),
                rng,
            )
        else:
            names = ("brick", "planks", "concrete", "cobbles", "tiles")
            _put(_dress(shapes.building(rng), names, rng), x, y, 0.0, rng.uniform(1.0, 1.8), rng)
    return Vector((0, 0.8, 0.6))


def _corner(rng: random.Random) -> Vector:
    """The corner of a room with furniture."""
    _ground(rng, ("planks", "tiles", "fabric", "terrazzo", "marble", "wood"))
    _wall(rng, 1.8, 0.0)
    _wall(rng, 2.2, rng.choice([-1, 1]) * math.pi / 2)
    for i in range(rng.randint(2, 5)):
        shape = rng.choice((shapes.furniture, shapes.box, shapes.turned, shapes.ball, shapes.building))
        thing = _dress(shape(rng), materials.OBJECTS, rng)
        _put(thing, (i - 1.5) * 0.8, rng.uniform(-0.6, 1.0), 0.0, rng.uniform(0.7, 1.3), rng)
    return Vector((0, 0.2, 0.6))


_LAYOUTS = {
    "scatter": _scatter, "stack": _stack, "hero": _hero,
    "still_life": _still_life, "landscape": _landscape, "corner": _corner,
}  # fmt: skip


# --- light and lens ---


def _warmth(rng: random.Random) -> Colour:
    return rng.choice([(1.0, 0.78, 0.55), (1.0, 0.9, 0.78), (1.0, 1.0, 1.0), (0.75, 0.86, 1.0), (1.0, 0.62, 0.42)])


def _sun(name: str, rng: random.Random, strength: float, colour: Colour, angle: float) -> bpy.types.Object:
    lamp = bpy.data.lights.new(name, "SUN")
    lamp.energy, lamp.color, lamp.angle = strength, colour, angle
    made = bpy.data.objects.new(name, lamp)
    bpy.context.collection.objects.link(made)
    made.rotation_euler = (
        rng.uniform(0.4, 1.15),
        0.0,
        rng.uniform(-1.3, 1.3),
    )  # from the camera's side: y is away from it
    return made


def _area(name: str, rng: random.Random, power: float, colour: Colour, behind: bool = False) -> bpy.types.Object:
    lamp = bpy.data.lights.new(name, "AREA")
    lamp.energy, lamp.color, lamp.size = power, colour, rng.uniform(0.8, 3.0)
    made = bpy.data.objects.new(name, lamp)
    bpy.context.collection.objects.link(made)
    turn = rng.uniform(-1.2, 1.2) + (math.pi if behind else 0.0)
    place = Vector((4 * math.sin(turn), -4 * math.cos(turn), rng.uniform(2.5, 5.0)))
    made.location = place
    made.rotation_euler = (Vector((0, 0, 0.4)) - place).to_track_quat("-Z", "Y").to_euler()
    return made


@dataclass(frozen=True)
class _Light:
    world: bpy.types.World
    lamps: tuple[bpy.types.Object, ...]
    """The key comes first."""
    exposure: float
    """In stops, of the rich pictures."""
    brightness: float
    """About the radiance of a white, matte surface that faces the key and the sky."""


def _light(rng: random.Random, horizon: Colour) -> _Light:
    """Sun and sky, studio lights, or an overcast or coloured dome."""
    lamps, (world, sky), exposure = _lamps_and_sky(rng, horizon)
    lamp = lamps[0].data
    # On its axis an area lamp gives an irradiance of its power over pi d^2; a matte surface's radiance is that over pi.
    key = lamp.energy if lamp.type == "SUN" else lamp.energy / (math.pi * lamps[0].location.length_squared)
    return _Light(world, lamps, exposure, key / math.pi + sky)


def _lamps_and_sky(
    rng: random.Random, horizon: Colour
) -> tuple[tuple[bpy.types.Object, ...], tuple[bpy.types.World, float], float]:
    kind = rng.choice(["sun", "sun", "studio", "studio", "dome"])
    if kind == "sun":
        sun = _sun("sun", rng, rng.uniform(3.0, 5.5), _warmth(rng), math.radians(rng.uniform(0.5, 8.0)))
        return (sun,), _sky(rng, horizon, rng.uniform(0.5, 1.0)), rng.uniform(-0.3, 0.3)
    if kind == "studio":
        lights = [
            _area("key", rng, rng.uniform(250, 500), _warmth(rng)),
            _area("fill", rng, rng.uniform(40, 140), _warmth(rng)),
        ]
        if rng.random() < 0.6:
            lights.append(_area("rim", rng, rng.uniform(150, 350), _warmth(rng), behind=True))
        return tuple(lights), _sky(rng, horizon, rng.uniform(0.15, 0.5)), rng.uniform(0.0, 0.5)
    sky = _sky(rng, horizon, rng.uniform(0.9, 1.4))
    return (_area("key", rng, rng.uniform(80, 250), _warmth(rng)),), sky, rng.uniform(0.0, 0.4)


def _sky(rng: random.Random, horizon: Colour, strength: float) -> tuple[bpy.types.World, float]:
    """A dome from ground colour to the zenith, with clouds, and one bright soft window for glossy things to reflect;
    and the approximate radiance of a white, matte surface under it."""
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    g = NodeGraph(world.node_tree)
    direction = g.add("TexCoord").outputs["Generated"]
    up = g.add("SeparateXYZ", Vector=direction).outputs["Z"]
    zenith = blend(horizon, hsv(rng.choice([0.58, 0.6, rng.random()]), 0.6, 0.7), rng.uniform(0.3, 0.9))
    below = blend(horizon, (0.1, 0.09, 0.08), 0.6)
    elevation = g.math("ADD", g.math("MULTIPLY", up, 0.5), 0.5)
    dome = g.ramp(elevation, [(0.42, below), (0.5, horizon), (0.56, blend(horizon, zenith, 0.4)), (0.85, zenith)])
    clouds = g.step(
        g.noise(g.scale(direction, (1.0, 1.0, 3.0)), rng.uniform(1.5, 3.0), 7.0), rng.uniform(0.45, 0.55), 0.75
    )
    dome = g.mix(g.math("MULTIPLY", clouds, rng.choice([0.0, 0.5, 0.8])), dome, (0.95, 0.95, 0.95))
    turn = rng.uniform(0, 2 * math.pi)
    facing = g.vector("DOT_PRODUCT", direction, (0.75 * math.cos(turn), 0.75 * math.sin(turn), 0.66))
    glow = rng.uniform(1.0, 6.0)
    window = g.math("MULTIPLY", g.step(facing, 0.9, 0.95), glow)
    dome = g.mix(1.0, dome, g.add("CombineColor", Red=window, Green=window, Blue=window).outputs[0], "ADD")
    g.add("OutputWorld", Surface=g.add("Background", Color=dome, Strength=strength).outputs[0])
    # Cycles tabulates a world to sample it; at the size that it picks itself, that takes longer than the picture.
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 128
    return world, strength * (0.5 + 0.15 * glow)  # the window takes up 0.47 steradians


def _plain_world(sky: bpy.types.World, colour: Colour) -> bpy.types.World:
    """A world with the sky's light that looks uniform to the camera."""
    world = sky.copy()
    g = NodeGraph(world.node_tree, clear=False)
    output, light = (
        next(n for n in world.node_tree.nodes if n.type == kind) for kind in ("OUTPUT_WORLD", "BACKGROUND")
    )
    seen = g.add("MixShader", Fac=g.add("LightPath").outputs["Is Camera Ray"])
    g.feed(seen.inputs[1], light.outputs[0])
    g.feed(seen.inputs[2], g.add("Background", Color=colour).outputs[0])
    g.feed(output.inputs["Surface"], seen.outputs[0])
    return world


def _plain_material() -> bpy.types.Material:
    """An override for the scene: a matte material with each object's viewport colour."""
    material = bpy.data.materials.new("plain")
    material.use_nodes = True
    g = NodeGraph(material.node_tree)
    g.add("OutputMaterial", Surface=g.add("BsdfDiffuse", Color=g.add("ObjectInfo").outputs["Color"]).outputs[0])
    return material


def _depth_material() -> bpy.types.Material:
    """An override for the scene that emits the reciprocal of the distance along the camera's axis."""
    material = bpy.data.materials.new("depth")
    material.use_nodes = True
    g = NodeGraph(material.node_tree)
    near = g.math("DIVIDE", 1.0, g.add("CameraData").outputs["View Z Depth"])
    g.add("OutputMaterial", Surface=g.add("Emission", Strength=near).outputs[0])
    return material


def _index_material() -> bpy.types.Material:
    """An override for the scene that emits each object's pass index."""
    material = bpy.data.materials.new("index")
    material.use_nodes = True
    g = NodeGraph(material.node_tree)
    index = g.add("ObjectInfo").outputs["Object Index"]
    g.add("OutputMaterial", Surface=g.add("Emission", Strength=index).outputs[0])
    return material


def _empty_world() -> bpy.types.World:
    world = bpy.data.worlds.new("empty")
    world.use_nodes = True
    g = NodeGraph(world.node_tree)
    g.add("OutputWorld", Surface=g.add("Background", Strength=0.0).outputs[0])
    return world


def _camera(rng: random.Random, focus: Vector, layout: str) -> bpy.types.Object:
    camera = bpy.data.cameras.new("camera")
    camera.lens = rng.choice([24.0, 35.0, 35.0, 50.0, 50.0, 85.0])
    made = bpy.data.objects.new("camera", camera)
    bpy.context.collection.objects.link(made)
    reach = {"hero": 3.0, "stack": 4.0, "scatter": 5.0, "still_life": 3.2, "landscape": 6.0, "corner": 4.2}[layout]
    distance = reach * (camera.lens / 40.0) ** 0.85 * rng.uniform(0.7, 1.15)
    turn, elevation = rng.uniform(-0.6, 0.6), rng.uniform(0.1, 0.75)
    target = focus + Vector((rng.uniform(-0.4, 0.4), rng.uniform(-0.3, 0.3), rng.uniform(-0.2, 0.2)))
    away = Vector((math.sin(turn) * math.cos(elevation), -math.cos(turn) * math.cos(elevation), math.sin(elevation)))
    made.location = target + away * distance
    made.location.z = max(made.location.z, 0.25)
    made.rotation_euler = (target - made.location).to_track_quat("-Z", "Y").to_euler()
    if rng.random() < 0.1:
        camera.dof.use_dof, camera.dof.focus_distance, camera.dof.aperture_fstop = True, distance, rng.uniform(1.2, 4.0)
    return made
