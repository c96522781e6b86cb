"""Makes a StylizeRequest from the scene's properties, and from an operator's arguments if there are any."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import bpy

from ..errors import SettingsError
from ..export.animation import animated_settings
from ..export.rendering import render_size
from ..frame_ranges import parse_chunk, parse_frames, parse_shot
from ..settings import MEMORY, RUN_OPTIONS, SETTINGS, Setting, make_settings
from ..stylize import state
from ..stylize.backends import chosen_command, chosen_url
from ..stylize.request import BackendChoice, StylizeRequest
from .preferences import backend_choice
from .properties import SCENE_PROPERTIES
from .texts import iface

Read = TypeVar("Read")
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
"""What may be a name in the backend's models folder, or OWNER/NAME of a hub's model."""


def make_request(context: bpy.types.Context, arguments: dict[str, Any] | None = None) -> StylizeRequest:
    """What to do for ``context.scene``. ``arguments`` wins over the scene's properties, name by name.

    Raises:
        SettingsError: frames that cannot be read, an output that is no folder, or a model that is not there.
        BackendMissingError: existing frames, and no backend on this computer to read them.
    """
    scene, arguments = context.scene, arguments or {}
    backend = _backend(context, arguments)
    hidden = {name: setting.default for name, setting in SETTINGS.items() if setting.hidden}
    on_scene = {name: getattr(scene.warpnoise, name) for name in SCENE_PROPERTIES}
    values = SimpleNamespace(**hidden | on_scene | arguments)
    text = arguments.get("frames", "").strip()
    owner = scene.warpnoise if scene.warpnoise.range == "CUSTOM" else scene
    on_scene_range = range(owner.frame_start, owner.frame_end + 1, owner.frame_step)
    frames = on_scene_range if text.upper() in ("", "ALL") else parse_shot(text)
    settings = _settings(values, arguments, elsewhere=bool(chosen_url(backend)))
    request = StylizeRequest(
        _folder(scene, arguments),
        frames.start,
        frames.stop - 1,
        frames.step,
        scene=scene.name,
        settings=make_settings(**animated_settings(settings, scene, frames, arguments)),
        color_source=_source(scene, values, arguments, "color_folder"),
        passes_source=_source(scene, values, arguments, "passes_folder"),
        keep_existing=values.keep_existing,
        connect=values.connect,
        backend=backend,
        color_frames=_part(arguments, frames),
        preview="preview" in arguments,
        earlier_motion=arguments.get("earlier_motion", True),
        size=arguments.get("size") or None,
        frame_size=render_size(scene, arguments.get("size") or None),
    )
    if request.color_source or request.passes_source:
        request = replace(request, reader=chosen_command(backend))
    if not request.nothing_to_do:
        request.check()
    return request


def _part(arguments: dict[str, Any], frames: range) -> Sequence[int] | None:
    """The chosen frames, those of the chunk, or the previewed one; None: all are wanted."""
    chosen = [name for name in ("only", "chunk") if arguments.get(name)] + ["preview"] * ("preview" in arguments)
    if len(chosen) > 1:
        raise SettingsError("only, chunk and preview exclude each other: use one of them")
    if chosen == ["preview"]:
        return range(arguments["preview"], arguments["preview"] + 1)
    if chosen == ["chunk"]:
        return parse_chunk(arguments["chunk"], frames)
    return parse_frames(arguments["only"]) if chosen else None


def output_folder(scene: bpy.types.Scene, chosen: str | None = None) -> Path:
    """The job folder: the chosen one (None: as the scene does), or one beside the file, or a temporary one."""
    chosen = scene.warpnoise.output if chosen is None else chosen
    if chosen:
        path = Path(bpy.path.abspath(chosen)).absolute()
        if path.exists() and not path.is_dir():
            raise SettingsError("the output {path} is a file: expected a folder, or the name of a new one", path=path)
        return path
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "warpnoise" / _folder_name(scene)
    return state.unsaved_results(bpy.context.preferences.filepaths.temporary_directory) / _folder_name(scene)


def _folder(scene: bpy.types.Scene, arguments: dict[str, Any]) -> Path:
    """The given folder, or the scene's. A trial at another size goes beside the latter, not into it."""
    folder = output_folder(scene, arguments.get("output"))
    if arguments.get("size") and not arguments.get("output"):
        return folder.with_name(f"{folder.name}-{arguments['size']}px")
    return folder


