"""How far it is, what it runs on, and the newest frame."""

from __future__ import annotations

import bpy

from ..stylize import state
from ..stylize.session import CheckSession
from ..stylize.status import STAGES, Status, duration
from . import preview
from .texts import draw_text, letters_in


def draw_status(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The last run's or the present one's; nothing where there was none."""
    status, width = state.last, letters_in(context)
    if status.stage == "idle":
        return
    box = layout.box()
    if status.error:
        draw_text(box, status.error, icon="CANCEL" if status.stage == "cancelled" else "ERROR", width=width)
    elif status.over and isinstance(state.session, CheckSession):
        box.label(text="The backend works", icon="CHECKMARK")
    elif status.over:
        kept = f", {status.frames_kept} from before" if status.frames_kept else ""
        frames = "frame" if status.frames_done == 1 else "frames"
        box.label(text=f"{STAGES[status.stage]}: {status.frames_done} {frames}{kept}", icon="CHECKMARK")
    else:
        _draw_progress(box, status, width)
    if status.backend:
        column = box.column(align=True)
        draw_text(column, f"Backend {status.backend}", icon="SYSTEM", width=width)
        draw_text(column, status.device, icon="BLANK1", width=width, capital=False)
    for text in status.warnings:
        draw_text(box, text, icon="INFO", width=width, most=6)
    if preview.icon() and not isinstance(state.session, CheckSession):
        box.template_icon(icon_value=preview.icon(), scale=8.0)


def _draw_progress(layout: bpy.types.UILayout, status: Status, width: int) -> None:
    text = STAGES[status.stage]
    if status.frames_total:
        text += f": {status.frames_done} of {status.frames_total}"
    layout.progress(factor=status.fraction, text=text)
    details = []
    if status.steps_total:
        details.append(f"Step {status.step} of {status.steps_total}")
    if status.seconds_left is not None:
        details.append(f"{duration(status.seconds_left)} left")
    if details:
        draw_text(layout, ", ".join(details), icon="TIME", width=width)
