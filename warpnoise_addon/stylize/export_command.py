"""The command line of the export in a second Blender, on a copy of the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import bpy

from ..frame_ranges import frames_text
from ..messages import Message
from ..package import ADDON
from ..settings import SETTINGS
from .file_copy import remove_copy, save_copy
from .request import StylizeRequest


@dataclass(frozen=True)
class PreparedExport:
    """``argv`` to be run; then ``clean_up`` removes the copy. ``warnings``: what the copy does not have."""

    argv: list[str]
    clean_up: Callable[[], None]
    warnings: tuple[str, ...]


def prepare_export(request: StylizeRequest) -> PreparedExport:
    """Save a copy of the open file, as it is now, and say how to export it.

    Raises:
        ExportError: the copy cannot be saved.
    """
    copy = save_copy()
    unsaved = [i.name for i in bpy.data.images if i.is_dirty and i.type not in ("RENDER_RESULT", "COMPOSITING")]
    warnings = copy.warnings
    if unsaved:
        names = ", ".join(unsaved)
        warnings += (
            Message("these images have unsaved changes, which the render does not show: {names}", names=names),
        )
    blender = [bpy.app.binary_path, "--background"]
    # What this Blender was not allowed to run, the other one shall not run either; and the other way round.
    blender.append("--disable-autoexec" if bpy.app.autoexec_fail else "--enable-autoexec")
    blender += [str(copy.path), "--addons", ADDON, "--command", "warpnoise"]
    return PreparedExport([*blender, *export_arguments(request)], lambda: remove_copy(copy.path), warnings)


def export_arguments(request: StylizeRequest) -> list[str]:
    """``request``'s export as arguments of `warpnoise` (see `command`)."""
    arguments = ["export", "--json", "--exit-with-parent", "--scene", request.scene, "--output", str(request.folder)]
    arguments += [f"--frames={frames_text(request.frames)}"]
    for name, setting in SETTINGS.items():
        value = request.settings[name]
        if setting.kind == "array":
            arguments += [f"{setting.option}={json.dumps(item)}" for item in value]
        elif value is not None or not setting.switched:
            arguments.append(f"{setting.option}={setting.text(value)}")
    for name, folder in (("color", request.color_source), ("passes", request.passes_source)):
        arguments.append(f"--{name}={folder or ''}")
    if request.color_frames is not None:
        option = "preview" if request.preview else "only"
        arguments.append(f"--{option}={frames_text(request.color_frames)}")
    if request.earlier_motion:
        arguments.append("--earlier-motion")
    if request.size is not None:
        arguments.append(f"--size={request.size}")
    if request.keep_existing:
        arguments.append("--keep-existing")
    return arguments
