"""LoRAs (Hu et al. 2021): small files that change a model's layers, several at once, each with a weight.

A file that was made for another base is refused by name before anything is loaded: every layer that it changes must be
one of the model's, of the same widths.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.adapters import Lora
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet
from warpnoise.sdedit.model_files import check_safetensors
from warpnoise.sdedit.places import resolve

_DOWN = (".lora_A.weight", ".lora.down.weight", ".lora_down.weight", "_lora.down.weight")
_UP = (".lora_B.weight", ".lora.up.weight", ".lora_up.weight", "_lora.up.weight")


class Loras:
    """The LoRAs of one pipeline. Files are loaded when they are first asked for, and stay until others are."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._loaded: tuple[Path, ...] = ()
        self._weights: tuple[float, ...] = ()

    def apply(self, loras: Sequence[Lora]) -> bool:
        """Have the pipeline compute with these and no others; whether that changed anything.

        Raises:
            ModelError: no such file, a pickle, damaged, made for another base, or of a family that takes none.
        """
        paths = tuple(resolve(lora.path, "lora") for lora in loras)
        weights = tuple(lora.weight for lora in loras)
        if (paths, weights) == (self._loaded, self._weights):
            return False
        if paths != self._loaded:
            self._load(paths)
        if paths:
            self._pipeline.set_adapters([_name(index) for index in range(len(paths))], list(weights))
        self._weights = weights
        return True

    def _load(self, paths: tuple[Path, ...]) -> None:
        if paths and not hasattr(self._pipeline, "load_lora_weights"):
            raise ModelError(f"lora {paths[0]}: diffusers loads no LoRA into a {type(self._pipeline).__name__}")
        found = [self._checked(path) for path in paths]
        if self._loaded:
            self._pipeline.unload_lora_weights()
            self._loaded, self._weights = (), ()
        for index, (path, weights) in enumerate(zip(paths, found, strict=True)):
            try:
                with quiet():
                    self._pipeline.load_lora_weights(weights, adapter_name=_name(index))
            except LIBRARY_ERRORS as error:
                self._pipeline.unload_lora_weights()
                raise ModelError(
                    f"lora {path} cannot be loaded ({first_line(error)}): it is for another base"
                ) from error
        self._loaded = paths

    def _checked(self, path: Path) -> dict[str, torch.Tensor]:
        """What the file holds, if every layer that it changes is one of the pipeline's."""
        check_safetensors(path, "lora")
        try:
            with quiet():
                weights = self._read(path)
        except LIBRARY_ERRORS as error:
            raise ModelError(f"lora {path} is in no format that diffusers knows ({first_line(error)})") from error
        modules = {
            f"{name}.{inner.removesuffix('.base_layer')}": module
            for name, part in self._pipeline.components.items()
            if isinstance(part, torch.nn.Module)
            for inner, module in part.named_modules()
        }
        layers = fitting = 0
        first_misfit = None
        for key, value in weights.items():
            layer = next((key.removesuffix(suffix) for suffix in _DOWN if key.endswith(suffix)), None)
            if layer is None:
                continue
            layers += 1
            if _fits(modules.get(layer.replace(".processor", "")), value, _up_of(layer, weights)):
                fitting += 1
            elif first_misfit is None:
                first_misfit = layer
        if fitting < layers or layers == 0:
            known = f"; the first is {first_misfit}" if first_misfit else ""
            raise ModelError(
                f"lora {path}: it was made for another base than {type(self._pipeline).__name__}: {layers - fitting} "
                f"of the {layers} layers that it changes are not the model's{known}. Choose one made for this model"
            )
        return dict(torch_safe_load(path))

    def _read(self, path: Path) -> dict[str, torch.Tensor]:
        """Its content with the names of diffusers, whatever program wrote it."""
        convert = type(self._pipeline).lora_state_dict
        options: dict[str, Any] = {}
        network = getattr(self._pipeline, "unet", None)
        if network is not None and "StableDiffusionXL" in type(self._pipeline).__name__:
            options["unet_config"] = network.config
        if "return_alphas" in inspect.signature(convert).parameters:
            options["return_alphas"] = False
        converted = convert(dict(torch_safe_load(path)), **options)
        return dict(converted[0] if isinstance(converted, tuple) else converted)


def torch_safe_load(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, on the CPU."""
    from safetensors.torch import load_file

    return dict(load_file(path))


def _name(index: int) -> str:
    return f"warpnoise_{index}"


def _up_of(layer: str, weights: dict[str, torch.Tensor]) -> torch.Tensor | None:
    return next((weights[layer + suffix] for suffix in _UP if layer + suffix in weights), None)


def _fits(module: torch.nn.Module | None, down: torch.Tensor, up: torch.Tensor | None) -> bool:
    """Whether a layer takes as many inputs, and gives as many outputs, as the LoRA's two matrices."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:
        return False
    shape = getattr(weight, "quant_shape", weight.shape)  # a quantized weight's own shape is in bytes
    return down.shape[1] == shape[1] and (up is None or up.shape[0] == shape[0])
