"""LoRAs (Hu et al. 2021): small files that change a model's layers. Several can be combined, each with a weight.

Each layer that a file changes must be a layer of the model, with the same widths. The check knows the model's layers
from its configuration, and reads none of its weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from warpnoise.errors import ModelError
from warpnoise.sdedit.adapters import Adapters, unsuitable
from warpnoise.sdedit.edit_settings import Lora
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import loading, pipeline_class, skeleton
from warpnoise.sdedit.model_files import named_tensors
from warpnoise.sdedit.places import resolve

_WIDTHS = {
    **dict.fromkeys((".lora_A.weight", ".lora.down.weight", ".lora_down.weight", "_lora.down.weight"), 1),
    **dict.fromkeys((".lora_B.weight", ".lora.up.weight", ".lora_up.weight", "_lora.up.weight"), 0),
}
"""Ends of the names of a LoRA's two matrices, and the dimension that each shares with the weight of its layer."""

Tensors = dict[str, torch.Tensor]


class Loras(Adapters):
    """The LoRAs of one pipeline."""

    _weights: tuple[float, ...] = ()

    def apply(self, loras: Sequence[Lora]) -> bool:
        """Have the pipeline compute with these LoRAs only, and return whether that changed anything.

        Raises:
            ModelError: as `read_lora`.
        """
        changed = self._replace(tuple(resolve(lora.path, "lora") for lora in loras))
        weights = tuple(lora.weight for lora in loras)
        if not changed and weights == self._weights:
            return False
        if loras:
            self.pipeline.set_adapters([_name(index) for index in range(len(loras))], list(weights))
        self._weights = weights
        return True

    def _load(self, wanted: tuple[Path, ...]) -> None:
        for index, (path, weights) in enumerate([(path, read_lora(self.folder, path)) for path in wanted]):
            with loading(f"lora {path} cannot be loaded", "it is for another base"):
                self.pipeline.load_lora_weights(weights, adapter_name=_name(index))

    def _unload(self) -> None:
        if hasattr(self.pipeline, "unload_lora_weights"):
            self.pipeline.unload_lora_weights()


def read_lora(model: ModelFolder, path: Path) -> Tensors:
    """The tensors of a LoRA that fits the model, as they are in its file.

    Raises:
        ModelError: there is no such file; it is a pickle, damaged, or made for another base; or diffusers does not
            support LoRAs for this family.
    """
    named_tensors(path, "lora")
    pipeline = pipeline_class(model)
    if not hasattr(pipeline, "load_lora_weights"):
        raise ModelError(f"lora {path}: diffusers loads no LoRA into a {pipeline.__name__}: leave it out (--lora none)")
    tensors = dict(load_file(path))
    with loading(
        f"lora {path} has a format that diffusers does not know for a {pipeline.__name__}",
        "choose one made for this model, or leave it out (--lora none)",
    ):
        weights = _with_names_of_diffusers(model, tensors)
    layers: dict[str, dict[int, int]] = {}
    for key, matrix in weights.items():
        for suffix, dim in _WIDTHS.items():
            if key.endswith(suffix):
                layers.setdefault(key.removesuffix(suffix), {})[dim] = dict(enumerate(matrix.shape)).get(dim, 0)
    if not layers:
        raise unsuitable("lora", path, "is not a LoRA: it has no layers of one")
    misfits = [name for name, widths in layers.items() if not _fits(_layer(model, name), widths)]
    if misfits:
        what = f"{len(misfits)} of the {len(layers)} layers that it changes do not fit; the first is {misfits[0]}"
        raise unsuitable("lora", path, f"was made for another base than {model.name}: {what}")
    return tensors


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
    """The model's layer of this name, which begins with the part; None: the model has no such layer."""
    part, _, inner = name.replace(".processor", "").partition(".")
    try:
        return skeleton(model, part).get_submodule(inner) if part in model.weighted else None
    except AttributeError:
        return None


def _fits(layer: torch.nn.Module | None, widths: dict[int, int]) -> bool:
    """Whether the layer's weight has these widths, by dimension."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:
        return False
    return all(weight.shape[dim] == width for dim, width in widths.items())


def _name(index: int) -> str:
    return f"warpnoise_{index}"
