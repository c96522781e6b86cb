"""Procedural materials for the training scenes. Each builds a Cycles shader and estimates its mean colour.

All are three-dimensional textures in object space, so that any shape can have any material. Those in a plane (bricks,
tiles, planks, weave) are projected along the axis that a face is turned to.

Two choices suit SDEdit. Patterns are fine, because SDEdit adds only detail that is finer than its starting noise: the
flat input surface excludes patterns as coarse as the object. Each material has distinct colours (brick is red, foliage
green, cloth blue or violet, marble white), because a plain surface shows nothing else of its material.
"""

from __future__ import annotations

import colorsys
import random
from collections.abc import Callable

import bpy

from training.node_graph import Colour, NodeGraph

Recipe = Callable[[NodeGraph, random.Random], Colour]

ALBEDO = "albedo"
"""The name of every material's second output, which glows in its base colour."""

FINENESS = 2.2
"""How many times finer all patterns are than the sizes that the recipes give, in units of their object."""


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A linear-light colour from hue, saturation and *perceived* value."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0))
    return red**2.2, green**2.2, blue**2.2


def blend(a: Colour, b: Colour, t: float) -> Colour:
    red, green, blue = (x + (y - x) * t for x, y in zip(a, b, strict=True))
    return red, green, blue


def _solid(g: NodeGraph) -> bpy.types.NodeSocket:
    return g.scale(g.add("TexCoord").outputs["Object"], (FINENESS,) * 3)


def _boxed(g: NodeGraph, scale: float) -> bpy.types.NodeSocket:
    """Plane coordinates by the axis that the face is turned to: (x, y) above, (y, z) or (x, z) at the sides."""
    coordinates = g.add("TexCoord")
    p = g.add("SeparateXYZ", Vector=g.scale(coordinates.outputs["Object"], (FINENESS * scale,) * 3)).outputs
    n = g.add("SeparateXYZ", Vector=g.vector("ABSOLUTE", coordinates.outputs["Normal"])).outputs
    above = g.add("CombineXYZ", X=p["X"], Y=p["Y"]).outputs[0]
    side_x = g.add("CombineXYZ", X=p["Y"], Y=p["Z"]).outputs[0]
    side_y = g.add("CombineXYZ", X=p["X"], Y=p["Z"]).outputs[0]
    sides = g.mix(g.math("GREATER_THAN", n["X"], n["Y"]), side_y, side_x)
    return g.mix(g.math("GREATER_THAN", n["Z"], 0.7), sides, above)


def _surface(g: NodeGraph, colour: object, roughness: object, normal: object = None, **more: object) -> None:
    shader = g.add("BsdfPrincipled", Base_Color=colour, Roughness=roughness, **more)
    if normal is not None:
        g.feed(shader.inputs["Normal"], normal)
    g.add("OutputMaterial", {"is_active_output": True}, Surface=shader.outputs["BSDF"])
    glow = g.add("Emission", Color=colour)
    g.add("OutputMaterial", {"name": ALBEDO, "is_active_output": False}, Surface=glow.outputs[0])


def _wood_colours(rng: random.Random) -> tuple[Colour, Colour]:
    hue, saturation, value = rng.uniform(0.06, 0.10), rng.uniform(0.45, 0.75), rng.uniform(0.45, 0.85)
    return hsv(hue, saturation, value), hsv(hue - 0.015, saturation + 0.1, value * rng.uniform(0.4, 0.65))


def _grain(g: NodeGraph, vector: object, light: Colour, dark: Colour, scale: float) -> tuple[object, object]:
    """Wood grain along x: distorted rings and fine fibres. Returns (colour, height)."""
    stretched = g.scale(vector, (0.12 * scale, scale, scale))
    rings = g.add(
        "TexWave",
        {"wave_type": "BANDS", "bands_direction": "Y"},
        Vector=stretched,
        Scale=1.3,
        Distortion=6.0,
        Detail=3.0,
    ).outputs["Fac"]
    fibres = g.noise(g.scale(vector, (1.5 * scale, 25 * scale, 25 * scale)), 1.0, 3.0)
    pattern = g.math("ADD", g.math("MULTIPLY", rings, 0.65), g.math("MULTIPLY", fibres, 0.45))
    return g.ramp(pattern, [(0.2, dark), (0.55, blend(dark, light, 0.65)), (0.85, light)]), pattern


