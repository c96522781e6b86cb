"""`blender scene.blend --command warpnoise stylize ...` and `... export ...`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import bpy

from .arguments import make_parser, operator_arguments
from .child import end_with_parent
from .errors import SettingsError, WarpnoiseError
from .stylize import state
from .stylize.blocking import export_blocking
from .stylize.file_copy import remove_copy
from .stylize.status import Reporter, Status
from .stylize.steps import failure
from .ui.make_request import make_request
from .ui.stylize_operators import Printer

COMMAND = "warpnoise"
_registered: object = None


def run(arguments: list[str], program: str = f"blender FILE.blend --command {COMMAND}") -> int:
    """Do what the arguments say to the open file, and return the exit status (docs/architecture.md)."""
    try:
        given = make_parser(program).parse_args(arguments)
    except SystemExit as end:  # --help, or bad arguments, which it has told
        return int(end.code or 0)
    as_json = getattr(given, "json", False)
    with _signals(), _backend_ends():
        try:
            with _scene(given):
                if given.action == "export":
                    _export(given, as_json)
                else:
                    _stylize(given, as_json)
            return 0
        except WarpnoiseError as error:
            return _told(Status(**failure(error)), as_json)
        except Exception as error:  # an error of ours: with its origin
            traceback.print_exc()
            return _told(Status(**failure(error)), as_json)


def _stylize(given: argparse.Namespace, as_json: bool) -> None:
    save = _checked_save(getattr(given, "save", None))
    if save is not None and hasattr(given, "chunk"):
        raise SettingsError(
            "--save: a chunk does not come into the compositor. When all chunks are done, run once more without "
            "--chunk and with --keep-existing"
        )
    if save is not None and hasattr(given, "preview"):
        raise SettingsError("--save: a preview does not come into the compositor, there is nothing to be saved")
    try:
        bpy.ops.warpnoise.stylize(progress="JSON" if as_json else "TEXT", **operator_arguments(given))
    except RuntimeError:  # the operator's error report
        if state.last.exit_status == 0:
            raise
    if state.last.exit_status != 0:
        raise _as_error(state.last)
    if save is not None:
        bpy.ops.wm.save_as_mainfile(filepath=str(save), relative_remap=True)
        if not as_json:
            print(f"warpnoise: saved {save}", flush=True)


def _export(given: argparse.Namespace, as_json: bool) -> None:
    if getattr(given, "exit_with_parent", False):
        # A parent that was killed cannot remove the copy that this process has opened.
        end_with_parent(last=functools.partial(remove_copy, Path(bpy.data.filepath)))
    request = make_request(bpy.context, operator_arguments(given))
    reporter = Reporter(Printer("JSON" if as_json else "TEXT").show)
    export_blocking(bpy.context, request, reporter, state.cancel_requested.is_set)
    if not as_json:
        for text in reporter.status.warnings:
            print(f"warpnoise: warning: {text}", file=sys.stderr, flush=True)
    if not as_json and not request.nothing_to_do:
        print(f"warpnoise: rendered {request.folder}", flush=True)


def _checked_save(text: str | None) -> Path | None:
    if not text:
        return None
    path = Path(text).expanduser().absolute()
    if path.suffix != ".blend":
        raise SettingsError(f"--save: expected a name that ends in .blend, got {text}")
    if not path.parent.is_dir():
        raise SettingsError(f"--save: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK) or path.is_dir():
        raise SettingsError(f"--save: {path} cannot be written")
    return path


def _as_error(status: Status) -> WarpnoiseError:
    error = WarpnoiseError(status.error)
    error.exit_status = status.exit_status
    return error


def _told(status: Status, as_json: bool) -> int:
    if as_json:
        print(status.as_json(), flush=True)
    else:
        print(f"warpnoise: {status.stage}: {status.error}", file=sys.stderr, flush=True)
    return status.exit_status


@contextlib.contextmanager
def _scene(given: argparse.Namespace) -> Iterator[None]:
    """The scene that was named is the context's."""
    name = getattr(given, "scene", None)
    if name is None:
        yield
        return
    scene = bpy.data.scenes.get(name)
    if scene is None:
        there_are = ", ".join(scene.name for scene in bpy.data.scenes)
        raise SettingsError(f"--scene: there is no scene {name!r} in the file, only {there_are}")
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        yield


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel: what is finished stays, the scene is put back. The second one ends at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        if state.cancel_requested.is_set():
            os._exit(130)
        state.cancel_requested.set()
        print("warpnoise: cancelling after this frame; once more to end at once", file=sys.stderr, flush=True)

    state.cancel_requested.clear()
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: it was not set from Python, and cannot be set back from there.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        state.cancel_requested.clear()


@contextlib.contextmanager
def _backend_ends() -> Iterator[None]:
    """The backend ends with the command, not some time after it."""
    try:
        yield
    finally:
        state.pool.discard()


def register() -> None:
    global _registered
    _registered = bpy.utils.register_cli_command(COMMAND, run)


def unregister() -> None:
    global _registered
    if _registered is not None:
        bpy.utils.unregister_cli_command(_registered)
    _registered = None
