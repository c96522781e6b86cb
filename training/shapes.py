"""The shapes of the training scenes: about one unit wide, standing on z = 0, smooth where a real object would be."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import bmesh
import bpy
from mathutils import Matrix, Vector, noise

Shape = Callable[[random.Random], bpy.types.Object]
WORDS = ("Aa", "Og", "&", "42", "R2", "Hi", "go", "xyz", "ART", "S", "Q", "one", "3D", "?", "Ink", "Oil", "be")


def _object(name: str, data: bpy.types.Mesh | bpy.types.Curve) -> bpy.types.Object:
    made = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(made)
    return made


def _finish(name: str, mesh: bmesh.types.BMesh, smooth_below: float | None = 0.6) -> bpy.types.Object:
    """Puts the mesh on the ground, links it, and smooths all edges but those sharper than `smooth_below` radians."""
    bmesh.ops.recalc_face_normals(mesh, faces=list(mesh.faces))
    lowest = min(v.co.z for v in mesh.verts)
    bmesh.ops.translate(mesh, vec=(0.0, 0.0, -lowest), verts=list(mesh.verts))
    if smooth_below is not None:
        for face in mesh.faces:
            face.smooth = True
        for edge in mesh.edges:
            edge.smooth = len(edge.link_faces) == 2 and edge.calc_face_angle(0.0) < smooth_below
    data = bpy.data.meshes.new(name)
    mesh.to_mesh(data)
    mesh.free()
    return _object(name, data)


def _block(
    mesh: bmesh.types.BMesh, size: tuple[float, float, float], at: tuple[float, float, float], round_by: float = 0.02
) -> None:
    """Adds a box with rounded edges."""
    made = bmesh.ops.create_cube(mesh, size=1.0, matrix=Matrix.Translation(at) @ Matrix.Diagonal((*size, 1.0)))
    edges = list({e for v in made["verts"] for e in v.link_edges})
    bmesh.ops.bevel(mesh, geom=edges, offset=min(round_by, min(size) * 0.4), segments=2, affect="EDGES", profile=0.5)


def box(rng: random.Random) -> bpy.types.Object:
    mesh = bmesh.new()
    _block(
        mesh, (rng.uniform(0.5, 1.0), rng.uniform(0.5, 1.0), rng.uniform(0.4, 1.2)), (0, 0, 0), rng.uniform(0.01, 0.08)
    )
    return _finish("box", mesh)


def ball(rng: random.Random) -> bpy.types.Object:
    mesh = bmesh.new()
    squash = rng.choice([1.0, 1.0, rng.uniform(0.6, 1.4)])
    bmesh.ops.create_uvsphere(mesh, u_segments=40, v_segments=24, radius=0.5, matrix=Matrix.Diagonal((1, 1, squash, 1)))
    return _finish("ball", mesh)


def column(rng: random.Random) -> bpy.types.Object:
    """Cylinder, cone, frustum or prism."""
    mesh = bmesh.new()
    bmesh.ops.create_cone(
        mesh, cap_ends=True, segments=rng.choice([5, 6, 8, 40, 40, 40]), radius1=rng.uniform(0.25, 0.5),
        radius2=rng.choice([0.0, 0.001, rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.5)]), depth=rng.uniform(0.5, 1.4),
    )  # fmt: skip
    return _finish("column", mesh)


def ring(rng: random.Random) -> bpy.types.Object:
    """A torus, or a torus knot's tube: a closed curve swept by a circle."""
    p, q = rng.choice([(1, 0), (1, 0), (2, 3), (3, 2), (2, 5)])
    radius, tube, n, m = 0.36, rng.uniform(0.06, 0.17) if q == 0 else rng.uniform(0.05, 0.09), 160, 14
    mesh = bmesh.new()

    def at(t: float) -> Vector:
        if q == 0:
            return Vector((radius * math.cos(t), radius * math.sin(t), 0.0))
        r = radius * (0.7 + 0.3 * math.cos(q * t))
        return Vector((r * math.cos(p * t), r * math.sin(p * t), 0.28 * math.sin(q * t)))

    loops = []
    for i in range(n):
        t = 2 * math.pi * i / n
        along = (at(t + 1e-3) - at(t - 1e-3)).normalized()
        out = Vector((math.cos(p * t), math.sin(p * t), 0.0))
        side = along.cross(out).normalized()
        out = side.cross(along)
        around = (2 * math.pi * j / m for j in range(m))
        loops.append([mesh.verts.new(at(t) + tube * (math.cos(a) * out + math.sin(a) * side)) for a in around])
    for i in range(n):
        a, b = loops[i], loops[(i + 1) % n]
        for j in range(m):
            mesh.faces.new((a[j], b[j], b[(j + 1) % m], a[(j + 1) % m]))
    if rng.random() < 0.5:
        bmesh.ops.rotate(mesh, verts=list(mesh.verts), matrix=Matrix.Rotation(math.pi / 2, 3, "X"))
    return _finish("ring", mesh)