def wood(g: NodeGraph, rng: random.Random) -> Colour:
    light, dark = _wood_colours(rng)
    axes = rng.choice([(0, 0, 0), (0, 0, 1.57), (0, 1.57, 0)])
    turned = g.add("Mapping", Vector=_solid(g), Rotation=axes).outputs[0]
    colour, height = _grain(g, turned, light, dark, rng.uniform(2.0, 4.5))
    _surface(g, colour, rng.uniform(0.25, 0.6), g.bump(height, 0.3, 0.03), Coat_Weight=rng.choice([0.0, 0.4]))
    return blend(light, dark, 0.4)


def _bricks(g: NodeGraph, vector: object, a: Colour, b: Colour, mortar: Colour, **sizes: float) -> bpy.types.Node:
    offset = sizes.pop("offset", 0.5)
    named = {name.title(): value for name, value in sizes.items()}
    return g.add(
        "TexBrick",
        {"offset": offset, "squash": 1.0},
        Vector=vector, Color1=a, Color2=b, Mortar=mortar, Scale=1.0, Mortar_Smooth=0.15, Bias=0.0, **named,
    )  # fmt: skip


def planks(g: NodeGraph, rng: random.Random) -> Colour:
    light, dark = _wood_colours(rng)
    flat = _boxed(g, 1.0)
    boards = _bricks(
        g, flat, (0.7, 0.7, 0.7), (1.15, 1.1, 1.05), (0.06, 0.05, 0.04),
        brick_width=rng.uniform(1.2, 2.4), row_height=rng.uniform(0.16, 0.34), mortar_size=0.008,
    )  # fmt: skip
    # Each board has its own tone; shifting the grain by it keeps the rings from running on over the gaps.
    moved = g.vector("ADD", flat, g.scale(boards.outputs["Color"], (37.0, 11.0, 5.0)))
    colour, height = _grain(g, moved, light, dark, rng.uniform(2.0, 4.0))
    gaps = g.math("SUBTRACT", g.math("MULTIPLY", height, 0.15), boards.outputs["Fac"])
    toned = g.mix(1.0, colour, boards.outputs["Color"], "MULTIPLY")
    _surface(g, toned, rng.uniform(0.25, 0.6), g.bump(gaps, 0.6, 0.03))
    return blend(light, dark, 0.45)


def brick(g: NodeGraph, rng: random.Random) -> Colour:
    hue, value = rng.uniform(-0.02, 0.035), rng.uniform(0.5, 0.75)
    a, b = hsv(hue, rng.uniform(0.55, 0.75), value), hsv(hue + 0.02, rng.uniform(0.45, 0.65), value * 0.7)
    mortar = hsv(0.1, 0.1, rng.uniform(0.55, 0.8))
    height = rng.uniform(0.14, 0.3)
    flat = _boxed(g, 1.0)
    wall = _bricks(g, flat, a, b, mortar, brick_width=height * 2.3, row_height=height, mortar_size=height * 0.08)
    grain = g.noise(flat, 22.0, 5.0)
    stained = g.mix(g.step(g.noise(flat, 1.5), 0.35, 0.75), wall.outputs["Color"], (0.5, 0.42, 0.38), "MULTIPLY")
    colour = g.mix(0.6, stained, g.ramp(grain, [(0.3, (0.45,) * 3), (0.7, (1.2,) * 3)]), "MULTIPLY")
    relief = g.math("SUBTRACT", g.math("MULTIPLY", grain, 0.35), wall.outputs["Fac"])
    _surface(g, colour, 0.85, g.bump(relief, 0.8, 0.04))
    return blend(blend(a, b, 0.5), mortar, 0.15)