def existing_output(scene: bpy.types.Scene, part: str) -> Path | None:
    """The scene's job folder if it has ``part``. Makes nothing, so that it can be asked while drawing."""
    if scene.warpnoise.output or bpy.data.filepath or state.has_unsaved_results():
        try:
            folder = output_folder(scene)
        except SettingsError:
            return None
        return folder if (folder / part).exists() else None
    return None


def read_changed(read: Callable[[Path], Read], job: Path, *paths: Path) -> Read:
    """``read(job)``, read again only when one of ``paths`` has changed, because panels are drawn all the time."""
    return _read(read, job, tuple((path, path.stat().st_mtime_ns) for path in paths if path.exists()))


@functools.lru_cache(8)
def _read(read: Callable[[Path], Read], job: Path, changed: tuple[tuple[Path, int], ...]) -> Read:
    return read(job)


def default_output(scene: bpy.types.Scene) -> str:
    """The folder that ``output_folder`` uses if none is chosen, for display."""
    return f"//warpnoise/{_folder_name(scene)}" if bpy.data.filepath else iface("Temporary")


def _folder_name(scene: bpy.types.Scene) -> str:
    return bpy.path.clean_name(scene.name) or "Scene"


def _settings(values: SimpleNamespace, arguments: dict[str, Any], elsewhere: bool) -> dict[str, Any]:
    """The settings in ``values``, of which those in ``arguments`` need no check box."""
    settings = {
        name: setting.from_property(arguments[name]) if name in arguments else setting.of(values)
        for name, setting in SETTINGS.items()
    }
    default = SETTINGS["model"].default
    settings["model"] = settings["model"].strip() or default
    if settings["model"] != default:
        settings["model"] = _existing(SETTINGS["model"], settings["model"], elsewhere)
    for name, setting in SETTINGS.items():
        for item in settings[name] if setting.items else ():
            for key in (key for key, part in setting.items.items() if part.is_path and item[key]):
                item[key] = _existing(setting, item[key], elsewhere)
    return make_settings(**settings)


def _existing(setting: Setting, text: str, elsewhere: bool) -> str:
    """The file or folder of a model, or what is loaded with it. ``elsewhere``: the server knows it."""
    path = Path(bpy.path.abspath(text)).expanduser().absolute()
    if path.exists() and not elsewhere:
        return str(path)
    if elsewhere or _NAME.fullmatch(text):  # which the backend looks for, before anything is rendered
        return text
    raise SettingsError(
        "{name}: {text} does not exist: expected a name that `warpnoise models` lists, or a file or folder on this "
        "machine",
        name=setting.label,
        text=text,
    )


def _source(scene: bpy.types.Scene, values: SimpleNamespace, arguments: dict[str, Any], name: str) -> Path | None:
    if name not in arguments and scene.warpnoise.source == "RENDER":
        return None
    folder = getattr(values, name)
    if not folder:
        if name == "color_folder" and name not in arguments:
            raise SettingsError("Existing Frames is chosen, but no folder of frames is set")
        return None
    return Path(bpy.path.abspath(folder)).absolute()


def _backend(context: bpy.types.Context, arguments: dict[str, Any]) -> BackendChoice:
    chosen = backend_choice(context)
    memory = {name: RUN_OPTIONS[name].from_property(arguments[name]) for name in MEMORY if name in arguments}
    return replace(
        chosen,
        device=arguments.get("device") or chosen.device,
        batch=arguments.get("batch") or chosen.batch,
        memory={**chosen.memory, **memory},
    )
