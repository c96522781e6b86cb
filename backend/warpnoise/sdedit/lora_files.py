"""LoRAs against the model: every layer that a file changes must be one of the model's, of the same widths.

The model's layers are known from its configuration; none of its weights are read.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet
from warpnoise.sdedit.model_files import check_safetensors
from warpnoise.sdedit.skeleton import pipeline_class, skeleton

_DOWN = (".lora_A.weight", ".lora.down.weight", ".lora_down.weight", "_lora.down.weight")
_UP = (".lora_B.weight", ".lora.up.weight", ".lora_up.weight", "_lora.up.weight")
_LEAVE_OUT = "or leave it out (--lora none)"

Tensors = dict[str, torch.Tensor]


def read_lora(model: ModelFolder, path: Path) -> Tensors:
    """The tensors of a LoRA that fits the model, as they are in its file.

    Raises:
        ModelError: no such file, a pickle, damaged, made for another base; or diffusers loads none into the family.
    """
    check_safetensors(path, "lora")
    pipeline = pipeline_class(model)
    if not hasattr(pipeline, "load_lora_weights"):
        raise ModelError(f"lora {path}: diffusers loads no LoRA into a {pipeline.__name__}: leave it out (--lora none)")
    tensors = read_tensors(path)
    try:
        with quiet():
            weights = _with_names_of_diffusers(model, tensors)
    except LIBRARY_ERRORS as error:
        raise ModelError(
            f"lora {path} has a format that diffusers does not know for a {pipeline.__name__} ({first_line(error)}): "
            f"choose one made for this model, {_LEAVE_OUT}"
        ) from error
    layers = {
        key.removesuffix(suffix): value for suffix in _DOWN for key, value in weights.items() if key.endswith(suffix)
    }
    if not layers:
        raise ModelError(f"lora {path} is not a LoRA: it has no layers of one. Choose another file, {_LEAVE_OUT}")
    misfits = [layer for layer, down in layers.items() if not _fits(_layer(model, layer), down, _up_of(layer, weights))]
    if misfits:
        raise ModelError(
            f"lora {path}: it was made for another base than {model.name}: {len(misfits)} of the {len(layers)} "
            f"layers that it changes do not fit; the first is {misfits[0]}. Choose one made for this model, "
            f"{_LEAVE_OUT}"
        )
    return tensors


def read_tensors(path: Path) -> Tensors:
    """The tensors of a safetensors file, on the CPU."""
    from safetensors.torch import load_file

    return dict(load_file(path))


def _with_names_of_diffusers(model: ModelFolder, tensors: Tensors) -> Tensors:
    convert = pipeline_class(model).lora_state_dict
    options: dict[str, Any] = {}
    if model.family is not None and "StableDiffusionXL" in model.family.pipeline:
        options["unet_config"] = skeleton(model, "unet").config
    if "return_alphas" in inspect.signature(convert).parameters:
        options["return_alphas"] = False
    converted = convert(dict(tensors), **options)
    return dict(converted[0] if isinstance(converted, tuple) else converted)


def _layer(model: ModelFolder, name: str) -> torch.nn.Module | None:
    """One of the model's layers, of its name in diffusers' files: the part's, then the layer's in it."""
    part, _, inner = name.replace(".processor", "").partition(".")
    try:
        return skeleton(model, part).get_submodule(inner) if part in model.weighted else None
    except AttributeError:
        return None


def _up_of(layer: str, weights: Tensors) -> torch.Tensor | None:
    return next((weights[layer + suffix] for suffix in _UP if layer + suffix in weights), None)


def _fits(layer: torch.nn.Module | None, down: torch.Tensor, up: torch.Tensor | None) -> bool:
    """Whether a layer takes as many inputs, and gives as many outputs, as the LoRA's two matrices."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:
        return False
    return down.shape[1] == weight.shape[1] and (up is None or up.shape[0] == weight.shape[0])
