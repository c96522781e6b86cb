"""How a model's parts share the device's memory with what they compute, chosen before any weights are read.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_bounds import tensor_shapes
from warpnoise.sdedit.model_files import component, find_weights
from warpnoise.sdedit.one_file import VAE

WORKING_MEMORY: Final = 2 << 30
"""Bytes left for activations, of a frame of about a megapixel."""

QUANTIZERS = ("bitsandbytes", "torchao")
"""Packages that quantize, the first that is there being used: the one for CUDA, the other for every device."""

Offload = Literal["none", "model", "group"]
Quantize = Literal["none", "8bit", "4bit"]
_LESS: dict[Offload, Offload] = {"none": "model", "model": "group"}
_Named = tuple[tuple[str, str | tuple[str, ...]], ...]
_SHARE: dict[Quantize, float] = {"none": 1.0, "8bit": 0.5, "4bit": 0.28}
"""Of half precision; 4 bit with the scales of its blocks."""


@dataclass(frozen=True)
class MemoryPlan:
    """``offload``: where the parts wait: "none": all are on the device; "model": in main memory, and one part at a time
    is on the device; "group": in main memory, and one layer at a time. ``quantize``: how the network's weights are
    stored. Offloading changes no bit of a picture; quantizing does.
    """

    offload: Offload = "none"
    quantize: Quantize = "none"

    @property
    def less(self) -> MemoryPlan | None:
        """The next one that needs less of the device; None: there is none."""
        lesser = _LESS.get(self.offload)
        return None if lesser is None else replace(self, offload=lesser)

    @property
    def sentence(self) -> str:
        """What to tell the user; empty for a model that is wholly on the device, as it is."""
        texts = []
        if self.quantize != "none":
            texts.append(f"The network's weights are stored in {self.quantize.removesuffix('bit')} bit.")
        if self.offload == "model":
            texts.append("The model's parts wait in main memory, and one at a time is on the device: this is slower.")
        elif self.offload == "group":
            texts.append("The model's layers wait in main memory, and one at a time is on the device: this is slow.")
        return " ".join(texts)


def plan_memory(
    parts: Mapping[str, int],
    network: str,
    free: int | None,
    *,
    offload: Offload | None = None,
    quantize: Quantize = "none",
) -> MemoryPlan:
    """The plan that is quickest among those that fit; where none does, the one that needs least.

    Args:
        parts: bytes of each part, as `part_sizes`.
        network: the part that denoises.
        free: bytes of the device; None: the parts are in main memory anyway.
        offload: None: choose.
        quantize: how the network's weights are to be stored. Never chosen here, as it changes the picture.
    """
    sizes = {part: int(size * (_SHARE[quantize] if part == network else 1)) for part, size in parts.items()}
    if free is None:
        return MemoryPlan("none", quantize)
    if offload is not None:
        return MemoryPlan(offload, quantize)
    if sum(sizes.values()) + WORKING_MEMORY <= free:
        return MemoryPlan("none", quantize)
    if max(sizes.values(), default=0) + WORKING_MEMORY <= free:
        return MemoryPlan("model", quantize)
    return MemoryPlan("group", quantize)


def part_sizes(model: ModelFolder, half: int = 2) -> dict[str, int]:
    """Bytes of each part's weights as they are computed with: autoencoders in float32, other parts in ``half`` bytes a
    number, GGUF files as they are. By the files' headers."""
    numbers = {}
    for part in model.weighted_in_folder:
        files, _ = find_weights(component(model.path, part))
        numbers[part] = sum(_count(file, model.network_part, ())[model.network_part] for file in files)
    sizes = {part: count * (4 if part == "vae" else half) for part, count in numbers.items()}
    if model.file is not None and model.file.suffix == ".gguf":
        sizes[model.network_part] = model.file.stat().st_size
    elif model.file is not None:
        begins = {part: VAE if part == "vae" else begin for part, begin in model.file_parts.items()}
        named = tuple((part, begin) for part, begin in begins.items() if begin)
        for part, count in _count(model.file, model.network_part, named).items():
            sizes[part] = count * (4 if part == "vae" else half)
    return sizes


def what_would_fit(parts: Mapping[str, int], network: str, free: int) -> str:
    """Advice for a device on which a run found too little memory, as a sentence."""
    tries: list[Quantize] = ["8bit", "4bit"]
    for quantize in tries:
        size = int(parts.get(network, 0) * _SHARE[quantize])
        if size + WORKING_MEMORY <= free:
            return (
                f"Its network would take {_gb(size)} with --quantize {quantize}. Or render smaller frames, close other "
                "programs that use the device, choose a smaller model, or the device cpu."
            )
    return "Render smaller frames, close other programs that use the device, choose a smaller model, or the device cpu."


def capacity(free: int, quantizers: Mapping[str, bool]) -> str:
    """What fits on a device with ``free`` bytes, for *Check the Backend*. ``quantizers``: which packages are there."""
    whole = max(free - WORKING_MEMORY, 0)
    missing = [name for name, there in quantizers.items() if not there]
    quantized = (
        "8 and 4 bit can be chosen."
        if len(missing) < len(quantizers)
        else (f"8 and 4 bit need the package {' or '.join(missing)}.")
    )
    return (
        f"Models of up to {_gb(whole)} run wholly on the device; of larger ones one part or layer at a time is there, "
        f"which is slower. {quantized}"
    )


def quantizers() -> dict[str, bool]:
    """Whether each of `QUANTIZERS` is installed."""
    return {name: importlib.util.find_spec(name) is not None for name in QUANTIZERS}


def _count(file: Path, rest: str, named: _Named) -> dict[str, int]:
    status = file.stat()
    return dict(_numbers(str(file), status.st_size, status.st_mtime_ns, rest, named))


@functools.lru_cache(maxsize=4096)
def _numbers(path: str, size: int, time: int, rest: str, named: _Named) -> dict[str, int]:
    """How many numbers of a safetensors file are each part's, by how their names begin; of no part: those of ``rest``.

    ``size`` and ``time`` are those of the file that was counted.
    """
    counts = dict.fromkeys([rest, *(part for part, _ in named)], 0)
    for name, shape in tensor_shapes(Path(path)).items():
        counts[next((part for part, begin in named if name.startswith(begin)), rest)] += math.prod(shape)
    return counts


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
