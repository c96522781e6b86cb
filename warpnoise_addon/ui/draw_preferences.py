"""Draws the preferences: the location of the backend, the environment, the findings of the check."""

from __future__ import annotations

import os
import time

import bpy

from ..backend.address import Address
from ..backend.locate import PYTHON_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE
from ..errors import SettingsError
from ..settings import MEMORY
from ..setup.hardware import BUILDS
from ..stylize import state
from ..stylize.session import CheckSession, SetupSession
from ..stylize.status import duration
from .draw_status import draw_cancel, draw_progress
from .managed import environments
from .online import offline
from .preferences import NO_SERVER, WARPNOISE_Preferences
from .texts import draw_text, iface

ICONS = {"OK": "CHECKMARK", "WARNING": "INFO", "ERROR": "ERROR"}
WIDTH = 90
"""Letters in a line."""


def draw_preferences(layout: bpy.types.UILayout, chosen: WARPNOISE_Preferences) -> None:
    layout.use_property_split = True
    layout.row().prop(chosen, "location", expand=True)
    if chosen.location == "HERE":
        _draw_here(layout.column(), chosen)
    else:
        _draw_server(layout.column(), chosen)
    column = layout.column()
    column.prop(chosen, "device")
    column.prop(chosen, "batch")
    for name in MEMORY:
        column.prop(chosen, name)
    layout.operator("warpnoise.check_backend", icon="VIEWZOOM")
    if isinstance(state.session, CheckSession):
        _draw_check(layout, state.session)


def _draw_here(layout: bpy.types.UILayout, chosen: WARPNOISE_Preferences) -> None:
    made = environments().current
    layout.prop(
        chosen,
        "python",
        placeholder=iface("The environment of Set Up" if made else "The command warpnoise on the PATH"),
    )
    _draw_variables(layout, URL_VARIABLE, PYTHON_VARIABLE)
    row = layout.row(heading="Environment")
    running = state.running()
    if isinstance(running, SetupSession):
        draw_cancel(row)
    else:
        row.operator("warpnoise.set_up", text=iface("Set Up Again..." if made else "Set Up..."), icon="IMPORT")
    if made:
        date = time.strftime("%Y-%m-%d", time.localtime(made.made))
        build = BUILDS[made.build].title if made.build in BUILDS else made.build
        layout.label(text=iface("Set up on {date}, PyTorch: {build}", date=date, build=iface(build)), icon="CHECKMARK")


def _draw_server(layout: bpy.types.UILayout, chosen: WARPNOISE_Preferences) -> None:
    layout.prop(chosen, "url", placeholder="https://server")
    row = layout.row(align=True)
    row.prop(chosen, "token_file")
    row.operator("warpnoise.enter_token", text="", icon="LOCKED")
    layout.prop(chosen, "delete_after")
    _draw_variables(layout, URL_VARIABLE, TOKEN_VARIABLE)
    try:
        address = Address.parse(chosen.url) if chosen.url.strip() else None
    except SettingsError as error:
        draw_text(layout, str(error), icon="ERROR", width=WIDTH)
        return
    if address is None or address.loopback:
        return
    if refusal := offline(NO_SERVER):
        draw_text(layout, refusal, icon="ERROR", width=WIDTH)
    if address.readable_by_others:
        draw_text(
            layout,
            "Plain HTTP to another machine: the token and the frames travel unencrypted. Use https, or an SSH tunnel",
            icon="ERROR",
            width=WIDTH,
        )


def _draw_variables(layout: bpy.types.UILayout, *names: str) -> None:
    """Environment variables that win over what is shown."""
    for name in names:
        if value := os.environ.get(name):
            shown = iface("it is set") if name == TOKEN_VARIABLE else value
            text = iface("The variable {name} overrides this: {value}", name=name, value=shown)
            layout.label(text=text, icon="INFO", translate=False)


def _draw_check(layout: bpy.types.UILayout, session: CheckSession) -> None:
    status = session.status
    box = layout.box()
    if isinstance(session, SetupSession) and session.over:
        text = "Ended after {time}" if status.error else "Set up in {time}"
        box.label(text=iface(text, time=duration(session.seconds)), icon="TIME", translate=False)
    for finding in session.findings:
        draw_text(box, finding.text, icon=ICONS[finding.level], width=WIDTH)
    told = {finding.text for finding in session.findings}
    if status.error and status.error not in told:
        draw_text(box, status.error, icon="CANCEL" if status.stage == "cancelled" else "ERROR", width=WIDTH)
    if not session.over:
        draw_progress(box, status, WIDTH)
