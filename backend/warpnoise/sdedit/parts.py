"""Loading a model's parts, and the pipeline that they make: safetensors only, from the folder only."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from warpnoise.errors import ModelError
from warpnoise.sdedit.file_parts import load_file_parts, load_tokenizers
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, placed, quiet
from warpnoise.sdedit.memory import place, quantization
from warpnoise.sdedit.memory_plan import MemoryPlan
from warpnoise.sdedit.model_bounds import check_amount, read_config
from warpnoise.sdedit.model_files import component, find_weights

_ON_THE_DEVICE = MemoryPlan()
_LIBRARIES = ("diffusers", "transformers")


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
    except ImportError as error:
        raise ModelError(
            f"{place} needs another package in the backend's Python: {first_line(error)}. Install it"
            + ("" if quantized is None else ", or leave --quantize out")
        ) from error
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
    return placed(model, device).eval().requires_grad_(False)


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
    if "processor" in folder.parts and importlib.util.find_spec("torchvision") is None:
        raise ModelError(
            f"{folder.name} is a model of {folder.family.title}, whose text encoder is shown pictures: this needs the "
            "package torchvision in the backend's Python. Install the one for its version of PyTorch"
        )
    waiting = device if memory.offload == "none" else torch.device("cpu")
    loaded = {}
    for part in folder.weighted_in_folder:
        kind = _class(folder, part)
        quantize = memory.quantize if part == folder.network_part else "none"
        stored = quantization(kind, quantize, device, dtype)
        loaded[part] = load_part(folder, part, kind, waiting, torch.float32 if part == "vae" else dtype, stored)
    if folder.file is not None:
        loaded.update(load_file_parts(folder, folder.file, waiting, dtype, partial(_class, folder)))
    if folder.own_tokenizers:
        loaded.update(load_tokenizers(folder))
    kind = getattr(diffusers, folder.family.pipeline)
    named = [part for part, value in folder.index.items() if isinstance(value, list) and any(value)]
    unused = [part for part in named if part not in folder.parts]
    has_processor = folder.parts.get("tokenizer", ("", ""))[1].endswith("Processor")
    left_out: dict[str, Any] = dict.fromkeys([*unused, "tokenizer"] if has_processor else unused)
    if "requires_safety_checker" in folder.index:
        left_out["requires_safety_checker"] = False
    try:
        with quiet():
            pipeline = kind.from_pretrained(str(folder.path), local_files_only=True, **loaded, **left_out)
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"{folder.path} cannot be loaded as a {kind.__name__} ({first_line(error)}): download the model again"
        ) from error
    if has_processor:
        pipeline.register_modules(tokenizer=_tokenizer_alone(component(folder.path, "tokenizer")))
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, memory, device)
    return pipeline


def _tokenizer_alone(place: Path) -> Any:
    """The tokenizer of a processor that is shown no pictures: the processor would need torchvision."""
    try:
        with quiet():
            return transformers.AutoTokenizer.from_pretrained(str(place), local_files_only=True)
    except LIBRARY_ERRORS as error:
        raise ModelError(f"{place} cannot be loaded ({first_line(error)}): download the model again") from error


def _class(folder: ModelFolder, part: str) -> Any:
    library, name = folder.parts[part]
    kind = getattr(importlib.import_module(library), name, None) if library in _LIBRARIES else None
    if kind is None:
        raise ModelError(
            f"{folder.path}: its {part} is a {name} of {library}, which is not in the installed diffusers "
            f"{diffusers.__version__} and transformers: update Warpnoise's backend, or choose another model"
        )
    return kind
