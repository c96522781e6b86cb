"""The Blender extension: hands register() and unregister() on from `warpnoise_addon`."""

from .warpnoise_addon import register, unregister

__all__ = ["register", "unregister"]
