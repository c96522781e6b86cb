"""What is asked for, as plain values: it is made in Blender and then handed to threads and other processes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SettingsError
from ..export.options import ExportOptions, JobSettings


@dataclass(frozen=True)
class Frames:
    """Blender's frame numbers; ``end`` is included where the steps meet it."""

    start: int
    end: int
    step: int = 1

    @classmethod
    def parse(cls, text: str) -> Frames:
        """``7``, ``1:24`` or ``1:24:2``.

        Raises:
            SettingsError: something else.
        """
        match = re.fullmatch(r"(-?\d+)(?::(-?\d+)(?::(\d+))?)?", text.strip())
        if match is None:
            raise SettingsError(f"frames: expected START:END or START:END:STEP like 1:24 or 1:24:2, got {text!r}")
        start, end, step = match.groups()
        return cls(int(start), int(end if end is not None else start), int(step or 1))

    def __str__(self) -> str:
        return f"{self.start}:{self.end}" + (f":{self.step}" if self.step != 1 else "")


@dataclass(frozen=True)
class BackendChoice:
    """Which backend: the one that runs at ``url`` if that is set, else one that we start with ``python``.

    Empty texts are not set (see `backend.locate`). ``device`` None and ``batch`` None leave the choice to the backend.
    ``delete_after``: a server elsewhere shall keep nothing of the frames.
    """

    python: str = ""
    url: str = ""
    token_file: str = ""
    device: str | None = None
    batch: int | None = None
    delete_after: bool = False


@dataclass(frozen=True)
class StylizeRequest:
    """One run. ``folder``, ``color_source`` and ``passes_source`` are absolute; see `export.options` for the latter."""

    scene: str
    folder: Path
    frames: Frames
    settings: JobSettings = field(default_factory=JobSettings)
    color_source: Path | None = None
    passes_source: Path | None = None
    keep_existing: bool = False
    connect: bool = False
    backend: BackendChoice = field(default_factory=BackendChoice)

    @property
    def export_options(self) -> ExportOptions:
        return ExportOptions(
            self.folder,
            self.frames.start,
            self.frames.end,
            self.frames.step,
            color_source=self.color_source,
            passes_source=self.passes_source,
            settings=self.settings,
            keep_existing=self.keep_existing,
        )
