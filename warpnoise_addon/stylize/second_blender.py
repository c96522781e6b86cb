"""The copy of the open file for a second Blender, which finds all files that lie beside the original; its command line.

Disk caches, and files that scripts and drivers open, are named relative to the .blend file. So the copy is saved beside
it, under an unlikely name. Blender looks for disk caches in a folder with the file's name, so the copy gets such a
folder, with hard links, which take no space, or with copies if the file system has no hard links.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..errors import ExportError, Message
from ..export.changes import animatable_datablocks
from ..export.simulations import point_caches
from ..frame_ranges import frames_text
from ..settings import SETTINGS
from ..version import ADDON
from .request import StylizeRequest

_BESIDE = re.compile(r"\.(?P<name>.*)\.warpnoise-[0-9a-f]{16}\.blend", re.DOTALL)
_FOLDER = "warpnoise-copy-"
_PATH = re.compile(r"""["']//""")
"""The beginning of a quoted path relative to the file."""


@dataclass(frozen=True)
class FileCopy:
    """``warnings``: sentences about files that a Blender that opens ``path`` does not find. `remove_copy` deletes the
    copy.
    """

    path: Path
    warnings: tuple[str, ...] = ()


def save_copy() -> FileCopy:
    """Save a copy of the open file as it is now, beside it where that is possible.

    Raises ExportError: it can be saved nowhere.
    """
    if not bpy.data.filepath:
        return FileCopy(_save_elsewhere("unsaved.blend"))
    original = Path(bpy.data.filepath)
    copy = original.with_name(f".{original.stem}.warpnoise-{secrets.token_hex(8)}.blend")
    try:
        _save(copy)
        _link_caches(original, copy)
        return FileCopy(copy)
    except (ExportError, OSError) as error:
        remove_copy(copy)
        elsewhere = _save_elsewhere(original.name)
        missing = list(_missing_elsewhere())
        if not missing:
            return FileCopy(elsewhere)
        warning = Message(
            "nothing can be saved beside {original} ({error}), so the render does not find files with relative "
            "paths: {missing}. Make its folder writable, or use the command line",
            original=original,
            error=error,
            missing=missing,
        )
        return FileCopy(elsewhere, (warning,))


def remove_copy(path: Path) -> None:
    """Remove the copy and its caches; other files than `save_copy`'s stay."""
    if path.parent.name.startswith(_FOLDER):
        shutil.rmtree(path.parent, ignore_errors=True)
    elif _BESIDE.fullmatch(path.name):
        shutil.rmtree(_cache_folder(path), ignore_errors=True)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _save_elsewhere(name: str) -> Path:
    path = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=bpy.app.tempdir)) / name
    try:
        _save(path)
    except ExportError:
        remove_copy(path)
        raise
    return path


def _save(path: Path) -> None:
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=True, compress=False)
    except RuntimeError as error:
        raise ExportError(
            "a copy of the file for the render cannot be saved to {path}: {error}", path=path, error=error
        ) from None


def _cache_folder(file: Path) -> Path:
    # As Blender has it: the name without its last six characters.
    return file.with_name(f"blendcache_{file.name[: -len('.blend')]}")


def _link_caches(original: Path, copy: Path) -> None:
    source, target = _cache_folder(original), _cache_folder(copy)
    if not source.is_dir() or not any(_disk_caches()):
        return
    target.mkdir()
    for file in source.iterdir():
        if file.is_file():
            try:
                os.link(file, target / file.name)
            except OSError:
                shutil.copyfile(file, target / file.name)


def _disk_caches() -> Iterator[bpy.types.ID]:
    """The owners of simulations that are baked into files beside this one."""
    owners = [*bpy.data.objects, *bpy.data.scenes]
    return (
        owner
        for owner in owners
        if owner.library is None and any(c.use_disk_cache and c.is_baked for c in point_caches(owner))
    )


def _missing_elsewhere() -> Iterator[str]:
    yield from (Message("the disk cache of '{name}'", name=owner.name) for owner in _disk_caches())
    yield from (
        Message("the text '{name}'", name=text.name) for text in bpy.data.texts if _PATH.search(text.as_string())
    )
    for datablock in animatable_datablocks():
        animation = getattr(datablock, "animation_data", None)
        drivers = animation.drivers if animation is not None else ()
        if any(_PATH.search(curve.driver.expression) for curve in drivers):
            yield f"a driver of '{datablock.name}'"


def prepare_export(request: StylizeRequest) -> tuple[list[str], FileCopy]:
    """Save a copy of the open file, as it is now; the command line that exports it, and the copy.

    Raises ExportError: the copy cannot be saved.
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
