"""From a request to the pipeline: the work that the queue does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from warpnoise.hub.listing import describe
from warpnoise.job import Settings, Shot, select_frames
from warpnoise.pipeline import stylize
from warpnoise.progress import Progress
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.device import pick_device
from warpnoise.sdedit.memory_plan import MemoryOptions
from warpnoise.sdedit.model_files import named_files
from warpnoise.server.kept_model import KeptModel
from warpnoise.server.model_calls import Checked
from warpnoise.server.named_models import check_names, find_model
from warpnoise.server.schema import NewJob

KEPT_MODEL = KeptModel()
"""The server's."""


@dataclass(frozen=True)
class StylizeWork:
    """A job that was opened and checked."""

    shot: Shot
    settings: Settings
    model: str
    """What ``ModelFolder.open`` takes for the name in the settings."""
    frames: list[int] | None
    preview: bool
    device: str | None
    batch: int | None
    memory: MemoryOptions
    kept: KeptModel

    @property
    def frames_total(self) -> int:
        return len(self.shot.frames if self.frames is None else self.frames)

    def run(self, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
        with self.kept.for_a_job(named_files(self.settings)) as load:
            stylize(
                self.shot,
                self.settings,
                model=self.model,
                frames=self.frames,
                preview=self.preview,
                device=self.device,
                batch=self.batch,
                progress=report,
                cancelled=cancelled,
                load=partial(load, memory=self.memory),
            )


def prepare(request: NewJob, *, only_named: bool = False) -> StylizeWork:
    """Open the job and check all that can be checked before it is its turn.

    Args:
        only_named: models are named, not given by their paths.

    Raises:
        JobError, MediaError: the folder.
        SettingsError, ModelError: the settings, the device, or the model that they name.
    """
    shot = Shot.open(request.path or "", needs=())
    frames = select_frames(shot.frames, request.frames) if request.frames is not None else None
    shot.check(shot.frames if frames is None else frames)
    settings = shot.settings.updated(request.settings or {})
    model, _ = _checked(settings, only_named, (shot.scene.width, shot.scene.height))
    pick_device(request.device)
    memory = MemoryOptions(request.offload, request.quantize, request.tiling)
    return StylizeWork(
        shot, settings, model, frames, request.preview, request.device, request.batch, memory, KEPT_MODEL
    )


def check(settings: dict[str, Any], *, only_named: bool = False) -> Checked:
    """Check settings against the model that they name, by the headers of files. Raises SettingsError, ModelError."""
    made = Settings().updated(settings)
    model, warnings = _checked(made, only_named)
    return Checked(warnings=list(warnings), model=describe(model).model_copy(update={"name": made.model}))


def _checked(settings: Settings, only_named: bool, size: tuple[int, int] | None = None) -> tuple[str, tuple[str, ...]]:
    """What ``ModelFolder.open`` takes for the settings' model, and warnings."""
    if only_named:
        check_names(settings)
    model = find_model(settings.model, only_named)
    return model, check_settings(ModelFolder.open(model), settings, size)
