"""Render passes -> ``Motion``, frame by frame."""

from warpnoise.motion.sequence import motions

__all__ = ["motions"]
