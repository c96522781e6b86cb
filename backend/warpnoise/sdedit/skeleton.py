"""Networks of a model's configuration, without weights: what the files that a user names are compared with."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import diffusers
import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet
from warpnoise.sdedit.model_files import component

_LIBRARIES = ("diffusers", "transformers")


def pipeline_class(model: ModelFolder) -> Any:
    """The class of diffusers that runs a model with a prompt."""
    assert model.family is not None
    return getattr(diffusers, model.family.pipeline)


def part_class(model: ModelFolder, part: str) -> Any:
    """The class of one part. Raises ModelError: the installed libraries do not have it."""
    library, name = model.parts[part]
    kind = getattr(importlib.import_module(library), name, None) if library in _LIBRARIES else None
    if kind is None:
        raise ModelError(
            f"{model.path}: its {part} is a {name} of {library}, which is not in the installed diffusers "
            f"{diffusers.__version__} and transformers: update Warpnoise's backend, or choose another model"
        )
    return kind


def skeleton(model: ModelFolder, part: str) -> torch.nn.Module:
    """One part's network, on the device "meta". Do not change it: the next call returns the same.

    Raises:
        ModelError: the libraries cannot make a network of this configuration.
    """
    place, kind = component(model.path, part), part_class(model, part)
    status = (place / "config.json").stat()
    try:
        return _kept(place, kind, status.st_size, status.st_mtime_ns)
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"{place} cannot be loaded as a {kind.__name__} ({first_line(error)}): download the model again"
        ) from error


def empty_network(place: Path, kind: Any) -> torch.nn.Module:
    """The network of a folder's configuration, on the device "meta"; nothing is allocated."""
    with quiet(), torch.device("meta"):
        if hasattr(kind, "from_config") and hasattr(kind, "load_config"):
            network: torch.nn.Module = kind.from_config(kind.load_config(str(place)))
        else:
            network = kind(kind.config_class.from_pretrained(str(place)))
    return network


@functools.lru_cache(maxsize=4)
def _kept(place: Path, kind: Any, size: int, time: int) -> torch.nn.Module:
    """``size`` and ``time`` are those of config.json."""
    return empty_network(place, kind)
