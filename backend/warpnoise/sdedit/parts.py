"""Loads a model's parts, and the pipeline that consists of them, from safetensors files in the folder only."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.file_parts import load_file_parts
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, placed, quiet
from warpnoise.sdedit.memory import place
from warpnoise.sdedit.memory_plan import MemoryPlan, is_quantized_part
from warpnoise.sdedit.model_bounds import check_amount, read_config
from warpnoise.sdedit.model_files import component, find_weights
from warpnoise.sdedit.processors import load_processors, load_tokenizers
from warpnoise.sdedit.quantize import quantize_network
from warpnoise.sdedit.skeleton import empty_network, part_class, pipeline_class

_ON_THE_DEVICE = MemoryPlan()


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
                numbers = sum(weight.numel() for weight in empty_network(place, kind).parameters())
                check_amount(place, numbers, files)
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


def load_pipeline(
    folder: ModelFolder, device: torch.device, dtype: torch.dtype, memory: MemoryPlan = _ON_THE_DEVICE
) -> Any:
    """The pipeline of a folder that is of one of the ``FAMILIES``.

    Autoencoders are in float32 on every device: in half precision some overflow, and they are a small part of the work.

    Raises:
        ModelError: a part is missing, damaged, or of a library that is not known.
    """
    assert folder.family is not None
    waiting = device if memory.offload == "none" else torch.device("cpu")
    loaded = {}
    places = dict.fromkeys(folder.parts, waiting)
    quantized = [part for part in folder.weighted if memory.quantize != "none" and is_quantized_part(part)]
    places.update(dict.fromkeys(quantized, torch.device("cpu")))
    if folder.file is not None:
        loaded.update(load_file_parts(folder, folder.file, places, dtype, partial(part_class, folder)))
    for part in folder.weighted:
        if part not in loaded:
            precision = torch.float32 if part == "vae" else dtype
            loaded[part] = load_part(folder, part, part_class(folder, part), places[part], precision)
        if part in quantized:
            quantize_network(loaded[part], memory.quantize, dtype)
            loaded[part].to(waiting)
    kind = pipeline_class(folder)
    named = [part for part, value in folder.index.items() if isinstance(value, list) and any(value)]
    unused = [part for part in named if part not in folder.parts]
    # diffusers would load published processors with their part for video, which needs torchvision.
    text = {**load_tokenizers(folder), **load_processors(folder)}
    processors = [part for part in text if folder.parts[part][1].endswith("Processor")]
    loaded.update({part: reader for part, reader in text.items() if part not in processors})
    left_out: dict[str, Any] = dict.fromkeys([*unused, *processors])
    if "requires_safety_checker" in folder.index:
        left_out["requires_safety_checker"] = False
    try:
        with quiet():
            pipeline = kind.from_pretrained(str(folder.path), local_files_only=True, **loaded, **left_out)
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"{folder.path} cannot be loaded as a {kind.__name__} ({first_line(error)}): download the model again"
        ) from error
    pipeline.register_modules(**{part: text[part] for part in processors})
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, memory, device)
    return pipeline
