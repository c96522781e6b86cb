"""The command line of the export in a second Blender, on a copy of the file."""

from __future__ import annotations

import json
from dataclasses import replace

import bpy

from ..frame_ranges import frames_text
from ..messages import Message
from ..package import ADDON
from ..settings import SETTINGS
from .file_copy import FileCopy, save_copy
from .request import StylizeRequest


def prepare_export(request: StylizeRequest) -> tuple[list[str], FileCopy]:
    """Save a copy of the open file, as it is now; the command line that exports it, and the copy.

    Raises:
        ExportError: the copy cannot be saved.
    """
    copy = save_copy()
    unsaved = [i.name for i in bpy.data.images if i.is_dirty and i.type not in ("RENDER_RESULT", "COMPOSITING")]
    if unsaved:
        text = Message("these images have unsaved changes, which the render does not show: {names}", names=unsaved)
        copy = replace(copy, warnings=(*copy.warnings, text))
    blender = [bpy.app.binary_path, "--background"]
    # What this Blender was not allowed to run, the other one shall not run either; and the other way round.
    blender.append("--disable-autoexec" if bpy.app.autoexec_fail else "--enable-autoexec")
    blender += [str(copy.path), "--addons", ADDON, "--command", "warpnoise"]
    return [*blender, *export_arguments(request)], copy


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
