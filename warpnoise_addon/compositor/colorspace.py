"""The colour space that stylized frames are loaded in: the one whose inverse is the scene's view.

Stylized frames are what the viewer sees; the compositor is scene-linear, and what leaves it goes through the scene's
display and view again. Loaded in the colour space of that view, a frame is shown as it is: Standard, Filmic and
ACES 2.0 exactly, ACES 1.3 within 2/255. The inverse of AgX in Blender's configuration is a coarse table, wrong by up
to 16/255 (0.7% of colours by more than 2/255 in Blender 4); see `group` for the correction, after which 0.03% are.

Those figures are for colours that the view can show. AgX and Filmic cannot show all: of all sRGB colours AgX reaches
two thirds. What a style makes more saturated than that comes out duller, whichever way it is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from .. import compat
from ..errors import Message

# (display, view) -> colour space. A version may lack some.
_EXACT: dict[tuple[str, str], str] = {
    ("sRGB", "Standard"): "sRGB",
    ("sRGB", "AgX"): "AgX Base sRGB",
    ("sRGB", "Filmic"): "Filmic sRGB",
    ("sRGB", "ACES 1.3"): "ACES 1.3 sRGB",
    ("sRGB", "ACES 2.0"): "ACES 2.0 sRGB",
    ("Display P3", "Standard"): "Display P3",
    ("Display P3", "AgX"): "AgX Base Display P3",
    ("Rec.1886", "Standard"): "Rec.1886",
    ("Rec.1886", "AgX"): "AgX Base Rec.1886",
    ("Rec.2020", "Standard"): "Rec.2020",
    ("Rec.2020", "AgX"): "AgX Base Rec.2020",
}
# Views whose inverse Blender's configuration holds only roughly, or for the sRGB display only.
_NEAR: dict[str, str] = {
    "AgX": "AgX Base sRGB",
    "Filmic": "Filmic sRGB",
    "Khronos PBR Neutral": "Khronos PBR Neutral sRGB",
    "Filmic Log": "Filmic Log",
    "ACES 1.3": "ACES 1.3 sRGB",
    "ACES 2.0": "ACES 2.0 sRGB",
}


@dataclass(frozen=True)
class ViewInverse:
    """``colorspace`` undoes display and view; ``exposure`` (stops) undoes the scene's exposure.

    ``corrections``: how often the conversion is to be corrected, in ``scene_linear``, because its inverse is not exact.
    """

    colorspace: str
    exposure: float
    corrections: int
    warnings: tuple[str, ...]
    scene_linear: str


def view_inverse(scene: bpy.types.Scene) -> ViewInverse:
    """The inverse of the scene's display, view and exposure. Warnings name the parts that it leaves out."""
    view = scene.view_settings
    display = scene.display_settings.display_device
    name, exact = _colorspace(display, view.view_transform, compat.colorspace_names())
    not_undone = []
    if not exact:
        not_undone.append(
            Message(
                "the view transform {view_transform} on {display} (nearest: {name})",
                view_transform=view.view_transform,
                display=display,
                name=name,
            )
        )
    if view.look != "None":
        not_undone.append(Message("the look {name}", name=view.look))
    if view.gamma != 1.0:
        not_undone.append(Message("gamma {value:g}", value=view.gamma))
    if view.use_curve_mapping:
        not_undone.append(Message("the view's curves"))
    if getattr(view, "use_white_balance", False):
        not_undone.append(Message("the view's white balance"))
    text = Message(
        "stylized frames are shown again through {not_undone}, which change them: the view transform Standard, AgX or "
        "Filmic without a look shows them as they are",
        not_undone=not_undone,
    )
    scene_linear = compat.scene_linear_name()
    corrections = 3 if view.view_transform == "AgX" and scene_linear else 0
    return ViewInverse(name, -view.exposure, corrections, (text,) if not_undone else (), scene_linear)


def _colorspace(display: str, view: str, available: list[str]) -> tuple[str, bool]:
    """The colour space's name, and whether it is the exact inverse."""
    if view == "Raw" and "Non-Color" in available:
        return "Non-Color", True
    for name, exact in ((_EXACT.get((display, view)), True), (_NEAR.get(view), False)):
        if name is not None and name in available:
            return name, exact
    # A configuration of one's own (OCIO): sRGB is the role that display images have.
    return ("sRGB" if "sRGB" in available else available[0]), False
