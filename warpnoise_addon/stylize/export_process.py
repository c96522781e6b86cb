"""The export in a second Blender, in the background, on a copy of the file. It does not block or change the open file.

It prints a line of JSON after each frame (`status.Status.as_json`) among Blender's own lines. Called from any thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..bounded_json import parse_json
from ..child import Child, TimedOut
from ..errors import ExportError, unpack
from .status import Reporter

SILENCE_SECONDS = 3600.0
"""A Blender that prints nothing for this long is given up; one that renders a heavy frame tells of its samples."""


def run_export(argv: list[str], reporter: Reporter, cancelled: Callable[[], bool]) -> None:
    """Run the export's command line to its end, or end it.

    Raises:
        ExportError: it could not be started, failed, or said nothing for SILENCE_SECONDS.
        Cancelled: ``cancelled()`` was true. The process has ended.
    """
    try:
        child = Child(argv, merge=True)
    except OSError as refusal:
        raise ExportError(
            "a second Blender for the render cannot be started: {argv}: {reason}", argv=argv[0], reason=refusal.strerror
        ) from None
    failure: dict[str, Any] | None = None
    tail: deque[str] = deque(maxlen=12)
    try:
        for line in child.lines(
            SILENCE_SECONDS, cancelled, each=True, cancel_text="cancelled while rendering; finished frames stay"
        ):
            if (message := _parse(line)) is None:
                tail.append(line)
                continue
            if message.get("stage") == "exporting":
                done, total = int(message["frames_done"]), int(message["frames_total"])
                left, newest = reporter.seconds_left(done, total), message.get("newest")
                newest = Path(newest) if newest else reporter.status.newest
                reporter.update(frames_done=done, frames_total=total, seconds_left=left, newest=newest)
            reporter.warn(*(unpack(text, message.get("messages", {})) for text in message.get("warnings", ())))
            failure = message if message.get("error") else failure
        status = child.wait()
    except TimedOut:
        raise ExportError(
            "the render printed nothing for {silence_seconds:.0f} s and was stopped", silence_seconds=SILENCE_SECONDS
        ) from None
    finally:
        # Every file appears whole or not at all: there is nothing to wait for.
        child.stop()
    if failure is not None:
        error = failure["error"]
        text = str(error.get("message", "the render failed"))
        failed = ExportError(unpack(text, failure.get("messages", {})))
        failed.exit_status = int(error.get("exit_status", failed.exit_status))
        raise failed
    if status != 0:
        said = "\n".join(text for text in tail if text.strip())
        raise ExportError(
            "the render in a second Blender failed ({ending}). Its last output:\n{said}", ending=child.ending, said=said
        )


def _parse(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"warpnoise"'):
        return None
    try:
        message = parse_json(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