def turned(rng: random.Random) -> bpy.types.Object:
    """A solid of revolution with a random smooth profile."""
    knots = [(0.0, rng.uniform(0.15, 0.35))]
    while knots[-1][0] < 1.0:
        knots.append((min(1.0, knots[-1][0] + rng.uniform(0.18, 0.4)), rng.uniform(0.08, 0.45)))
    rows, segments = 40, 40
    mesh = bmesh.new()
    profile = []
    for i in range(rows + 1):
        z = i / rows
        k = max(j for j in range(len(knots)) if knots[j][0] <= z)
        (z0, r0), (z1, r1) = knots[k], knots[min(k + 1, len(knots) - 1)]
        t = 0.0 if z1 == z0 else (z - z0) / (z1 - z0)
        profile.append((r0 + (r1 - r0) * t * t * (3 - 2 * t), z))
    profile += [
        (max(r - 0.05, 0.01), max(z, 0.06)) for r, z in reversed(profile[3:])
    ]  # the inside, so that it is a vessel
    grid = [
        [
            mesh.verts.new((r * math.cos(2 * math.pi * j / segments), r * math.sin(2 * math.pi * j / segments), z))
            for j in range(segments)
        ]
        for r, z in profile
    ]
    for lower, upper in pairwise(grid):
        for j in range(segments):
            mesh.faces.new((lower[j], lower[(j + 1) % segments], upper[(j + 1) % segments], upper[j]))
    mesh.faces.new(grid[0][::-1])
    mesh.faces.new(grid[-1])
    return _finish("turned", mesh, 1.0)


def rock(rng: random.Random) -> bpy.types.Object:
    return _lumpy("rock", rng, roughness=rng.uniform(0.15, 0.35), frequency=rng.uniform(1.2, 2.5), detail=4)


def _lumpy(name: str, rng: random.Random, roughness: float, frequency: float, detail: int) -> bpy.types.Object:
    mesh = bmesh.new()
    bmesh.ops.create_icosphere(mesh, subdivisions=5, radius=0.5)
    offset = Vector((rng.uniform(-99, 99), rng.uniform(-99, 99), rng.uniform(-99, 99)))
    for v in mesh.verts:
        v.co *= 1.0 + roughness * noise.fractal(v.co * frequency * 2 + offset, 0.7, 2.1, detail)
    bmesh.ops.scale(mesh, vec=(1.0, rng.uniform(0.7, 1.2), rng.uniform(0.6, 1.1)), verts=list(mesh.verts))
    return _finish(name, mesh, 3.2)


def text(rng: random.Random) -> bpy.types.Object:
    curve = bpy.data.curves.new("text", "FONT")
    curve.body = rng.choice(WORDS)
    curve.align_x, curve.size = "CENTER", 1.4 / max(len(curve.body), 1.5)
    curve.extrude, curve.bevel_depth, curve.bevel_resolution = rng.uniform(0.08, 0.2), 0.015, 2
    made = _object("text", curve)
    made.rotation_euler = (math.pi / 2, 0.0, 0.0)
    return made


def tube(rng: random.Random) -> bpy.types.Object:
    """A bent pipe through random points, or a spring."""
    curve = bpy.data.curves.new("tube", "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution, curve.use_fill_caps = (
        "3D",
        rng.uniform(0.04, 0.1),
        5,
        True,
    )
    if rng.random() < 0.5:
        turns, n = rng.uniform(2.0, 4.5), 80
        points = [
            (
                0.35 * math.cos(2 * math.pi * turns * i / n),
                0.35 * math.sin(2 * math.pi * turns * i / n),
                0.1 + 0.9 * i / n,
            )
            for i in range(n)
        ]
    else:
        points = [(rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), rng.uniform(0.1, 1.0)) for _ in range(6)]
    spline = curve.splines.new("NURBS")
    spline.points.add(len(points) - 1)
    for point, place in zip(spline.points, points, strict=True):
        point.co = (*place, 1.0)
    spline.use_endpoint_u, spline.order_u, spline.resolution_u = True, 4, 6
    return _object("tube", curve)


