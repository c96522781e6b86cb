"""Loading a model's parts, and the pipeline that they make: safetensors only, from the folder only."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.file_parts import load_file_parts, load_tokenizers
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, placed, quiet
from warpnoise.sdedit.memory import place
from warpnoise.sdedit.memory_plan import MemoryPlan
from warpnoise.sdedit.model_bounds import check_amount, read_config
from warpnoise.sdedit.model_files import component, find_weights
from warpnoise.sdedit.processors import load_processor, load_tokenizer
from warpnoise.sdedit.quantize import quantize_network

_ON_THE_DEVICE = MemoryPlan()
_LIBRARIES = ("diffusers", "transformers")
_SHOWN_PICTURES = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor")


def load_part(folder: ModelFolder, part: str, kind: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """A network of diffusers or transformers with its weights, ready for inference.

    Raises:
        ModelError: the weights are missing, pickled, damaged or do not fit the configuration.
    """
    return load_network(component(folder.path, part), kind, device, dtype)


def load_network(place: Path, kind: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """The same of any folder that holds one network."""
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
            )
    except ModelError:
        raise
    except ImportError as error:
        raise ModelError(
            f"{place} needs another package in the backend's Python: {first_line(error)}. Install it"
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
        ModelError: a part is missing, damaged, or of a library that is not known; it cannot be quantized.
    """
    assert folder.family is not None
    waiting = device if memory.offload == "none" else torch.device("cpu")
    loaded = {}
    places = dict.fromkeys(folder.parts, waiting)
    if memory.quantize != "none":
        places[folder.network_part] = torch.device("cpu")
    for part in folder.weighted_in_folder:
        precision = torch.float32 if part == "vae" else dtype
        loaded[part] = load_part(folder, part, _class(folder, part), places[part], precision)
    if folder.file is not None:
        loaded.update(load_file_parts(folder, folder.file, places, dtype, partial(_class, folder)))
    if memory.quantize != "none":
        quantize_network(loaded[folder.network_part], memory.quantize, dtype, folder.name)
        loaded[folder.network_part].to(waiting)
    if folder.own_tokenizers:
        loaded.update(load_tokenizers(folder))
    kind = getattr(diffusers, folder.family.pipeline)
    named = [part for part, value in folder.index.items() if isinstance(value, list) and any(value)]
    unused = [part for part in named if part not in folder.parts]
    text = _text_readers(folder)
    left_out: dict[str, Any] = dict.fromkeys([*unused, *text])
    if "requires_safety_checker" in folder.index:
        left_out["requires_safety_checker"] = False
    try:
        with quiet():
            pipeline = kind.from_pretrained(str(folder.path), local_files_only=True, **loaded, **left_out)
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"{folder.path} cannot be loaded as a {kind.__name__} ({first_line(error)}): download the model again"
        ) from error
    pipeline.register_modules(**text)
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, memory, device)
    return pipeline


def _text_readers(folder: ModelFolder) -> dict[str, Any]:
    """What diffusers would load with a processor's part for video."""
    found = {}
    for part, (_, kind) in folder.parts.items():
        if part == "tokenizer" and kind.endswith("Processor"):
            found[part] = load_tokenizer(component(folder.path, part))  # it is shown no pictures
        elif kind in _SHOWN_PICTURES:
            found[part] = load_processor(component(folder.path, part))
    return found


def _class(folder: ModelFolder, part: str) -> Any:
    library, name = folder.parts[part]
    kind = getattr(importlib.import_module(library), name, None) if library in _LIBRARIES else None
    if kind is None:
        raise ModelError(
            f"{folder.path}: its {part} is a {name} of {library}, which is not in the installed diffusers "
            f"{diffusers.__version__} and transformers: update Warpnoise's backend, or choose another model"
        )
    return kind
