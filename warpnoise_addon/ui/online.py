"""Whether Blender lets add-ons use the network."""

import bpy


def offline(so: str) -> str:
    """Why the network may not be used, what that means (``so``) and what changes it; empty: it may be used."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return f"Blender was started with online access switched off (--offline-mode), so {so}"
    return (
        f"online access is off, so {so}: allow it in Preferences > System > Network, "
        "or start Blender with --online-mode"
    )
