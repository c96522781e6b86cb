"""Bakes simulations that must run frame by frame, before any frame is rendered.

To render a frame's motion, Cycles evaluates the frames around it, so the scene's time goes back and forth. A simulation
that is not baked does not follow: it stays where it is, or shows the previous frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy

from .. import compat
from ..errors import Message
from .changes import Changes


@dataclass(frozen=True)
class _Simulation:
    """``cache``: None for simulation zones of Geometry Nodes and fluids with the cache type Replay: Blender remembers
    every frame of theirs that was shown, in memory and on disk."""

    owner: bpy.types.Object | bpy.types.Scene
    cache: bpy.types.PointCache | None


class Simulations:
    """Bakes simulations in memory up to ``last``, if they are not baked, and frees them when ``changes`` are undone."""

    def __init__(self, scene: bpy.types.Scene, layer: bpy.types.ViewLayer, last: int, changes: Changes) -> None:
        self._scene, self._layer, self._last, self._changes = scene, layer, last, changes
        self._prepared = False

    def prepare(self) -> tuple[str, ...]:
        """To be called before a frame is rendered; does its work once.

        Returns sentences for the user: which simulations could not be baked.
        """
        if self._prepared:
            return ()
        self._prepared = True
        unbaked = [item for item in _simulations(self._scene) if item.cache is None or not item.cache.is_baked]
        unbaked = [item for item in unbaked if _first(item, self._scene) < self._last]
        if not unbaked:
            return ()
        caches = [(item.owner, item.cache) for item in unbaked if item.cache is not None]
        for _, cache in caches:
            self._changes.set(cache, frame_end=max(min(cache.frame_end, self._last), cache.frame_start))
        self._simulate_what_is_rendered(unbaked)
        with bpy.context.temp_override(scene=self._scene, view_layer=self._layer):
            if caches:
                _bake_all()
                for _, cache in caches:
                    self._changes.callback(_free, self._scene, cache)
            if len(caches) < len(unbaked):
                for frame in range(min(_first(item, self._scene) for item in unbaked), self._last + 1):
                    self._scene.frame_set(frame)
        return tuple(
            Message(
                "The simulation of '{name}' could not be baked: its frames may be those of another time. "
                "Bake it in its physics settings, and export again.",
                name=owner.name,
            )
            for owner, cache in caches
            if not cache.is_baked
        )

    def _simulate_what_is_rendered(self, items: list[_Simulation]) -> None:
        # Baking evaluates what the viewport shows, and a cache of another number of points counts for nothing.
        render = self._scene.render
        self._changes.set(
            render,
            simplify_subdivision=render.simplify_subdivision_render,
            simplify_child_particles=render.simplify_child_particles_render,
        )
        for collection in self._scene.collection.children_recursive:
            if not collection.hide_render:
                self._changes.set(collection, hide_viewport=False)
        for item in items:
            if isinstance(item.owner, bpy.types.Object) and not item.owner.hide_render:
                self._changes.set(item.owner, hide_viewport=False)
                for modifier in item.owner.modifiers:
                    self._changes.set(modifier, show_viewport=modifier.show_render)
                    if modifier.type in ("SUBSURF", "MULTIRES"):
                        self._changes.set(modifier, levels=modifier.render_levels)


def has_remembered_frames(scene: bpy.types.Scene) -> bool:
    """Whether the scene has simulations of which Blender remembers the frames that were shown, until it is edited."""
    return any(item.cache is None for item in _simulations(scene))


def _first(item: _Simulation, scene: bpy.types.Scene) -> int:
    return item.cache.frame_start if item.cache is not None else scene.frame_start


def _bake_all() -> None:
    bpy.ops.ptcache.bake_all(bake=True)


def _free(scene: bpy.types.Scene, cache: bpy.types.PointCache) -> None:
    with bpy.context.temp_override(scene=scene, point_cache=cache):
        bpy.ops.ptcache.free_bake()


def _simulations(scene: bpy.types.Scene) -> Iterator[_Simulation]:
    yield from (_Simulation(scene, cache) for cache in point_caches(scene))
    for owner in _objects(scene):
        yield from (_Simulation(owner, cache) for cache in point_caches(owner))
        if any(m.show_render and (_has_zones(m) or _is_replayed_fluid(m)) for m in owner.modifiers):
            yield _Simulation(owner, None)


def point_caches(owner: bpy.types.Object | bpy.types.Scene) -> Iterator[bpy.types.PointCache]:
    """The caches of an object's simulations that are rendered, or of a scene's rigid bodies."""
    if isinstance(owner, bpy.types.Scene):
        world = owner.rigidbody_world
        if world is not None and world.enabled and world.collection is not None and world.point_cache is not None:
            yield world.point_cache
        return
    for modifier in owner.modifiers:
        if modifier.show_render:
            yield from _caches(modifier)


def _has_zones(modifier: bpy.types.Modifier) -> bool:
    nodes = compat.nodes_of(modifier.node_group) if modifier.type == "NODES" else ()
    return any(node.bl_idname == "GeometryNodeSimulationOutput" for node in nodes)


def _is_replayed_fluid(modifier: bpy.types.Modifier) -> bool:
    domain = modifier.domain_settings if modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN" else None
    return domain is not None and domain.cache_type == "REPLAY"


def _objects(scene: bpy.types.Scene) -> set[bpy.types.Object]:
    """The scene's objects, and those in the collections that it instances."""
    found, waiting = set(), set(scene.objects)
    while waiting:
        found |= waiting
        collections = {collection for shown in waiting if (collection := shown.instance_collection)}
        waiting = {shown for collection in collections for shown in collection.all_objects} - found
    return found


def _caches(modifier: bpy.types.Modifier) -> Iterator[bpy.types.PointCache]:
    if modifier.type in ("CLOTH", "SOFT_BODY"):
        yield modifier.point_cache
    elif modifier.type == "PARTICLE_SYSTEM":
        system = modifier.particle_system
        if system.settings.type == "EMITTER":
            yield system.point_cache
        elif system.use_hair_dynamics and system.cloth is not None:
            yield system.cloth.point_cache
    elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings is not None:
        for surface in modifier.canvas_settings.canvas_surfaces:
            if surface.surface_format == "VERTEX":
                yield surface.point_cache
