"""Manages the device's memory while a model runs: offloading, tiling, and what to do when it runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.device import free_unused, is_out_of_memory, memory, pick_device
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.memory_plan import (
    MemoryOptions,
    MemoryPlan,
    Room,
    Sizes,
    model_sizes,
    plan_memory,
    what_would_fit,
)

_Result = TypeVar("_Result")

TILED = (
    "The autoencoder works in tiles, as the whole picture is too large for the device's memory. Their seams do not "
    "move with the picture and may be seen."
)
SLICED = "The autoencoder takes one frame at a time, as a batch is too large for the device's memory."


def room_on(device: torch.device) -> Room:
    """The memory for a model. If the device computes in main memory, all of it counts as free, because the free amount
    changes from run to run."""
    total, free = memory(device)
    if device.type in ("cpu", "mps"):
        return Room(total, None)
    return Room(free, memory(torch.device("cpu"))[0])


def place(pipeline: Any, plan: MemoryPlan, device: torch.device) -> None:
    """Prepare a pipeline whose parts are in main memory to compute on ``device`` with a plan."""
    if plan.offload == "none":
        return
    pipeline.remove_all_hooks()
    if plan.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_group_offload(onload_device=device, offload_type="leaf_level", use_stream=device.type == "cuda")


def check_memory(folder: ModelFolder, device: str | torch.device | None, options: MemoryOptions) -> tuple[str, ...]:
    """A warning if a model may be too large for a device, however it is stored.

    Raises:
        SettingsError: the device is not there.
        ModelError: the model cannot be stored in fewer bits or work in tiles, and that is asked for.
    """
    chosen = pick_device(device)
    if folder.family is None:
        return ()
    sizes, room = model_sizes(folder), room_on(chosen)
    _check_options(folder, sizes, options)
    plan = plan_memory(sizes, room, options)
    if plan.fits(sizes, room):
        return ()
    return (f"{chosen} may have too little memory for {folder.name}. {what_would_fit(sizes, room, plan)}",)


def _check_options(folder: ModelFolder, sizes: Sizes, options: MemoryOptions) -> None:
    if options.quantize not in (None, "none") and not any(sizes.layers.values()):
        raise ModelError(
            f"quantize {options.quantize}: no weights of {folder.name} can be quantized: leave it out (--quantize none)"
        )
    if options.tiling == "on" and not _works_in_tiles(folder):
        raise ModelError(
            f"tiling on: {folder.name} has no autoencoder that works in tiles: leave it out (--tiling auto)"
        )


def _works_in_tiles(folder: ModelFolder) -> bool:
    from warpnoise.sdedit.libraries import part_class  # it brings diffusers, which the server's status does without

    return "vae" in folder.parts and hasattr(part_class(folder, "vae"), "enable_tiling")


class DeviceMemory:
    """How one model uses its device's memory: with a plan, and with the next one when memory is used up."""

    def __init__(self, folder: ModelFolder, device: torch.device, dtype: torch.dtype, options: MemoryOptions) -> None:
        self._name, self._device, self._tiling = folder.name, device, options.tiling
        self._sizes = model_sizes(folder, dtype.itemsize)
        _check_options(folder, self._sizes, options)
        self.plan = plan_memory(self._sizes, room_on(device), options)
        self._warnings: list[str] = []

    def load(self, load: Callable[[MemoryPlan], Any]) -> Any:
        """The pipeline that ``load`` returns for the plan, or for the next plan if memory is used up.

        Raises:
            ModelError: memory is used up with that plan, too; says what would fit.
        """
        what = f"the parts of {self._name}"
        pipeline = self._attempt(lambda: load(self.plan))
        if pipeline is None:
            self._use_less(what)
            pipeline = self._attempt(lambda: load(self.plan))
        if pipeline is None:
            raise self._too_little(what)
        if self._tiling == "on":
            pipeline.vae.enable_tiling()
        return pipeline

    def save(self, pipeline: Any, what: str) -> str:
        """Switch the pipeline to the next plan, because ``what`` did not fit. Returns what changed, as a sentence.

        Raises:
            ModelError: there is no other plan; says what would fit.
        """
        self._use_less(what)
        if self.plan.offload == "model":
            pipeline.to("cpu")
        place(pipeline, self.plan, self._device)
        free_unused(self._device)
        return self._warnings.pop()

    def in_slices_if_needed(self, pipeline: Any, compute: Callable[[], torch.Tensor], frames: int) -> torch.Tensor:
        """What the autoencoder computes. If memory is used up, it tries again frame by frame, then in tiles, and
        everything after it does the same."""
        vae: Any = getattr(pipeline, "vae", None)
        ways = [("slicing", SLICED)] if frames > 1 else []
        ways += [("tiling", TILED)] if self._tiling == "auto" else []
        for way, warning in ways:
            if not hasattr(vae, f"enable_{way}") or getattr(vae, f"use_{way}"):
                continue
            if (result := self._attempt(compute)) is not None:
                return result
            getattr(vae, f"enable_{way}")()
            self._warnings.append(warning)
        return compute()

    def take_warnings(self) -> tuple[str, ...]:
        """The changes since the last call."""
        taken, self._warnings = tuple(self._warnings), []
        return taken

    def _attempt(self, compute: Callable[[], _Result]) -> _Result | None:
        """The result; None: the device's memory was used up."""
        try:
            return compute()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        free_unused(self._device)
        return None

    def _use_less(self, what: str) -> None:
        less = self.plan.less
        if less is None or (self._device.type in ("cpu", "mps") and self.plan.offload == "none"):
            raise self._too_little(what)
        self.plan = less
        self._warnings.append(f"The device's memory was too small. {less.sentence}")

    def _too_little(self, what: str) -> ModelError:
        advice = what_would_fit(self._sizes, room_on(self._device), self.plan)
        return ModelError(f"{self._device} has too little memory for {what}. {advice}")