def tiles(g: NodeGraph, rng: random.Random) -> Colour:
    hue, saturation, value = rng.uniform(0.42, 0.54), rng.uniform(0.3, 0.7), rng.uniform(0.45, 0.9)
    a = hsv(hue, saturation, value)
    b = hsv(hue + rng.choice([0.0, 0.03, 0.06]), saturation * 0.6, min(value * rng.uniform(0.6, 1.2), 0.95))
    grout = hsv(0.1, 0.08, rng.uniform(0.25, 0.8))
    size = rng.uniform(0.18, 0.5)
    flat = _boxed(g, 1.0)
    laid = _bricks(
        g,
        flat,
        a,
        b,
        grout,
        brick_width=size,
        row_height=size,
        mortar_size=size * 0.035,
        offset=rng.choice([0.0, 0.0, 0.5]),
    )
    cloudy = g.ramp(g.noise(flat, 7.0), [(0.3, (0.75,) * 3), (0.7, (1.1,) * 3)])
    colour = g.mix(0.7, laid.outputs["Color"], cloudy, "MULTIPLY")
    roughness = g.math("ADD", g.math("MULTIPLY", laid.outputs["Fac"], 0.6), rng.uniform(0.06, 0.25))
    _surface(g, colour, roughness, g.bump(g.math("MULTIPLY", laid.outputs["Fac"], -1.0), 0.5, 0.02))
    return blend(a, b, 0.5)


def cobbles(g: NodeGraph, rng: random.Random) -> Colour:
    hue, saturation, value = rng.choice([rng.uniform(0.05, 0.12), 0.6]), rng.uniform(0.02, 0.15), rng.uniform(0.35, 0.7)
    scale = rng.uniform(2.5, 6.0)
    jittered = g.vector(
        "ADD", _solid(g), g.scale(g.add("TexNoise", Vector=_solid(g), Scale=6.0).outputs["Color"], (0.07,) * 3)
    )
    edge = g.add("TexVoronoi", {"feature": "DISTANCE_TO_EDGE"}, Vector=jittered, Scale=scale).outputs["Distance"]
    cell = g.add("TexVoronoi", {"feature": "F1"}, Vector=jittered, Scale=scale).outputs["Color"]
    tone = g.ramp(
        g.add("SeparateColor", Color=cell).outputs[0],
        [
            (0.0, hsv(hue, saturation, value * 0.6)),
            (0.5, hsv(hue + 0.02, saturation * 1.3, value)),
            (1.0, hsv(hue - 0.02, saturation * 0.6, value * 1.25)),
        ],
    )
    grain = g.noise(_solid(g), 18.0, 6.0)
    rough = g.mix(0.7, tone, g.ramp(grain, [(0.3, (0.5,) * 3), (0.7, (1.2,) * 3)]), "MULTIPLY")
    gap = g.step(edge, 0.02, 0.09)
    colour = g.mix(gap, hsv(hue, saturation, 0.2), rough)
    relief = g.math("ADD", g.step(edge, 0.0, 0.3), g.math("MULTIPLY", grain, 0.25))
    _surface(g, colour, 0.75, g.bump(relief, 0.9, 0.12))
    return hsv(hue, saturation, value * 0.8)


def marble(g: NodeGraph, rng: random.Random) -> Colour:
    dark_stone = rng.random() < 0.35
    hue = rng.choice([0.08, 0.35, 0.6, 0.95])
    body = hsv(hue, 0.5, 0.25) if dark_stone else hsv(hue, rng.uniform(0.03, 0.15), rng.uniform(0.8, 0.95))
    vein = hsv(0.1, 0.15, 0.85) if dark_stone else hsv(hue + 0.05, 0.25, rng.uniform(0.2, 0.5))
    scale = rng.uniform(0.8, 2.2)
    warp = g.vector(
        "ADD",
        _solid(g),
        g.scale(g.add("TexNoise", Vector=_solid(g), Scale=scale, Detail=5.0).outputs["Color"], (1.3,) * 3),
    )
    thick = g.math("ABSOLUTE", g.math("SUBTRACT", g.noise(warp, scale, 3.0), 0.5))
    thin = g.math("ABSOLUTE", g.math("SUBTRACT", g.noise(warp, scale * 2.7, 5.0), 0.5))
    veins = g.math("MINIMUM", thick, g.math("ADD", g.math("MULTIPLY", thin, 1.2), 0.008))
    cloud = g.mix(g.noise(warp, scale, 3.0), body, blend(body, vein, 0.35))
    colour = g.mix(g.step(veins, 0.0, 0.045), vein, cloud)
    _surface(g, colour, rng.uniform(0.06, 0.2), None, Coat_Weight=0.3)
    return blend(body, vein, 0.3)


