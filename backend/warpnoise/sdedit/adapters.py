"""The code that LoRAs, textual inversions, IP-Adapters and ControlNets share. They stay loaded until others are set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import ModelFolder


def unsuitable(setting: str, path: Path, problem: str) -> ModelError:
    """The error for an adapter that the model cannot use."""
    option = setting.replace("_", "-")
    return ModelError(f"{setting} {path} {problem}. Choose one made for this model, or leave it out (--{option} none)")


class Adapters(ABC):
    """The adapters of one kind in a pipeline. Those of another base model raise ModelError, and then none is loaded."""

    def __init__(self, folder: ModelFolder, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        self.folder, self.pipeline, self.device, self.dtype = folder, pipeline, device, dtype
        self._loaded: tuple[Any, ...] = ()

    def _replace(self, wanted: tuple[Any, ...]) -> bool:
        """Load ``wanted`` in place of what is loaded, and return whether that changed anything."""
        if wanted == self._loaded:
            return False
        if self._loaded:
            self._unload()
        self._loaded = wanted
        try:
            self._load(wanted)
        except Exception:
            self._unload()
            self._loaded = ()
            raise
        return True

    @abstractmethod
    def _load(self, wanted: tuple[Any, ...]) -> None: ...

    @abstractmethod
    def _unload(self) -> None:
        """Also removes adapters of which only a part was loaded."""
