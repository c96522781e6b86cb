"""A network's weights in 8 or 4 bit: the blocks Q8_0 and Q4_0 of llama.cpp, as GGUF files hold them.

32 weights of a row have a common scale in float16. Of normally distributed weights the first keep all but 0.5% (root
mean square), the second all but 9%. diffusers computes with such layers on every device.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gguf
import torch
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter

from warpnoise.errors import ModelError
from warpnoise.sdedit.memory_plan import BLOCK, Quantize, is_quantizable

_KINDS = {"8bit": gguf.GGMLQuantizationType.Q8_0, "4bit": gguf.GGMLQuantizationType.Q4_0}


def quantize_network(network: torch.nn.Module, quantize: Quantize, dtype: torch.dtype, name: str) -> None:
    """Store the matrices of a network's repeated blocks in fewer bits, in place.

    Args:
        network: on the CPU.
        quantize: "8bit" or "4bit".
        dtype: what the layers compute in.
        name: the model's, for the message.

    Raises:
        ModelError: no weight of it can be quantized, or they are already.
    """
    layers = {
        path: module
        for path, module in network.named_modules()
        if type(module) is torch.nn.Linear and is_quantizable(f"{path}.weight", tuple(module.weight.shape))
    }
    if not layers:
        why = f"none of its layers has rows of whole blocks of {BLOCK} weights"
        if any(isinstance(module, GGUFLinear) for module in network.modules()):
            why = "its weights are in fewer bits already"
        raise ModelError(f"quantize {quantize}: the network of {name} cannot be stored so: {why}. Leave it out")
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        made = pool.map(lambda layer: _quantized(layer, _KINDS[quantize], dtype), layers.values())
        for path, layer in zip(layers, made, strict=True):
            network.set_submodule(path, layer)


def what_is_quantized(network: torch.nn.Module) -> str:
    """What `quantize_network` did, as a sentence."""
    layers: list[Any] = [module for module in network.modules() if isinstance(module, GGUFLinear)]
    now = sum(weight.nbytes for weight in network.parameters())
    saved = sum(
        math.prod(layer.weight.quant_shape) * layer.compute_dtype.itemsize - layer.weight.nbytes for layer in layers
    )
    (bits,) = {kind for kind, each in _KINDS.items() if each == layers[0].weight.quant_type}
    return (
        f"{len(layers)} layers of the network are stored in {bits.removesuffix('bit')} bit, which changes the picture "
        f"a little: it takes {_size(now)} instead of {_size(now + saved)}."
    )


def _quantized(layer: torch.nn.Linear, kind: Any, dtype: torch.dtype) -> Any:
    blocks = torch.from_numpy(gguf.quants.quantize(layer.weight.float().numpy(), kind))
    made: Any = GGUFLinear(layer.in_features, layer.out_features, compute_dtype=dtype, device=torch.device("meta"))
    made.weight = GGUFParameter(blocks, quant_type=kind)  # type: ignore[no-untyped-call]
    made.bias = layer.bias
    return made.eval()


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.3g} MB"
