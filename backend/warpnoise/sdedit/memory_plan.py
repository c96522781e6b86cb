"""Plans how a model's parts share the device's memory with the computation, before any weights are read.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_files import component, find_weights, tensor_shapes
from warpnoise.sdedit.one_file import VAE

WORKING_MEMORY: Final = 2 << 30
"""Bytes left for activations of a frame of about a megapixel, and for other programs."""

Offload = Literal["none", "model", "group"]
Quantize = Literal["none", "8bit", "4bit"]
Tiling = Literal["auto", "on", "off"]

BLOCK: Final = 32
"""Weights that are quantized together; a row must be whole blocks."""
_BITS: Final[dict[Quantize, float]] = {"8bit": 8.5, "4bit": 4.5}
"""A weight, with its share of the block's scale: llama.cpp's Q8_0 and Q4_0."""
_LESS: dict[Offload, Offload] = {"none": "model", "model": "group"}
_SLOWER: dict[Offload, str] = {
    "none": "",
    "model": "The model's parts are kept in main memory, and one at a time is on the device. This is slower.",
    "group": "The model's layers are kept in main memory, and one at a time is on the device. This is slow.",
}
_SAVES_NOTHING = (None, "none", "auto", "off")
_Named = tuple[tuple[str, str | tuple[str, ...]], ...]


@dataclass(frozen=True)
class MemoryOptions:
    """The user's choices. None and "auto" leave them to `plan_memory`, and to the device's memory during the run.

    ``offload`` and ``quantize``: as in `MemoryPlan`. ``tiling``: whether the autoencoder works in tiles, whose seams do
    not move with the picture; "auto": as soon as a whole picture does not fit.
    """

    offload: Offload | None = None
    quantize: Quantize | None = None
    tiling: Tiling = "auto"

    @property
    def asked(self) -> str:
        """The choices that save memory, for a message."""
        values = {"offload": self.offload, "quantize": self.quantize, "tiling": self.tiling}
        return ", ".join(f"{name} {value}" for name, value in values.items() if value not in _SAVES_NOTHING)


@dataclass(frozen=True)
class Sizes:
    """Bytes of a model's weights as they are computed with.

    ``layers``: of each part, what can be quantized. ``half``: bytes a number.
    """

    parts: Mapping[str, int]
    layers: Mapping[str, int]
    half: int = 2

    def stored(self, quantize: Quantize) -> dict[str, int]:
        """Bytes of each part, with the network and the text encoders quantized."""
        saved = 0.0 if quantize == "none" else 1 - _BITS[quantize] / (8 * self.half)
        return {part: size - int(self.layers.get(part, 0) * saved) for part, size in self.parts.items()}


class Room(NamedTuple):
    """Bytes. ``device``: free on it. ``main``: all of main memory; None: the device computes in main memory itself, so
    that offloading frees nothing (CPUs and Apple's GPUs)."""

    device: int
    main: int | None


@dataclass(frozen=True)
class MemoryPlan:
    """How a model uses memory.

    ``offload``: "none": all parts are on the device; "model": parts are in main memory, and one at a time is on the
    device; "group": layers likewise. ``quantize``: how the weights of the network and of the text encoders are stored.
    Offloading changes no bit of a picture; quantizing does. ``advice``: a sentence for the user on another plan.
    """

    offload: Offload = "none"
    quantize: Quantize = "none"
    advice: str = ""

    @property
    def less(self) -> MemoryPlan | None:
        """The next plan, which needs less of the device's memory; None: this is the last."""
        lesser = _LESS.get(self.offload)
        return None if lesser is None else replace(self, offload=lesser, advice="")

    @property
    def sentence(self) -> str:
        """A sentence for the user, or "" if the whole model is on the device."""
        return f"{_SLOWER[self.offload]} {self.advice}".strip()

    def fits(self, sizes: Sizes, room: Room) -> bool:
        """Whether a frame of a megapixel fits with this plan."""
        parts = sizes.stored(self.quantize).values()
        on_device = {"none": sum(parts), "model": max(parts, default=0), "group": 0}[self.offload]
        waits = self.offload != "none" and room.main is not None
        return on_device + WORKING_MEMORY <= room.device and (
            not waits or sum(parts) + WORKING_MEMORY <= (room.main or 0)
        )


def plan_memory(sizes: Sizes, room: Room, options: MemoryOptions) -> MemoryPlan:
    """The best plan that fits: plans that do not change the picture come first, and then the fastest.

    Weights are quantized without the user's choice only if nothing else fits, because frames of one shot from several
    machines or runs must not differ. If no plan fits, it is the one that needs the least of the device's memory without
    changing the picture.
    """
    offloads: list[Offload] = ["none"] if room.main is None else ["none", "model", "group"]
    quantizes: list[Quantize] = ["none", "8bit", "4bit"] if any(sizes.layers.values()) else ["none"]
    if options.offload is not None:
        offloads = [options.offload]
    if options.quantize is not None:
        quantizes = [options.quantize]
    plans = [MemoryPlan(offload, quantize) for quantize, offload in itertools.product(quantizes, offloads)]
    plan = next((plan for plan in plans if plan.fits(sizes, room)), MemoryPlan(offloads[-1], quantizes[0]))
    if plan.quantize != "none" and options.quantize is None:
        return replace(plan, advice="The model is too large for this machine's memory otherwise.")
    if plan == MemoryPlan("group") and options.offload is None:
        quicker = (each for each in plans if each.offload != "group" and each.fits(sizes, room))
        if (other := next(quicker, None)) is not None:
            return replace(plan, advice=f"--quantize {other.quantize} is quicker, and changes the picture a little.")
    return plan


def model_sizes(model: ModelFolder, half: int = 2) -> Sizes:
    """Bytes of the weights, by the files' headers: autoencoders in float32, other parts in ``half`` bytes a number.

    GGUF files count as they are.
    """
    network = model.network_part
    counts: dict[str, tuple[int, int]] = {}
    for part in model.weighted_in_folder:
        files, _ = find_weights(component(model.path, part))
        found = [_count(file, part, ())[part] for file in files]
        counts[part] = sum(each[0] for each in found), sum(each[1] for each in found)
    if model.file is not None and model.file.suffix != ".gguf":
        begins = {part: VAE if part == "vae" else begin for part, begin in model.file_parts.items()}
        counts |= _count(model.file, network, tuple((part, begin) for part, begin in begins.items() if begin))
    sizes = {part: numbers * (4 if part == "vae" else half) for part, (numbers, _) in counts.items()}
    if model.file is not None and model.file.suffix == ".gguf":
        sizes[network] = model.file.stat().st_size
    layers = {part: numbers * half for part, (_, numbers) in counts.items() if is_quantized_part(part)}
    return Sizes(sizes, layers, half)


def is_quantized_part(part: str) -> bool:
    """Whether layers of this part are quantized: of the network that denoises, and of text encoders."""
    return part in ("unet", "transformer") or part.startswith("text_encoder")


def is_quantizable(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a weight of such a part is quantized: it is a matrix in a repeated block, with rows of whole groups.

    The few layers outside the blocks, which all tokens pass first or last, keep their precision.
    """
    in_a_block = any(word.isdecimal() for word in name.split("."))
    return name.endswith(".weight") and in_a_block and len(shape) == 2 and shape[1] % BLOCK == 0


def what_would_fit(sizes: Sizes, room: Room, plan: MemoryPlan) -> str:
    """Advice for a device on which a run found too little memory, as a sentence."""
    quantizes: list[Quantize] = ["8bit", "4bit"]
    for quantize in quantizes if plan.quantize == "none" and any(sizes.layers.values()) else ():
        parts = sizes.stored(quantize).values()
        size = sum(parts) if room.main is None else max(parts)
        if size + WORKING_MEMORY <= room.device:
            what = "It" if room.main is None else "Its largest part"
            return (
                f"{what} would take {gigabytes(size)} with --quantize {quantize}. Or render smaller frames, close "
                "other programs that use the device, choose a smaller model, or the device cpu."
            )
    return "Render smaller frames, close other programs that use the device, choose a smaller model, or the device cpu."


def capacity(room: Room) -> str:
    """A sentence for *Check the Backend* about the models that fit."""
    whole = gigabytes(max(room.device - WORKING_MEMORY, 0))
    if room.main is None:
        return f"Models of up to {whole} fit; of larger ones, the weights are stored in 8 or 4 bit."
    waiting = gigabytes(max(room.main - WORKING_MEMORY, 0))
    return (
        f"Models of up to {whole} run wholly on the device. Of larger ones, up to {waiting}, one part or one layer at "
        "a time is there, which is slower. Of still larger ones, the weights are stored in 8 or 4 bit."
    )


def _count(file: Path, rest: str, named: _Named) -> dict[str, tuple[int, int]]:
    status = file.stat()
    return dict(_numbers(str(file), status.st_size, status.st_mtime_ns, rest, named))


@functools.lru_cache(maxsize=4096)
def _numbers(path: str, size: int, time: int, rest: str, named: _Named) -> dict[str, tuple[int, int]]:
    """For each part, the number of its weights in a safetensors file, and of those that can be quantized.

    ``named``: each part with the start of its tensors' names. Other tensors belong to the part ``rest``. ``size`` and
    ``time``: of the file.
    """
    counts = dict.fromkeys([rest, *(part for part, _ in named)], (0, 0))
    for name, shape in tensor_shapes(Path(path)).items():
        part = next((part for part, begin in named if name.startswith(begin)), rest)
        count, (numbers, layers) = math.prod(shape), counts[part]
        counts[part] = numbers + count, layers + (count if is_quantizable(name, shape) else 0)
    return counts


def gigabytes(size: int) -> str:
    """A size for people: "6.9 GB", "12 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{max(size, 0) / 1e6:.1f} MB"
