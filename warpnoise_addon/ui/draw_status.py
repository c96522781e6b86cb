"""Draws the progress, the device, the and the newest frame."""

from __future__ import annotations

import re

import bpy

from ..stylize import state
from ..stylize.status import STAGES, Status, duration
from . import icons
from .texts import draw_text, iface, letters_in

DETAILS = re.compile(r"\S+[/\\](?=\S)|(-[\w.]+){3}\.whl\b")
"""In a line that pip prints: folders before a file's name, and what follows the version in a wheel's."""


def draw_status(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the status of the current or the last run, if there is one."""
    status, width = state.last, letters_in(context)
    told = state.session.done_text if state.session is not None else None
    if status.stage == "idle" or (status.stage == "done" and told == ""):
        return
    box = layout.box()
    if status.error:
        draw_text(box, status.error, icon="CANCEL" if status.stage == "cancelled" else "ERROR", width=width)
    elif status.over and told is not None:
        box.label(text=iface(told), icon="CHECKMARK", translate=False)
    elif status.over:
        text = "{stage}: {done} frames, {kept} from before" if status.frames_kept else "{stage}: {done} frames"
        text = "{stage}: 1 frame" if (status.frames_done, status.frames_kept) == (1, 0) else text
        values = {"stage": iface(STAGES[status.stage]), "done": status.frames_done, "kept": status.frames_kept}
        box.label(text=iface(text, **values), icon="CHECKMARK", translate=False)
    else:
        draw_progress(box, status, width)
    if status.backend:
        column = box.column(align=True)
        draw_text(column, iface("Backend {name}", name=status.backend), icon="SYSTEM", width=width)
        draw_text(column, status.device, icon="BLANK1", width=width, capital=False)
    for text in status.warnings:
        draw_text(box, text, icon="INFO", width=width, most=6)
    if icons.newest_icon() and told is None:
        box.template_icon(icon_value=icons.newest_icon(), scale=8.0)


def is_cancelling() -> bool:
    """Whether the session was asked to stop, and has not stopped yet."""
    running = state.running()
    return running is not None and running.cancelling


def draw_cancel(layout: bpy.types.UILayout) -> None:
    """The button that cancels the session; once pressed, it says *Cancelling...*."""
    row = layout.row()
    row.enabled = not is_cancelling()
    text = "Cancelling..." if is_cancelling() else "Cancel"
    row.operator("warpnoise.cancel", text=iface(text), icon="CANCEL", translate=False)


def draw_progress(layout: bpy.types.UILayout, status: Status, width: int) -> None:
    """The stage, its progress, the time left or else the time elapsed, and the program's last line."""
    text = iface(STAGES.get(status.stage, status.stage))
    if status.amount:
        text = f"{text}: {status.amount}"
    elif status.frames_total:
        values = {"stage": text, "done": status.frames_done, "total": status.frames_total}
        text = iface("{stage}: {done} of {total}", **values)
    layout.progress(factor=status.fraction, text=text, translate=False)
    if is_cancelling():
        return
    details = []
    if status.steps_total:
        details.append(iface("Step {step} of {total}", step=status.step, total=status.steps_total))
    if status.seconds_left is not None:
        details.append(iface("{time} left", time=duration(status.seconds_left)))
    elif state.session is not None:
        details.append(iface("{time} elapsed", time=duration(state.session.seconds)))
    if details:
        draw_text(layout, ", ".join(details), icon="TIME", width=width)
    if status.line:
        draw_text(layout, DETAILS.sub("", status.line), icon="CONSOLE", width=width, most=3, capital=False)
