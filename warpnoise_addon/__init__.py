"""Warpnoise inside Blender: bpy, numpy and the standard library, nothing else.

Importing this package imports no bpy, so that `backend` and the other parts that need none can be used and tested
without Blender.
"""

from __future__ import annotations


def register() -> None:
    """Add classes, properties, handlers and commands to Blender."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Take all of them away again, and end what still runs."""
    from . import registration

    registration.unregister()
