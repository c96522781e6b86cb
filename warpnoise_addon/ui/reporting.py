"""Reports of operators: errors, which cancel them, and warnings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import bpy

from ..errors import WarpnoiseError
from ..stylize import state
from .texts import sentence

Execute = Callable[[Any, bpy.types.Context], set[str]]


def reporting(execute: Execute) -> Execute:
    """An operator's ``execute`` of which a WarpnoiseError is reported and cancels the operator."""

    @functools.wraps(execute)
    def reported(self: bpy.types.Operator, context: bpy.types.Context) -> set[str]:
        try:
            return execute(self, context)
        except WarpnoiseError as error:
            self.report({"ERROR"}, sentence(str(error)))
            return {"CANCELLED"}

    return reported


class WhenIdle:
    """Mixin of operators that wait while something runs."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if state.running() is not None:
            cls.poll_message_set("Warpnoise is already running")
            return False
        return context.scene is not None


class AskFirst:
    """Mixin for operators that delete: a dialog asks first, and names what is deleted in ``_named``."""

    def _named(self) -> str:
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=self.bl_label,
            message=self._named(),
            confirm_text="Delete",
            icon="WARNING",
        )


def warn(operator: bpy.types.Operator, texts: Iterable[str]) -> None:
    """Report each text as a warning."""
    for text in texts:
        operator.report({"WARNING"}, sentence(text))
