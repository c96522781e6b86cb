"""Turns a request into the work of the queue, which is a call of the pipeline.

The model of the last job stays loaded for the next one, in main memory, because Blender needs the GPU between jobs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from warpnoise.hub.listing import describe
from warpnoise.job import Settings, Shot, select_frames
from warpnoise.pipeline import stylize
from warpnoise.progress import Progress
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.editor import Editor
from warpnoise.sdedit.memory import check_memory
from warpnoise.sdedit.model_files import named_files
from warpnoise.server.jobs import Work
from warpnoise.server.model_calls import Checked
from warpnoise.server.named_models import check_names, find_model
from warpnoise.server.schema import ModelOptions, NewJob, SettingsToCheck

_States = dict[Path, tuple[int, int] | None]
"""Size and time of files; None: it is not there."""


class KeptModel:
    """Keeps one model. Jobs run one at a time; ``free`` may be called from any thread."""

    def __init__(self, load: Callable[..., Editor] = load_model, idle_seconds: float = 600.0) -> None:
        """``load``: as ``sdedit.load_model``. ``idle_seconds``: for so long a model is kept."""
        self._load, self.idle_seconds = load, idle_seconds
        self._lock = threading.Lock()
        self._editor: Editor | None = None
        self._key: tuple[Any, ...] | None = None
        self._named: _States = {}
        self._in_use = False
        self._timer: threading.Timer | None = None

    @contextmanager
    def for_a_job(self, named: Iterable[Path] = ()) -> Iterator[Callable[..., Editor]]:
        """What loads a job's model: the kept one, if it is that and none of its files changed since.

        Args:
            named: the files beside the model that the settings name (`sdedit.model_files.named_files`). The model may
                hold what it read from them for an earlier job; one that changed since frees it.
        """
        states = _states(named)
        with self._lock:
            self._in_use = True
            self._stop_timer()
            if any(self._named.get(path, state) != state for path, state in states.items()):
                self._editor = self._key = None
            self._named |= states
        try:
            yield self._take
        finally:
            with self._lock:
                self._in_use = False
                if self._editor is not None:
                    self._editor.rest()
                    self._timer = threading.Timer(self.idle_seconds, self.free)
                    self._timer.daemon = True
                    self._timer.start()

    def free(self) -> bool:
        """Let go of the model; False while a job uses it."""
        with self._lock:
            if self._in_use:
                return False
            self._stop_timer()
            self._editor = self._key = None
            return True

    def _take(self, name_or_path: str, *options: Any, **more: Any) -> Editor:
        model = ModelFolder.open(name_or_path)
        files = _states(filter(Path.is_file, [*model.path.rglob("*"), *([] if model.file is None else [model.file])]))
        key = (name_or_path, options, more, files)
        if self._editor is not None and key == self._key:
            self._editor.wake()
            return self._editor
        self._editor = self._key = None  # its memory is needed for the next
        self._editor = self._load(name_or_path, *options, **more)
        self._key = key
        return self._editor

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _states(paths: Iterable[Path]) -> _States:
    states: _States = {}
    for path in paths:
        try:
            status = path.stat()
            states[path] = status.st_size, status.st_mtime_ns
        except OSError:
            states[path] = None
    return states


KEPT_MODEL = KeptModel()
"""The server's."""


def prepare(request: NewJob, *, only_named: bool = False) -> Work:
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
    model, _ = _checked(settings, request, (shot.scene.width, shot.scene.height), only_named)

    def run(report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
        with KEPT_MODEL.for_a_job(named_files(settings)) as load:
            stylize(
                shot,
                settings,
                model=model,
                frames=frames,
                preview=request.preview,
                device=request.device,
                batch=request.batch,
                progress=report,
                cancelled=cancelled,
                load=partial(load, memory=request.memory),
            )

    return Work(len(shot.frames if frames is None else frames), run)


def check(request: SettingsToCheck, *, only_named: bool = False) -> Checked:
    """Check settings against the model that they name, by the headers of files. Raises SettingsError, ModelError."""
    settings = Settings().updated(request.settings)
    model, warnings = _checked(settings, request, request.size, only_named)
    return Checked(warnings=list(warnings), model=describe(model).model_copy(update={"name": settings.model}))


def _checked(
    settings: Settings, options: ModelOptions, size: tuple[int, int] | None, only_named: bool
) -> tuple[str, tuple[str, ...]]:
    """What ``ModelFolder.open`` takes for the settings' model, and warnings."""
    if only_named:
        check_names(settings)
    model = find_model(settings.model, only_named)
    folder = ModelFolder.open(model)
    return model, check_settings(folder, settings, size) + check_memory(folder, options.device, options.memory)
