"""diffusers and transformers: their classes, their networks without weights, their errors and their output."""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_files import component

_LIBRARIES = ("diffusers", "transformers")
_LONGEST_REASON = 300


@contextlib.contextmanager
def loading(what: str, advice: str = "download the model again") -> Iterator[None]:
    """Suppresses the libraries' output, and raises ModelError for any error of theirs.

    Args:
        what: the start of the message: "lora FILE cannot be loaded". The library's reason follows in parentheses.
        advice: the end of the message.
    """
    try:
        with quiet():
            yield
    except ModelError:
        raise
    except ImportError as error:
        raise ModelError(f"{what} without another package ({first_line(error)}): install it for the backend") from error
    except Exception as error:  # a library raises anything for a damaged model; tokenizers raise the bare class
        raise ModelError(f"{what} ({first_line(error)}): {advice}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppresses progress bars and warnings of libraries, which would appear between the command's own lines."""
    shown = transformers_logging.is_progress_bar_enabled()
    shown_by_diffusers = diffusers_logging.is_progress_bar_enabled()
    verbosity = diffusers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        diffusers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()
        if shown_by_diffusers:
            diffusers_logging.enable_progress_bar()


def first_line(error: BaseException) -> str:
    """The first line of a library's error, without the names of Python's classes."""
    line = (str(error).strip().splitlines() or ["it does not say why"])[0]
    line = re.sub(r"<class '([^']*)'>", r"\1", line)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."


def placed(network: Any, device: torch.device) -> Any:
    """The network on a device, with its weights in the memory format that is fastest there."""
    network = network.to(device=device)
    if device.type == "cpu" and all(weight.dim() <= 4 for weight in network.parameters()):
        # Convolutions on CPUs are a fifth faster so (measured); activations follow the weights.
        network = network.to(memory_format=torch.channels_last)
    return network


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
    """One part's network without weights, on the device "meta". Calls share it, so do not change it.

    Raises:
        ModelError: the libraries cannot make a network of this configuration.
    """
    place, kind = component(model.path, part), part_class(model, part)
    status = (place / "config.json").stat()
    with loading(f"{place} cannot be loaded as a {kind.__name__}"):
        return _cached_skeleton(place, kind, status.st_size, status.st_mtime_ns)


def empty_network(place: Path, kind: Any) -> torch.nn.Module:
    """The network of a folder's configuration, on the device "meta"; nothing is allocated."""
    with quiet(), torch.device("meta"):
        if hasattr(kind, "from_config") and hasattr(kind, "load_config"):
            network: torch.nn.Module = kind.from_config(kind.load_config(str(place)))
        else:
            network = kind(kind.config_class.from_pretrained(str(place)))
    return network


@functools.lru_cache(maxsize=4)
def _cached_skeleton(place: Path, kind: Any, size: int, time: int) -> torch.nn.Module:
    """``size`` and ``time``: of config.json."""
    return empty_network(place, kind)