def fabric(g: NodeGraph, rng: random.Random) -> Colour:
    hue, saturation, value = rng.uniform(0.57, 0.9), rng.uniform(0.35, 0.85), rng.uniform(0.4, 0.85)
    base, other = (
        hsv(hue, saturation, value),
        hsv(hue + rng.uniform(-0.08, 0.08), saturation * 0.5, rng.choice([0.25, 0.85])),
    )
    flat = _boxed(g, 1.0)
    kind = {"wave_type": "BANDS"}
    threads = rng.uniform(9.0, 18.0)
    weft = g.add("TexWave", {**kind, "bands_direction": "X"}, Vector=flat, Scale=threads, Distortion=0.6).outputs["Fac"]
    warp = g.add("TexWave", {**kind, "bands_direction": "Y"}, Vector=flat, Scale=threads, Distortion=0.6).outputs["Fac"]
    weave = g.math("MULTIPLY", weft, warp)
    share = 0.0
    colour: object = base
    if rng.random() < 0.6:  # stripes, or a plaid
        stripe_scale, share = rng.uniform(0.5, 1.4), 0.35
        stripes = [
            g.add("TexWave", {**kind, "bands_direction": d}, Vector=flat, Scale=stripe_scale).outputs["Fac"]
            for d in rng.choice(["X", "Y", "XY"])
        ]
        for stripe in stripes:
            colour = g.mix(g.math("MULTIPLY", g.step(stripe, 0.6, 0.72), 0.7), colour, other)
    shaded = g.mix(0.75, colour, g.ramp(weave, [(0.0, (0.45,) * 3), (0.6, (1.2,) * 3)]), "MULTIPLY")
    shaded = g.mix(0.4, shaded, g.ramp(g.noise(flat, 9.0), [(0.3, (0.6,) * 3), (0.7, (1.15,) * 3)]), "MULTIPLY")
    _surface(g, shaded, 0.9, g.bump(weave, 0.7, 0.02), Sheen_Weight=0.5)
    return blend(base, other, share)


def rust(g: NodeGraph, rng: random.Random) -> Colour:
    paint = hsv(rng.uniform(0.02, 0.05), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.5))
    scale = rng.uniform(1.0, 3.0)
    where = g.step(g.noise(_solid(g), scale, 8.0, 0.4), 0.42, rng.uniform(0.5, 0.62))
    rusty = g.ramp(
        g.noise(_solid(g), scale * 6, 6.0),
        [(0.25, hsv(0.03, 0.8, 0.22)), (0.5, hsv(0.045, 0.8, 0.5)), (0.75, hsv(0.07, 0.75, 0.72))],
    )
    colour = g.mix(where, g.mix(g.noise(_solid(g), 3.0), paint, blend(paint, (0.0, 0.0, 0.0), 0.35)), rusty)
    roughness = g.math("ADD", g.math("MULTIPLY", where, 0.55), 0.3)
    relief = g.math("MULTIPLY", where, g.noise(_solid(g), 25.0, 5.0))
    _surface(g, colour, roughness, g.bump(relief, 0.6, 0.04))
    return blend(paint, hsv(0.045, 0.8, 0.5), 0.5)


