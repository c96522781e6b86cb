"""Weights of networks and text encoders in 8 or 4 bits: blocks Q8_0 and Q4_0 of llama.cpp, as in GGUF files.

32 weights of a row share a scale in float16. The error (root mean square) of normally distributed weights is 0.5% with
8 bits, and 9% with 4. diffusers computes with such layers on every device.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gguf
import torch
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter

from warpnoise.sdedit.memory_plan import Quantize, gigabytes, is_quantizable

_STORED = torch.int8
"""The type of the blocks' bytes, signed or not for diffusers. T5 computes in the weights' type, unless it is int8."""
_KINDS = {"8bit": gguf.GGMLQuantizationType.Q8_0, "4bit": gguf.GGMLQuantizationType.Q4_0}


def quantize_network(network: torch.nn.Module, quantize: Quantize, dtype: torch.dtype) -> None:
    """Store the matrices of a network's repeated blocks in fewer bits, in place. Matrices that are quantized already
    stay as they are.

    Args:
        network: on the CPU.
        quantize: "8bit" or "4bit".
        dtype: of the layers' arithmetic.
    """
    layers = {
        path: module
        for path, module in network.named_modules()
        if type(module) is torch.nn.Linear and is_quantizable(f"{path}.weight", tuple(module.weight.shape))
    }
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        made = pool.map(lambda layer: _quantized(layer, _KINDS[quantize], dtype), layers.values())
        for path, layer in zip(layers, made, strict=True):
            network.set_submodule(path, layer)
    for weight in network.parameters():
        if not isinstance(weight, GGUFParameter):  # else they would keep the whole file mapped that they came from
            weight.data = weight.data.clone()


def what_is_quantized(networks: Mapping[str, torch.nn.Module]) -> str:
    """What `quantize_network` did to the parts of a model, as a sentence; empty: nothing."""
    texts, bits = [], set()
    for part, network in networks.items():
        layers: list[Any] = [module for module in network.modules() if isinstance(module, GGUFLinear)]
        ours = [layer for layer in layers if layer.weight.dtype == _STORED]
        if not ours:
            continue
        now = sum(weight.nbytes for weight in network.parameters())
        saved = sum(
            math.prod(layer.weight.quant_shape) * layer.compute_dtype.itemsize - layer.weight.nbytes for layer in ours
        )
        bits |= {kind for kind, each in _KINDS.items() if each == ours[0].weight.quant_type}
        texts.append(
            f"{part.replace('_', ' ')}: {len(ours)} layers, {gigabytes(now)} instead of {gigabytes(now + saved)}"
        )
    if not texts:
        return ""
    (kind,) = bits
    return (
        f"Weights are stored in {kind.removesuffix('bit')} bits, which changes the picture a little "
        f"({'; '.join(texts)})."
    )


def _quantized(layer: torch.nn.Linear, kind: Any, dtype: torch.dtype) -> Any:
    blocks = torch.from_numpy(gguf.quants.quantize(layer.weight.float().numpy(), kind)).view(_STORED)
    made: Any = GGUFLinear(layer.in_features, layer.out_features, compute_dtype=dtype, device=torch.device("meta"))
    made.weight = GGUFParameter(blocks, quant_type=kind)
    made.bias = layer.bias
    return made.eval()
