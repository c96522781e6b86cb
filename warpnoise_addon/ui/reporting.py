"""What operators report: errors, which cancel them, and warnings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import bpy

from ..errors import WarpnoiseError
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


def warn(operator: bpy.types.Operator, texts: Iterable[str]) -> None:
    """Report each text as a warning."""
    for text in texts:
        operator.report({"WARNING"}, sentence(text))
