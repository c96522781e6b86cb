"""Loads parts of a pipeline from a single file, with diffusers' converters for common checkpoint layouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.loaders import single_file_utils
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter, dequantize_gguf_tensor
from safetensors.torch import load_file

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import loading, part_class, placed
from warpnoise.sdedit.model_files import component
from warpnoise.sdedit.one_file import PREFIX

_CONVERTERS: Mapping[str, Any] = {  # diffusers' own, which its type hints leave out
    "CLIP": single_file_utils.create_diffusers_clip_model_from_ldm,
    "T5": single_file_utils.create_diffusers_t5_model_from_checkpoint,
}
"""For text encoders, by the start of their class's name."""


def load_file_parts(
    folder: ModelFolder, file: Path, devices: Mapping[str, torch.device], dtype: torch.dtype
) -> dict[str, Any]:
    """The parts whose weights are in a file, each on its device. Weights from a GGUF file stay quantized.

    Raises:
        ModelError: the file is for another base, damaged, or lacks weights.
    """
    checkpoint = None if file.suffix == ".gguf" else load_file(file)
    loaded = {}
    for part in sorted(folder.file_parts):
        kind = part_class(folder, part)
        precision = torch.float32 if part == "vae" else dtype
        begin = folder.file_parts[part]
        source: Path | dict[str, Any] = file
        if checkpoint is not None:
            # A transformer's names lose the prefix, which not all of diffusers' converters know.
            drop = PREFIX if part == "transformer" else ""
            names = [name for name in checkpoint if name.startswith(begin)]
            if part == folder.network_part and any(name.startswith(PREFIX) for name in names):
                names = [name for name in names if name.startswith(PREFIX)]
            source = {name.removeprefix(drop): checkpoint[name] for name in names}
        with loading(
            f"model {file} cannot be loaded as the {kind.__name__} of {folder.path}",
            "it is for another base, or damaged",
        ):
            network = _load(folder, part, kind, source, precision)
        if hasattr(network, "shared"):  # T5 reads its tokens' embeddings from there
            network.encoder.embed_tokens = network.shared
        if missing := [name for name, weight in network.named_parameters() if weight.is_meta]:
            raise ModelError(
                f"model {file} has no weights for {missing[0]} of its {part}: it is for another base, or damaged"
            )
        if checkpoint is None:
            _dequantize_others(network, precision)
        loaded[part] = network.to(devices[part]) if checkpoint is None else placed(network, devices[part])
        loaded[part].eval().requires_grad_(False)
    return loaded


def _load(folder: ModelFolder, part: str, kind: Any, source: Path | dict[str, Any], dtype: torch.dtype) -> Any:
    options: dict[str, Any] = {"config": str(folder.path), "subfolder": part, "torch_dtype": dtype}
    if isinstance(source, Path):
        options["quantization_config"] = diffusers.GGUFQuantizationConfig(compute_dtype=dtype)
        return kind.from_single_file(str(source), local_files_only=True, **options)
    if hasattr(kind, "from_single_file"):
        return kind.from_single_file(source, local_files_only=True, **options)
    for name, convert in _CONVERTERS.items():
        if kind.__name__.startswith(name):
            return convert(kind, source, local_files_only=True, **options)
    begin = folder.file_parts[part]  # as its makers name the rest
    named = {key.removeprefix(begin): weight for key, weight in source.items()}
    config = kind.config_class.from_pretrained(str(component(folder.path, part)))
    network, found = kind.from_pretrained(
        None, config=config, state_dict=named, torch_dtype=dtype, output_loading_info=True
    )
    if found["missing_keys"]:
        raise ValueError(f"it has no tensor {min(found['missing_keys'])}")
    return network


def _dequantize_others(network: torch.nn.Module, dtype: torch.dtype) -> None:
    """Restore weights outside linear layers, such as Z-Image's padding. diffusers would compute with their blocks."""
    for module in network.modules():
        if isinstance(module, GGUFLinear):
            continue
        for name, weight in module.named_parameters(recurse=False):
            if isinstance(weight, GGUFParameter):
                plain = dequantize_gguf_tensor(weight).to(dtype)
                setattr(module, name, torch.nn.Parameter(plain, requires_grad=False))
