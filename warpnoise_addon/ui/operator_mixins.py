"""What operators share: reports, confirmation, and modal sessions that leave the window usable."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import bpy

from ..errors import WarpnoiseError
from ..stylize import state
from ..stylize.session import Session
from . import icons
from .texts import sentence

TIMER_SECONDS = 0.2

if TYPE_CHECKING:
    Mixin = bpy.types.Operator
else:  # Blender registers whole operators only
    Mixin = object


def reporting(execute: Callable[[Any, bpy.types.Context], Any]) -> Callable[[Any, bpy.types.Context], set[str]]:
    """An operator's ``execute``: a WarpnoiseError is reported and cancels, a text that it returns is reported."""

    @functools.wraps(execute)
    def reported(self: bpy.types.Operator, context: bpy.types.Context) -> set[str]:
        try:
            result = execute(self, context)
        except WarpnoiseError as error:
            self.report({"ERROR"}, sentence(str(error)))
            return {"CANCELLED"}
        if isinstance(result, str):
            self.report({"INFO"}, result)
        return result if isinstance(result, set) else {"FINISHED"}

    return reported


class WhenIdle(Mixin):
    """Mixin of operators that wait while something runs."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if state.running() is not None:
            cls.poll_message_set("Warpnoise is already running")
            return False
        return context.scene is not None


class AskFirst(Mixin):
    """Mixin for operators that delete: a dialog asks first. ``deletes``: the property that names what is deleted."""

    deletes: str

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=self.bl_label,
            message=getattr(self, self.deletes),
            confirm_text="Delete",
            icon="WARNING",
        )


def warn(operator: bpy.types.Operator, texts: Iterable[str]) -> None:
    """Report each text as a warning."""
    for text in texts:
        operator.report({"WARNING"}, sentence(text))


class SessionOperator(WhenIdle):
    """Mixin of operators that run a session: ``_run`` begins it, ``_done`` is called in the main thread at a good end.

    In the background they wait for the session's end.
    """

    _timer: bpy.types.Timer | None = None
    _drawn: tuple[object, ...] = ()

    def _run(self, context: bpy.types.Context, session: Session) -> set[str]:
        state.begin(session)
        if not bpy.app.background:
            return self._watch(context)
        session.wait()
        state.last = session.status
        return self._ended(context)

    def _watch(self, context: bpy.types.Context) -> set[str]:
        manager = context.window_manager
        self._timer = manager.event_timer_add(TIMER_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        session = state.session
        if session is None:  # another file was loaded, or the add-on is being disabled
            self._unwatch(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS" and not session.over:
            session.cancel()
            redraw(context)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if (session.status, int(session.seconds)) != self._drawn:
            state.last = session.status
            self._drawn = state.last, int(session.seconds)
            icons.show_newest(state.last.newest)
            redraw(context)
        if not session.over:
            return {"PASS_THROUGH"}
        self._unwatch(context)
        state.last = session.status
        icons.show_newest(session.status.newest, now=True)
        try:
            return self._ended(context)
        finally:
            redraw(context)

    def _ended(self, context: bpy.types.Context) -> set[str]:
        if state.last.stage == "done":
            return self._done(context)
        self.report({"INFO" if state.last.stage == "cancelled" else "ERROR"}, sentence(state.last.error))
        return {"CANCELLED"}

    def _done(self, context: bpy.types.Context) -> set[str]:
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window is closed, or another file is loaded."""
        if state.session is not None:
            state.session.cancel()
        self._unwatch(context)

    def _unwatch(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


def redraw(context: bpy.types.Context) -> None:
    """Draw again what shows a session: the panel, and the preferences."""
    for area in areas(context, "PROPERTIES", "PREFERENCES", "NODE_EDITOR", "IMAGE_EDITOR"):
        area.tag_redraw()


def areas(context: bpy.types.Context, *kinds: str) -> list[bpy.types.Area]:
    """The areas of these types in every window."""
    return [area for window in context.window_manager.windows for area in window.screen.areas if area.type in kinds]
