"""LoRAs (Hu et al. 2021): small files that change a model's layers. Several can be combined, each with a weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warpnoise.errors import ModelError
from warpnoise.sdedit.adapters import Lora
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet
from warpnoise.sdedit.lora_files import read_lora
from warpnoise.sdedit.places import resolve


class Loras:
    """The LoRAs of one pipeline. Files are loaded when they are first asked for, and stay until others are."""

    def __init__(self, folder: ModelFolder, pipeline: Any) -> None:
        self._folder, self._pipeline = folder, pipeline
        self._loaded: tuple[Path, ...] = ()
        self._weights: tuple[float, ...] = ()

    def apply(self, loras: Sequence[Lora]) -> bool:
        """Have the pipeline compute with these and no others; whether that changed anything.

        Raises:
            ModelError: as `read_lora`.
        """
        paths = tuple(resolve(lora.path, "lora") for lora in loras)
        weights = tuple(lora.weight for lora in loras)
        if (paths, weights) == (self._loaded, self._weights):
            return False
        if paths != self._loaded:
            self._load(paths)
        if paths:
            self._pipeline.set_adapters([_name(index) for index in range(len(paths))], list(weights))
        self._weights = weights
        return True

    def _load(self, paths: tuple[Path, ...]) -> None:
        found = [read_lora(self._folder, path) for path in paths]
        if self._loaded:
            self._pipeline.unload_lora_weights()
            self._loaded, self._weights = (), ()
        for index, (path, weights) in enumerate(zip(paths, found, strict=True)):
            try:
                with quiet():
                    self._pipeline.load_lora_weights(weights, adapter_name=_name(index))
            except LIBRARY_ERRORS as error:
                self._pipeline.unload_lora_weights()
                raise ModelError(
                    f"lora {path} cannot be loaded ({first_line(error)}): it is for another base"
                ) from error
        self._loaded = paths


def _name(index: int) -> str:
    return f"warpnoise_{index}"
