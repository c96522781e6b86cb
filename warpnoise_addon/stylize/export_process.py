"""The export in a second, background Blender on a copy of the file: nothing blocks, nothing of the open file changes.

It prints a line of JSON after each frame (`status.Status.as_json`) among Blender's own lines. Called from any thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import Cancelled, ExportError
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
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,  # closed when we end, whichever way: the export ends with us
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise ExportError(f"a second Blender for the render cannot be started: {argv[0]}: {error.strerror}") from None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), name="warpnoise-export", daemon=True)
    reader.start()
    try:
        _follow(process, lines, reporter, cancelled)
    finally:
        _end(process)
        reader.join(1.0)


def _follow(
    process: subprocess.Popen[str],
    lines: queue.SimpleQueue[str | None],
    reporter: Reporter,
    cancelled: Callable[[], bool],
) -> None:
    tail: deque[str] = deque(maxlen=12)
    error: dict[str, Any] | None = None
    heard = time.monotonic()
    while True:
        if cancelled():
            raise Cancelled("cancelled while rendering; finished frames stay")
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            if time.monotonic() - heard > SILENCE_SECONDS:
                raise ExportError(f"the render said nothing for {SILENCE_SECONDS:.0f} s and was given up") from None
            continue
        heard = time.monotonic()
        if line is None:
            break
        message = _message(line)
        if message is None:
            tail.append(line)
        else:
            _report(message, reporter)
            error = message.get("error") or error
    status = process.wait()
    if error is not None:
        failed = ExportError(str(error.get("message", "the render failed")))
        failed.exit_status = int(error.get("exit_status", failed.exit_status))
        raise failed
    if status != 0:
        said = "\n".join(text for text in tail if text.strip())
        ending = f"killed by signal {-status}" if status < 0 else f"exit code {status}"
        raise ExportError(f"the render in a second Blender failed ({ending}). Its last words:\n{said}")


def _report(message: dict[str, Any], reporter: Reporter) -> None:
    if message.get("stage") == "exporting":
        done, total = int(message["frames_done"]), int(message["frames_total"])
        newest = message.get("newest")
        reporter.update(
            frames_done=done,
            frames_total=total,
            seconds_left=reporter.seconds_left(done, total),
            newest=Path(newest) if newest else reporter.status.newest,
        )
    reporter.warn(*message.get("warnings", ()))


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(OSError, ValueError), process.stdout:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _message(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"warpnoise"'):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        # It works on a copy, and every file appears whole or not at all: there is nothing to wait for.
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5.0)
    with contextlib.suppress(OSError):
        process.stdin.close()


def end_with_parent() -> None:
    """In the exporting process: end when standard input closes, which is when the parent has ended."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(130)

    threading.Thread(target=wait, name="warpnoise-parent", daemon=True).start()
