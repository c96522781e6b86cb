"""Turns render passes into ``Motion`` and surface normals, frame by frame."""

from warpnoise.motion.geometry import surface_geometry
from warpnoise.motion.sequence import frames_and_motions, motions

__all__ = ["frames_and_motions", "motions", "surface_geometry"]
