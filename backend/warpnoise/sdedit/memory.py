"""Device memory while a model runs: offloading, tiling, quantizing, and what to do when it is used up."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import diffusers
import torch
import transformers

from warpnoise.errors import ModelError
from warpnoise.sdedit.device import free_unused, is_out_of_memory, memory
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.memory_plan import (
    QUANTIZERS,
    MemoryPlan,
    Offload,
    Quantize,
    part_sizes,
    plan_memory,
    quantizers,
    what_would_fit,
)

TILED = (
    "The autoencoder works in tiles, as the whole picture is too large for the device's memory. Their seams do not "
    "move with the picture and may be seen."
)


def quantization(kind: Any, quantize: Quantize, device: torch.device, dtype: torch.dtype) -> Any:
    """The configuration that ``kind.from_pretrained`` takes; None for none.

    Raises:
        ModelError: the package that it needs is not installed.
    """
    if quantize == "none":
        return None
    there = quantizers()
    library: Any = diffusers if kind.__module__.startswith("diffusers") else transformers
    if there["bitsandbytes"] and device.type == "cuda":
        if quantize == "8bit":
            return library.BitsAndBytesConfig(load_in_8bit=True)
        return library.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    if there["torchao"]:
        torchao = importlib.import_module("torchao.quantization")

        name = "Int8WeightOnlyConfig" if quantize == "8bit" else "Int4WeightOnlyConfig"
        return library.TorchAoConfig(getattr(torchao, name)())
    raise ModelError(
        f"quantize {quantize}: this needs the package {' or '.join(QUANTIZERS)} in the backend's Python: install one, "
        "or leave it out"
    )


def place(pipeline: Any, plan: MemoryPlan, device: torch.device) -> None:
    """Have a pipeline whose parts are in main memory compute on ``device`` as the plan says."""
    if plan.offload == "none":
        return
    pipeline.remove_all_hooks()
    if plan.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_group_offload(onload_device=device, offload_type="leaf_level", use_stream=device.type == "cuda")


class DeviceMemory:
    """How one model uses its device's memory: by a plan, and by the next one once it was used up."""

    def __init__(
        self, folder: ModelFolder, device: torch.device, dtype: torch.dtype, offload: Offload | None, quantize: Quantize
    ) -> None:
        self._name, self._network, self._device = folder.name, folder.network_part, device
        self._sizes = part_sizes(folder, dtype.itemsize)
        free = None if device.type == "cpu" and offload is None else memory(device)[1]
        self.plan = plan_memory(self._sizes, self._network, free, offload=offload, quantize=quantize)
        self._tiled = False
        self._warnings: list[str] = []

    def load(self, load: Callable[[MemoryPlan], Any]) -> Any:
        """The pipeline that ``load`` gives; if memory is used up, once more with the next plan.

        Raises:
            ModelError: then too; says what would fit.
        """
        try:
            return load(self.plan)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        free_unused(self._device)
        self._use_less(f"the parts of {self._name}")
        try:
            return load(self.plan)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise self._too_little(f"the parts of {self._name}") from error

    def save(self, pipeline: Any, what: str) -> str:
        """Have the pipeline run by the next plan, since ``what`` did not fit; what changed, as a sentence.

        Raises:
            ModelError: there is no other plan; says what would fit.
        """
        self._use_less(what)
        if self.plan.offload == "model":
            pipeline.to("cpu")
        place(pipeline, self.plan, self._device)
        free_unused(self._device)
        return self._warnings.pop()

    def in_tiles_if_needed(self, pipeline: Any, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What the autoencoder computes; if memory is used up, once more in tiles, as everything after it."""
        vae: Any = getattr(pipeline, "vae", None)
        try:
            return compute()
        except Exception as error:
            if not is_out_of_memory(error) or self._tiled or not hasattr(vae, "enable_tiling"):
                raise
        free_unused(self._device)
        vae.enable_tiling()
        self._tiled = True
        self._warnings.append(TILED)
        return compute()

    def take_warnings(self) -> tuple[str, ...]:
        """What changed since the last call."""
        taken, self._warnings = tuple(self._warnings), []
        return taken

    def _use_less(self, what: str) -> None:
        less = self.plan.less
        if less is None or (self._device.type == "cpu" and self.plan.offload == "none"):
            raise self._too_little(what)
        self.plan = less
        self._warnings.append(f"The device's memory was too small. {less.sentence}")

    def _too_little(self, what: str) -> ModelError:
        advice = what_would_fit(self._sizes, self._network, memory(self._device)[1])
        return ModelError(f"{self._device} has too little memory for {what}. {advice}")
