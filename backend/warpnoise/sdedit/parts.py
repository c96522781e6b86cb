"""Loading a model's parts, and the pipeline that they make: safetensors only, from the folder only."""

from __future__ import annotations

import contextlib
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
from warpnoise.sdedit.memory import place, quantization
from warpnoise.sdedit.memory_plan import MemoryPlan
from warpnoise.sdedit.model_bounds import check_amount, read_config
from warpnoise.sdedit.model_files import component, find_weights

_ON_THE_DEVICE = MemoryPlan()
_LIBRARIES = ("diffusers", "transformers")
LIBRARY_ERRORS = (Exception,)
"""What a library raises for a damaged model: anything, tokenizers the bare class. See ``first_line``."""
_LONGEST_REASON = 300


def load_part(
    folder: ModelFolder, part: str, kind: Any, device: torch.device, dtype: torch.dtype, quantized: Any = None
) -> Any:
    """A network of diffusers or transformers with its weights, ready for inference.

    Raises:
        ModelError: the weights are missing, pickled, damaged or do not fit the configuration.
    """
    return load_network(component(folder.path, part), kind, device, dtype, quantized)


def load_network(place: Path, kind: Any, device: torch.device, dtype: torch.dtype, quantized: Any = None) -> Any:
    """The same of any folder that holds one network. ``quantized``: how its weights are stored, as
    `warpnoise.sdedit.memory.quantization`; the package that does it chooses the device."""
    files, variant = find_weights(place)
    config = read_config(place / "config.json")
    try:
        with quiet():
            if "quantization_config" not in config:  # quantized weights are packed
                check_amount(place, _numbers(kind, place), files)
            model, found = kind.from_pretrained(
                str(place),
                use_safetensors=True,
                local_files_only=True,
                variant=variant,
                torch_dtype=dtype,
                output_loading_info=True,
                **({} if quantized is None else {"quantization_config": quantized}),
            )
    except ModelError:
        raise
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"{place} cannot be loaded as a {kind.__name__} ({first_line(error)}): download the model again"
        ) from error
    if missing := sorted(found["missing_keys"]):
        raise ModelError(
            f"{place}: its weights have no tensor {missing[0]}, which its config.json asks for. "
            "Download the model again."
        )
    if quantized is not None:
        return model.eval().requires_grad_(False)
    model = model.to(device=device).eval().requires_grad_(False)
    if device.type == "cpu" and all(weight.dim() <= 4 for weight in model.parameters()):
        # Convolutions on CPUs are a fifth faster so (measured); activations follow the weights.
        model = model.to(memory_format=torch.channels_last)
    return model


def _numbers(kind: Any, place: Path) -> int:
    """How many numbers a network of this configuration has; nothing is allocated."""
    with torch.device("meta"):
        if hasattr(kind, "from_config") and hasattr(kind, "load_config"):
            network = kind.from_config(kind.load_config(str(place)))
        else:
            network = kind(kind.config_class.from_pretrained(str(place)))
    return sum(weight.numel() for weight in network.parameters())


def load_pipeline(
    folder: ModelFolder, device: torch.device, dtype: torch.dtype, memory: MemoryPlan = _ON_THE_DEVICE
) -> Any:
    """The pipeline of a folder that is of one of the ``FAMILIES``.

    Autoencoders are in float32 on every device: in half precision some overflow, and they are a small part of the work.

    Raises:
        ModelError: a part is missing, damaged, or of a library that is not known; quantizing needs another package.
    """
    assert folder.family is not None
    waiting = device if memory.offload == "none" else torch.device("cpu")
    loaded = {}
    for part in folder.weighted_in_folder:
        kind = _class(folder, part)
        quantize = memory.quantize if part == folder.network_part else "none"
        stored = quantization(kind, quantize, device, dtype)
        loaded[part] = load_part(folder, part, kind, waiting, torch.float32 if part == "vae" else dtype, stored)
    if folder.file is not None:
        loaded[folder.network_part] = _load_file(folder, folder.file, waiting, dtype)
    kind = getattr(diffusers, folder.family.pipeline)
    left_out: dict[str, Any] = {part: None for part in ("safety_checker", "feature_extractor") if part in folder.index}
    if "requires_safety_checker" in folder.index:
        left_out["requires_safety_checker"] = False
    try:
        with quiet():
            pipeline = kind.from_pretrained(str(folder.path), local_files_only=True, **loaded, **left_out)
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"{folder.path} cannot be loaded as a {kind.__name__} ({first_line(error)}): download the model again"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, memory, device)
    return pipeline


def _load_file(folder: ModelFolder, file: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """The network out of a file of its own; a GGUF file's weights stay as small as they are in it."""
    kind = _class(folder, folder.network_part)
    options: dict[str, Any] = {}
    if file.suffix == ".gguf":
        options["quantization_config"] = diffusers.GGUFQuantizationConfig(compute_dtype=dtype)  # type: ignore[no-untyped-call]
    try:
        with quiet():
            network = kind.from_single_file(
                str(file),
                config=str(folder.path),
                subfolder=folder.network_part,
                local_files_only=True,
                torch_dtype=dtype,
                **options,
            )
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"model {file} cannot be loaded as the {kind.__name__} of {folder.path} ({first_line(error)}): it is for "
            "another base, or damaged"
        ) from error
    return network.to(device).eval().requires_grad_(False)


def _class(folder: ModelFolder, part: str) -> Any:
    library, name = folder.parts[part]
    kind = getattr(importlib.import_module(library), name, None) if library in _LIBRARIES else None
    if kind is None:
        raise ModelError(
            f"{folder.path}: its {part} is a {name} of {library}, which is not in the installed diffusers "
            f"{diffusers.__version__} and transformers: update Warpnoise's backend, or choose another model"
        )
    return kind


def first_line(error: BaseException) -> str:
    """What a library's error says, in one line, without the names of Python's classes."""
    line = (str(error).strip().splitlines() or ["it does not say why"])[0]
    line = re.sub(r"<class '([^']*)'>", r"\1", line)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without progress bars, which would stand between the command's own lines, and without warnings of libraries."""
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
