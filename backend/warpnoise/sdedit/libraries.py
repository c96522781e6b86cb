"""The errors that diffusers and transformers raise, and how to silence their output."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

LIBRARY_ERRORS = (Exception,)
"""What a library raises for a damaged model: anything, tokenizers the bare class. See ``first_line``."""
_LONGEST_REASON = 300


def placed(network: Any, device: torch.device) -> Any:
    """A network on a device, its weights laid out as is quickest there."""
    network = network.to(device=device)
    if device.type == "cpu" and all(weight.dim() <= 4 for weight in network.parameters()):
        # Convolutions on CPUs are a fifth faster so (measured); activations follow the weights.
        network = network.to(memory_format=torch.channels_last)
    return network


def first_line(error: BaseException) -> str:
    """The first line of a library's error, without the names of Python's classes."""
    line = (str(error).strip().splitlines() or ["it does not say why"])[0]
    line = re.sub(r"<class '([^']*)'>", r"\1", line)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppresses progress bars and warnings of libraries, which would appear between the command's own lines."""
    shown = transformers_logging.is_progress_bar_enabled()
    shown_by_diffusers = diffusers_logging.is_progress_bar_enabled()
    verbosity = diffusers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        diffusers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        if shown_by_diffusers:
            diffusers_logging.enable_progress_bar()