def cutout(rng: random.Random) -> bpy.types.Object:
    """A star or a gear, extruded."""
    n, inner, toothed = rng.randint(5, 14), rng.uniform(0.25, 0.42), rng.random() < 0.5
    mesh = bmesh.new()
    per = 4 if toothed else 2
    radii = (0.5, 0.5, inner, inner) if toothed else (0.5, inner)
    outline = [(radii[i % per], 2 * math.pi * i / (n * per)) for i in range(n * per)]
    face = mesh.faces.new([mesh.verts.new((r * math.cos(a), r * math.sin(a), 0.0)) for r, a in outline])
    raised = bmesh.ops.extrude_face_region(mesh, geom=[face])["geom"]
    bmesh.ops.translate(
        mesh, vec=(0, 0, rng.uniform(0.12, 0.3)), verts=[v for v in raised if isinstance(v, bmesh.types.BMVert)]
    )
    rim: list[bmesh.types.BMVert | bmesh.types.BMEdge | bmesh.types.BMFace] = [e for e in mesh.edges if e.is_manifold]
    bmesh.ops.bevel(mesh, geom=rim, offset=0.012, segments=1, affect="EDGES", profile=0.5)
    if rng.random() < 0.7:
        bmesh.ops.rotate(mesh, verts=list(mesh.verts), matrix=Matrix.Rotation(math.pi / 2, 3, "X"))
    return _finish("cutout", mesh, 0.4)


def furniture(rng: random.Random) -> bpy.types.Object:
    """A chair, a table or a stool, of rounded boards."""
    mesh = bmesh.new()
    width, depth, height = rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.6)
    leg = rng.uniform(0.05, 0.1)
    _block(mesh, (width, depth, 0.07), (0, 0, height))
    for x in (-1, 1):
        for y in (-1, 1):
            _block(mesh, (leg, leg, height), (x * (width - leg) / 2, y * (depth - leg) / 2, height / 2))
    if rng.random() < 0.5:
        for i in range(3):
            _block(mesh, (width, 0.04, 0.11), (0, depth / 2 - 0.02, height + 0.15 + 0.17 * i))
        for x in (-1, 1):
            _block(mesh, (leg, 0.05, 0.6), (x * (width - leg) / 2, depth / 2, height + 0.3))
    return _finish("furniture", mesh)


def building(rng: random.Random) -> bpy.types.Object:
    """A block with a pitched roof, or an arch of three blocks."""
    mesh = bmesh.new()
    if rng.random() < 0.5:
        w, d, h, roof = rng.uniform(0.6, 1.0), rng.uniform(0.5, 0.8), rng.uniform(0.4, 0.9), rng.uniform(0.2, 0.5)
        _block(mesh, (w, d, h), (0, 0, h / 2), 0.01)
        over = 0.55
        corners = [(x * w * over, y * d * (over + 0.05), h) for x in (-1, 1) for y in (-1, 1)]
        base = [mesh.verts.new(c) for c in corners]
        ridge = [mesh.verts.new((x * w * over, 0.0, h + roof)) for x in (-1, 1)]
        b, r = base, ridge
        roof_faces = ((b[0], b[1], b[3], b[2]), (b[0], b[2], r[1], r[0]), (b[1], r[0], r[1], b[3]))
        for face in (*roof_faces, (b[0], r[0], b[1]), (b[2], b[3], r[1])):
            mesh.faces.new(face)
    else:
        h = rng.uniform(0.6, 1.1)
        for x in (-0.4, 0.4):
            _block(mesh, (0.22, 0.3, h), (x, 0, h / 2), 0.03)
        _block(mesh, (1.1, 0.36, 0.2), (0, 0, h + 0.1), 0.03)
    return _finish("building", mesh, 0.4)


def crown(rng: random.Random) -> bpy.types.Object:
    """A bush or a tree's crown, for the foliage material."""
    return _lumpy("crown", rng, roughness=rng.uniform(0.25, 0.5), frequency=rng.uniform(1.8, 3.5), detail=6)


SHAPES: tuple[Shape, ...] = (box, ball, column, ring, turned, rock, text, tube, cutout, furniture, building)
STACKABLE: tuple[Shape, ...] = (box, box, column, ball, cutout, turned, ring)