def terrazzo(g: NodeGraph, rng: random.Random) -> Colour:
    ground = hsv(rng.uniform(0.9, 1.05), rng.uniform(0.1, 0.3), rng.uniform(0.7, 0.92))
    colour: object = ground
    hue, chips = rng.random(), []
    for layer in range(2):
        shift = g.vector("ADD", _solid(g), (7.3 * layer, 3.1, 5.7))
        scale = rng.uniform(5.0, 12.0)
        cell = g.add("TexVoronoi", {"feature": "F1"}, Vector=shift, Scale=scale, Randomness=1.0)
        edge = g.add("TexVoronoi", {"feature": "DISTANCE_TO_EDGE"}, Vector=shift, Scale=scale).outputs["Distance"]
        pick = g.add("SeparateColor", Color=cell.outputs["Color"]).outputs
        palette = [
            hsv(hue + rng.choice([0, 0.08, 0.5]), rng.uniform(0.15, 0.6), rng.uniform(0.2, 0.9)) for _ in range(4)
        ]
        chips += palette
        tone = g.ramp(pick[0], [(0.25 * i, c) for i, c in enumerate(palette)], "CONSTANT")
        present = g.math("MULTIPLY", g.math("GREATER_THAN", pick[1], 0.5), g.step(edge, 0.06, 0.1))
        colour = g.mix(present, colour, tone)
    _surface(g, colour, rng.uniform(0.1, 0.35))
    red, green, blue = (sum(c[i] for c in chips) / len(chips) for i in range(3))
    return blend(ground, (red, green, blue), 0.45)


def foliage(g: NodeGraph, rng: random.Random) -> Colour:
    hue, value = rng.uniform(0.2, 0.38), rng.uniform(0.4, 0.7)
    scale = rng.uniform(7.0, 15.0)
    spun = g.vector(
        "ADD", _solid(g), g.scale(g.add("TexNoise", Vector=_solid(g), Scale=8.0).outputs["Color"], (0.2,) * 3)
    )
    leaves = g.add("TexVoronoi", {"feature": "F1"}, Vector=spun, Scale=scale)
    pick = g.add("SeparateColor", Color=leaves.outputs["Color"]).outputs[0]
    tone = g.ramp(
        pick,
        [
            (0.0, hsv(hue + 0.03, 0.8, value * 0.5)),
            (0.5, hsv(hue, 0.7, value)),
            (1.0, hsv(hue - 0.05, 0.65, value * 1.35)),
        ],
    )
    depth = g.ramp(leaves.outputs["Distance"], [(0.1, (1.25,) * 3), (0.75, (0.12,) * 3)])
    hollow = g.ramp(g.noise(_solid(g), 3.0, 5.0), [(0.35, (0.25,) * 3), (0.65, (1.1,) * 3)])
    colour = g.mix(0.8, g.mix(1.0, tone, depth, "MULTIPLY"), hollow, "MULTIPLY")
    relief = g.math("SUBTRACT", 1.0, leaves.outputs["Distance"])
    _surface(g, colour, 0.55, g.bump(relief, 1.0, 0.15))
    return hsv(hue, 0.7, value * 0.8)


def grass(g: NodeGraph, rng: random.Random) -> Colour:
    hue, value = rng.uniform(0.17, 0.33), rng.uniform(0.4, 0.65)
    blades = g.noise(g.scale(_solid(g), (1.0, 1.0, 0.3)), rng.uniform(18.0, 30.0), 5.0, 1.0)
    patches = g.noise(_solid(g), 1.2, 4.0)
    tone = g.ramp(patches, [(0.35, hsv(hue + 0.03, 0.75, value * 0.75)), (0.65, hsv(hue - 0.06, 0.6, value * 1.25))])
    colour = g.mix(0.9, tone, g.ramp(blades, [(0.3, (0.2,) * 3), (0.7, (1.5,) * 3)]), "MULTIPLY")
    _surface(g, colour, 0.8, g.bump(blades, 1.0, 0.08))
    return hsv(hue, 0.7, value * 0.85)


