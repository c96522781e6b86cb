"""Warpnoise inside Blender. The package imports only bpy, numpy and the standard library.

Importing the package itself does not import bpy, so `backend` and other parts that do not need bpy can be used and
tested without Blender.
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
