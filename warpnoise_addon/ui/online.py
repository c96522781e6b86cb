"""Whether Blender lets add-ons use the network."""

import bpy

from .texts import iface


def offline(so: str) -> str:
    """Why the network may not be used, what that means (``so``) and what changes it; empty: it may be used."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        text = "Blender was started with online access switched off (--offline-mode), so {consequence}"
    else:
        text = (
            "online access is off, so {consequence}: allow it in Preferences > System > Network, "
            "or start Blender with --online-mode"
        )
    return iface(text, consequence=iface(so))
