"""The parameters of a run, as plain values that can be passed to threads and other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..export.options import ExportOptions
from ..setup.plan import Plan


@dataclass(frozen=True)
class BackendChoice:
    """Which backend: the one that runs at ``url`` if that is set, else one that we start with ``python``.

    Empty texts are not set (see `backend.locate`). ``device`` None, ``batch`` None and what ``memory`` lacks of
    `settings.MEMORY` leave the choice to the backend.
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


@dataclass(frozen=True, kw_only=True)
class StylizeRequest(ExportOptions):
    """One run: an export, and what becomes of it.

    ``preview``: its one frame is to be looked at; no result is touched. ``connect``: see `compositor.add_stylized`.
    ``frame_size``: width and height of the frames in pixels.
    """

    scene: str
    frame_size: tuple[int, int] | None = None
    preview: bool = False
    connect: bool = False
    backend: BackendChoice = field(default_factory=BackendChoice)

    @property
    def nothing_to_do(self) -> bool:
        """A farm may have more chunks than the shot has frames."""
        return self.color_frames is not None and not self.color_frames