def concrete(g: NodeGraph, rng: random.Random) -> Colour:
    tint = hsv(rng.choice([0.08, 0.1, 0.6]), rng.uniform(0.02, 0.12), rng.uniform(0.5, 0.8))
    coarse, fine = g.noise(_solid(g), 1.5, 7.0), g.noise(_solid(g), 30.0, 4.0)
    pits = g.step(g.add("TexVoronoi", Vector=_solid(g), Scale=14.0).outputs["Distance"], 0.06, 0.16)
    tone = g.ramp(coarse, [(0.3, blend(tint, (0.0,) * 3, 0.45)), (0.7, blend(tint, (1.0,) * 3, 0.15))])
    colour = g.mix(0.6, tone, g.ramp(fine, [(0.3, (0.6,) * 3), (0.7, (1.2,) * 3)]), "MULTIPLY")
    colour = g.mix(pits, blend(tint, (0.0,) * 3, 0.7), colour)
    relief = g.math("ADD", pits, g.math("MULTIPLY", fine, 0.5))
    _surface(g, colour, 0.85, g.bump(relief, 0.5, 0.03))
    return blend(tint, (0.0,) * 3, 0.2)


def leather(g: NodeGraph, rng: random.Random) -> Colour:
    body = hsv(rng.uniform(0.0, 0.05), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.4))
    cells = g.add("TexVoronoi", {"feature": "DISTANCE_TO_EDGE"}, Vector=_solid(g), Scale=rng.uniform(14, 26)).outputs[
        "Distance"
    ]
    creases = g.step(cells, 0.0, 0.16)
    worn = g.noise(_solid(g), 2.0, 5.0)
    tone = g.ramp(worn, [(0.3, blend(body, (0.0,) * 3, 0.5)), (0.75, blend(body, (1.0, 0.9, 0.8), 0.2))])
    colour = g.mix(creases, blend(body, (0.0,) * 3, 0.7), tone)
    _surface(g, colour, g.math("ADD", g.math("MULTIPLY", worn, 0.4), 0.15), g.bump(creases, 0.6, 0.03))
    return blend(body, (0.0,) * 3, 0.25)


def earth(g: NodeGraph, rng: random.Random) -> Colour:
    body = hsv(rng.uniform(0.1, 0.15), rng.uniform(0.3, 0.6), rng.uniform(0.45, 0.8))
    pebble = g.add("TexVoronoi", Vector=_solid(g), Scale=rng.uniform(9, 18))
    clods = g.noise(_solid(g), 5.0, 9.0)
    stones = g.math("SUBTRACT", 1.0, g.step(pebble.outputs["Distance"], 0.2, 0.4))
    some = g.math("MULTIPLY", stones, g.step(g.noise(_solid(g), 2.0), 0.45, 0.6))
    soil = g.ramp(clods, [(0.3, blend(body, (0.0,) * 3, 0.6)), (0.7, blend(body, (1.0,) * 3, 0.15))])
    tone = g.mix(0.25, (0.4, 0.36, 0.3), pebble.outputs["Color"])
    relief = g.math("ADD", g.math("MULTIPLY", clods, 1.2), some)
    _surface(g, g.mix(some, soil, tone), 0.9, g.bump(relief, 0.9, 0.08))
    return blend(body, (0.0,) * 3, 0.2)


RECIPES: dict[str, Recipe] = {
    recipe.__name__: recipe
    for recipe in (
        wood, planks, brick, tiles, cobbles, marble, fabric, rust,
        terrazzo, foliage, grass, concrete, leather, earth,
    )
}  # fmt: skip
FLOORS = ("planks", "tiles", "cobbles", "marble", "fabric", "terrazzo", "grass", "concrete", "earth", "wood", "brick")
WALLS = ("brick", "concrete", "planks", "tiles", "fabric", "marble", "cobbles", "concrete")
OBJECTS = (
    "wood", "wood", "marble", "rust", "leather", "terrazzo", "fabric", "fabric",
    "cobbles", "brick", "concrete", "tiles", "planks", "foliage",
)  # fmt: skip


def build(name: str, rng: random.Random) -> tuple[bpy.types.Material, Colour]:
    """Makes the material `name` in a random variant. Returns it and its mean colour (linear light)."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    return material, RECIPES[name](NodeGraph(material.node_tree), rng)
