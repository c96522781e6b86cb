"""Loading one part of a model: safetensors only, from the folder only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import ModelFolder, component, find_weights


def load_part(folder: ModelFolder, part: str, kind: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """A network of diffusers or transformers with its weights, ready for inference.

    Raises:
        ModelError: the weights are missing, pickled, damaged or do not fit the configuration.
    """
    place = component(folder.path, part)
    _, variant = find_weights(place)
    try:
        with _no_progress_bar():
            model = kind.from_pretrained(
                str(place), use_safetensors=True, local_files_only=True, variant=variant, torch_dtype=dtype
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{place} cannot be loaded as a {kind.__name__} ({first_line}): download the model again"
        ) from error
    model = model.to(device=device).eval().requires_grad_(False)
    # Convolutions on CPUs are a fifth faster so (measured); activations follow the weights.
    return model.to(memory_format=torch.channels_last) if device.type == "cpu" else model


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Weights are there in a moment, and the bar would stand between the command's own lines."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
