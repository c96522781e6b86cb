"""`blender scene.blend --command warpnoise stylize ...`, `... export ...` and `... compositor ...`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy

from .arguments import make_parser, operator_arguments
from .child import end_with_parent
from .compositor import add_stylized
from .errors import SettingsError, WarpnoiseError
from .stylize import state
from .stylize.blocking import export_blocking
from .stylize.second_blender import remove_copy
from .stylize.status import Reporter, Status
from .stylize.steps import failure
from .ui.make_request import make_request, output_folder
from .ui.stylize_operators import Printer

COMMAND = "warpnoise"
GRACE_SECONDS = 10.0
"""Between SIGTERM and the process's end, at most."""
_registered: object = None


def run(arguments: list[str], program: str = f"blender FILE.blend --command {COMMAND}") -> int:
    """Runs the command on the open file, and returns the exit status (docs/architecture.md)."""
    try:
        parsed = make_parser(program).parse_args(arguments)
    except SystemExit as end:  # --help, or bad arguments, which it has told
        return int(end.code or 0)
    kind = getattr(parsed, "progress", "TEXT")
    with _signals(), contextlib.ExitStack() as stack:
        stack.callback(state.pool.discard)  # the backend ends with the command, not some time after it
        try:
            with _scene(parsed):
                {"export": _export, "stylize": _stylize, "compositor": _compositor}[parsed.action](parsed, kind)
            return 0
        except WarpnoiseError as error:
            return _told(Status(**failure(error)), kind)
        except Exception as error:  # an error of ours: with its origin
            traceback.print_exc()
            return _told(Status(**failure(error)), kind)


def _stylize(parsed: argparse.Namespace, kind: str) -> None:
    save = _checked_save(parsed.save) if getattr(parsed, "save", None) else None
    if save is not None and (hasattr(parsed, "chunk") or hasattr(parsed, "only")):
        raise SettingsError(
            "--save: a part of a shot is not added to the compositor. When all parts are done, run `warpnoise "
            "compositor`"
        )
    if save is not None and hasattr(parsed, "preview"):
        raise SettingsError("--save: a preview is not added to the compositor, so there is nothing to save")
    try:
        bpy.ops.warpnoise.stylize(progress=kind, **operator_arguments(parsed))  # type: ignore[attr-defined]
    except RuntimeError:  # the operator's error report
        if state.last.exit_status == 0:
            raise
    if state.last.exit_status != 0:
        raise _as_error(state.last)
    if save is not None:
        _save(save, kind)


def _save(path: Path, kind: str) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), relative_remap=True)
    if kind == "TEXT":
        print(f"warpnoise: saved {path}", flush=True)


def _compositor(parsed: argparse.Namespace, kind: str) -> None:
    save = _checked_save(parsed.save)
    scene = bpy.context.scene
    folder = output_folder(scene, getattr(parsed, "output", None))
    added = add_stylized(scene, folder, getattr(parsed, "connect", scene.warpnoise.connect))
    for text in added.warnings:
        print(f"warpnoise: warning: {text}", file=sys.stderr, flush=True)
    _save(save, kind)
    Printer("NONE" if kind == "TEXT" else kind).show(Status("done"))


def _export(parsed: argparse.Namespace, kind: str) -> None:
    if getattr(parsed, "exit_with_parent", False):
        # A parent that was killed cannot remove the copy that this process has opened.
        end_with_parent(last=functools.partial(remove_copy, Path(bpy.data.filepath)))
    arguments = operator_arguments(parsed)
    arguments.setdefault("earlier_motion", "preview" in arguments)
    request = make_request(bpy.context, arguments)
    reporter = Reporter(Printer(kind).show)
    export_blocking(bpy.context, request, reporter, state.cancel_requested.is_set)
    if kind != "JSON":
        for text in reporter.status.warnings:
            print(f"warpnoise: warning: {text}", file=sys.stderr, flush=True)
    if kind == "TEXT" and not request.nothing_to_do:
        print(f"warpnoise: rendered {request.folder}", flush=True)


def _checked_save(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if path.suffix != ".blend":
        raise SettingsError("--save: expected a name that ends in .blend, got {text}", text=text)
    if not path.parent.is_dir():
        raise SettingsError("--save: there is no folder {parent}", parent=path.parent)
    if not os.access(path.parent, os.W_OK) or path.is_dir():
        raise SettingsError("--save: {path} cannot be written", path=path)
    return path


def _as_error(status: Status) -> WarpnoiseError:
    error = WarpnoiseError(status.error)
    error.exit_status = status.exit_status
    return error


def _told(status: Status, kind: str) -> int:
    if kind != "TEXT":
        Printer(kind).show(status)
    if kind != "JSON":
        print(f"warpnoise: {status.stage}: {status.error}", file=sys.stderr, flush=True)
    return status.exit_status


@contextlib.contextmanager
def _scene(parsed: argparse.Namespace) -> Iterator[None]:
    """The scene that was named is the context's."""
    name = getattr(parsed, "scene", None)
    if name is None:
        yield
        return
    scene = bpy.data.scenes.get(name)
    if scene is None:
        there_are = ", ".join(scene.name for scene in bpy.data.scenes)
        raise SettingsError(
            "--scene: there is no scene {name!r} in the file, only {there_are}", name=name, there_are=there_are
        )
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        yield


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel: what is finished stays, the scene is put back. The second one ends at once.

    Python runs signal handlers when a render returns, which may take hours. Farms kill some seconds after SIGTERM, so
    a thread ends the process GRACE_SECONDS after it: files appear whole or not at all, and claims end with the process.
    """
    state.cancel_requested.clear()
    ours, theirs = socket.socketpair()  # the interpreter writes each signal's number into it at once
    ours.setblocking(False)
    theirs.settimeout(None)
    descriptor = signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_follow, args=(theirs,), name="warpnoise-signals", daemon=True).start()
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        ours.close()
        for number, handler in before.items():
            # None: it was not set from Python, and cannot be set back from there.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        state.cancel_requested.clear()


def _follow(signals: socket.socket) -> None:
    """Takes the numbers of signals from ``signals`` until its other end is closed."""
    with signals:
        try:
            while received := signals.recv(1):
                if state.cancel_requested.is_set():
                    os._exit(130)
                state.cancel_requested.set()
                print("warpnoise: cancelling after this frame; once more to end at once", file=sys.stderr, flush=True)
                if received[0] == signal.SIGTERM:
                    signals.settimeout(GRACE_SECONDS)
        except TimeoutError:
            os._exit(130)


def register() -> None:
    global _registered
    _registered = bpy.utils.register_cli_command(COMMAND, run)


def unregister() -> None:
    global _registered
    if _registered is not None:
        bpy.utils.unregister_cli_command(_registered)
    _registered = None
