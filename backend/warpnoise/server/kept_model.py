"""The model of the last job, kept loaded for the next: in main memory, since between jobs a GPU's is Blender's."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from warpnoise.sdedit import Editor, ModelFolder, load_model
from warpnoise.sdedit.memory_plan import MemoryOptions

IDLE_SECONDS = 600.0
"""For so long a model is kept, unless ``KeptModel.idle_seconds`` says otherwise."""

_CHOSEN = MemoryOptions()
_State = tuple[int, int] | None
"""Size and time of a file; None: it is not there."""
_Key = tuple[str, str | None, str | None, MemoryOptions, tuple[tuple[str, int, int], ...]]


class Load(Protocol):
    """As ``sdedit.load_model``."""

    def __call__(
        self, name_or_path: str, device: str | None = None, dtype: str | None = None, memory: MemoryOptions = ...
    ) -> Editor: ...


class KeptModel:
    """Keeps one model. Jobs run one at a time; ``free`` may be called from any thread."""

    def __init__(self, load: Load = load_model, idle_seconds: float = IDLE_SECONDS) -> None:
        self._load, self.idle_seconds = load, idle_seconds
        self._lock = threading.Lock()
        self._editor: Editor | None = None
        self._key: _Key | None = None
        self._named: dict[Path, _State] = {}
        self._in_use = False
        self._timer: threading.Timer | None = None

    @contextmanager
    def for_a_job(self, named: Iterable[Path] = ()) -> Iterator[Load]:
        """What loads a job's model: the kept one, if it is that and none of its files changed since.

        Args:
            named: the files beside the model that the settings name (`sdedit.model_files.named_files`). The model may
                hold what it read from them for an earlier job; one that changed since frees it.
        """
        states = {path: _state(path) for path in named}
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

    def _take(
        self,
        name_or_path: str,
        device: str | None = None,
        dtype: str | None = None,
        memory: MemoryOptions = _CHOSEN,
    ) -> Editor:
        key = (name_or_path, device, dtype, memory, _files(ModelFolder.open(name_or_path)))
        if self._editor is not None and key == self._key:
            self._editor.wake()
            return self._editor
        self._editor = self._key = None  # its memory is needed for the next
        self._editor = self._load(name_or_path, device, dtype, memory)
        self._key = key
        return self._editor

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _state(path: Path) -> _State:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _files(model: ModelFolder) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of every file of a model."""
    paths = [*sorted(model.path.rglob("*")), *([] if model.file is None else [model.file])]
    found = [(path, path.stat()) for path in paths if path.is_file()]
    return tuple((str(path), status.st_size, status.st_mtime_ns) for path, status in found)
