"""What is asked for, as plain values: it is made in Blender and then handed to threads and other processes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..backend.locate import BackendCommand
from ..errors import SettingsError
from ..export.options import ExportOptions
from ..frame_ranges import frames_text, parse_frames
from ..messages import Message
from ..settings import Settings, make_settings
from ..setup.plan import Plan


@dataclass(frozen=True)
class Frames:
    """A shot's frame numbers; ``end`` is included where the steps meet it."""

    start: int
    end: int
    step: int = 1

    @classmethod
    def parse(cls, text: str) -> Frames:
        """What ``parse_frames`` takes, as long as it has one step: ``7``, ``1-24``, ``1-9:2``.

        Raises:
            SettingsError: as ``parse_frames``, or the steps between the frames differ.
        """
        numbers = parse_frames(text)
        step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
        frames = cls(numbers[0], numbers[-1], step)
        if list(frames.numbers) != numbers:
            raise SettingsError(
                "frames: {text!r} does not have one frame step. Give the shot's whole range, such as "
                "{first}-{last}, and choose frames of it with --only",
                text=text,
                first=numbers[0],
                last=numbers[-1],
            )
        return frames

    @property
    def numbers(self) -> range:
        """The frame numbers."""
        return range(self.start, self.end + 1, self.step)

    def __str__(self) -> str:
        return f"{self.start}-{self.end}" + (f":{self.step}" if self.step != 1 else "")


@dataclass(frozen=True)
class Chunk:
    """Part ``number`` (from 1) of ``count`` equal parts of the frames, as the machines of a farm share them."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Chunk:
        """``3/10``.

        Raises:
            SettingsError: something else, or no part of that number.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if match is None:
            raise SettingsError("chunk: expected K/N like 3/10, got {text!r}", text=text)
        number, count = int(match[1]), int(match[2])
        if not 1 <= number <= count:
            raise SettingsError(
                "chunk {number}/{count}: expected a number from 1 to the count, as in 3/10", number=number, count=count
            )
        return cls(number, count)

    def of(self, frames: range) -> range:
        """The part (docs/architecture.md, "Some of a job's frames"); empty where there are more parts than frames."""
        return frames[len(frames) * (self.number - 1) // self.count : len(frames) * self.number // self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


MEMORY = ("offload", "quantize", "tiling")
"""How a model shares the device's memory."""


@dataclass(frozen=True)
class BackendChoice:
    """Which backend: the one that runs at ``url`` if that is set, else one that we start with ``python``.

    Empty texts are not set (see `backend.locate`). ``device`` None, ``batch`` None and what ``memory`` lacks of
    ``MEMORY`` leave the choice to the backend.
    ``exclusive``: the environment's variables do not win. ``delete_after``: a server elsewhere shall keep nothing of
    the frames. ``offline``: why a server elsewhere may not be asked; empty: it may. ``update``: what brings the backend
    of this extension into the environment of ``python``; None: it is there.
    """

    python: str = ""
    url: str = ""
    token_file: str = ""
    device: str | None = None
    batch: int | None = None
    memory: Mapping[str, str] = field(default_factory=dict)
    delete_after: bool = False
    exclusive: bool = False
    offline: str = ""
    update: Plan | None = None


@dataclass(frozen=True)
class StylizeRequest:
    """One run. ``folder``, ``color_source`` and ``passes_source`` are absolute; see `export.options` for the latter.

    ``only``: only these of the frames, a text for ``parse_frames``; ``chunk``: only this part of them. Their noise
    still comes through all frames before. ``preview``: only this one, to be looked at; no result is touched.
    ``earlier_motion``: render the motion of earlier frames too, so that these can be stylized at once.
    ``size``: pixels of the longer side; None: the scene's size.
    """

    scene: str
    folder: Path
    frames: Frames
    settings: Settings = field(default_factory=make_settings)
    color_source: Path | None = None
    passes_source: Path | None = None
    keep_existing: bool = False
    connect: bool = False
    backend: BackendChoice = field(default_factory=BackendChoice)
    only: str = ""
    chunk: Chunk | None = None
    preview: int | None = None
    earlier_motion: bool = True
    size: int | None = None
    reader: BackendCommand | None = None
    """What reads existing frames."""

    @property
    def part(self) -> Sequence[int] | None:
        """The chosen frames, those of the chunk, or the previewed one; None: all are wanted.

        Raises:
            SettingsError: the frame to be previewed, or a chosen one, is none of the frames.
        """
        frames = self.frames.numbers
        if self.preview is not None:
            if self.preview not in frames:
                raise SettingsError(
                    "frame {preview} cannot be previewed: it is not among the frames {frames}",
                    preview=self.preview,
                    frames=self.frames,
                )
            return range(self.preview, self.preview + 1)
        if self.only:
            wanted = parse_frames(self.only)
            missing = [number for number in wanted if number not in frames]
            if missing:
                raise SettingsError(
                    "only: the shot has no frame {missing}; it has {frames}",
                    missing=frames_text(missing, 10),
                    frames=self.frames,
                )
            return wanted
        return self.chunk.of(frames) if self.chunk else None

    @property
    def nothing_to_do(self) -> str:
        """Why there is nothing to do; empty where there is something. Raises SettingsError as ``part``."""
        if self.part is None or self.part:
            return ""
        return Message(
            "chunk {chunk} of frames {frames} is empty: there are more chunks than frames",
            chunk=self.chunk,
            frames=self.frames,
        )

    @property
    def export_options(self) -> ExportOptions:
        """Raises SettingsError when there is nothing to do."""
        if self.nothing_to_do:
            raise SettingsError(self.nothing_to_do)
        return ExportOptions(
            self.folder,
            self.frames.start,
            self.frames.end,
            self.frames.step,
            color_source=self.color_source,
            passes_source=self.passes_source,
            settings=self.settings,
            keep_existing=self.keep_existing,
            color_frames=self.part,
            earlier_motion=self.earlier_motion,
            backend=self.reader,
            size=self.size,
        )
