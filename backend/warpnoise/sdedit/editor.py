"""What every model family looks like from outside, and the one place that chooses among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from warpnoise.sdedit.folder import ModelFolder

if TYPE_CHECKING:
    import torch


class EditSettings(Protocol):
    """The fields of a job's settings that SDEdit reads; docs/architecture.md gives their meaning and ranges."""

    @property
    def style(self) -> str | None: ...
    @property
    def prompt(self) -> str: ...
    @property
    def negative_prompt(self) -> str: ...
    @property
    def strength(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def guidance(self) -> float | None: ...
    @property
    def texture(self) -> float | None: ...
    @property
    def eta(self) -> float: ...


class NoiseMaps(Protocol):
    """``noise(k)`` -> (b, *noise_shape) float32, N(0, 1).

    Map 0 starts, map k is for the k-th stochastic step; where there is texture, the last map is its own.
    """

    def __call__(self, index: int, /) -> torch.Tensor: ...


class Editor(Protocol):
    """A loaded model. It may be used for any number of batches, by one thread at a time."""

    @property
    def name(self) -> str: ...
    @property
    def styles(self) -> tuple[str, ...]: ...
    @property
    def takes_prompt(self) -> bool: ...
    @property
    def digest(self) -> str:
        """Of the weights and configuration, in hexadecimal."""

    @property
    def device(self) -> torch.device: ...
    def check(self, settings: EditSettings) -> tuple[str, ...]:
        """Warnings about settings that have no effect here. Raises SettingsError for those that cannot be taken."""

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, height, width) of the noise for images of ``height`` x ``width`` pixels."""

    def noise_maps(self, settings: EditSettings) -> int:
        """How many independent noise maps an edit reads: 1, one more for each stochastic step, one for texture."""

    def edit(
        self,
        images: torch.Tensor,
        noise: NoiseMaps,
        settings: EditSettings,
        *,
        on_step: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> torch.Tensor:
        """Stylize a batch.

        Args:
            images: (b, 3, h, w) float32 in [0, 1], display-referred (sRGB); on any device.
            noise: gives the maps, each (b, *noise_shape(h, w)); on any device.
            on_step: called after each denoising step with its number, from 1, and how many there are.
            cancelled: asked before each denoising step.

        Returns:
            (b, 3, h, w) float32 in [0, 1] on the model's device. A frame's result depends on the batch's size by
            rounding only (other kernels may be chosen), never on the other frames.

        Raises:
            SettingsError: a setting out of its range or that this model does not take.
            ModelError: the model returned infinities or NaN.
            Cancelled: ``cancelled()`` was true.
        """


def load_model(
    name_or_path: str | Path, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None
) -> Editor:
    """Load a model's weights.

    Args:
        name_or_path: "default", or the path of a diffusers folder.
        device: "cuda", "cuda:1", "mps", "cpu"; None: the best one there is.
        dtype: of the weights and activations, "float32", "float16" or "bfloat16"; None: float16 on GPUs, float32 on
            the CPU. The sampler's own arithmetic is always float32.

    Raises:
        ModelError: no such folder, not a model, of a family that is not known, weights that are missing or pickled.
        SettingsError: the device is not there, or cannot compute in ``dtype``.
    """
    folder = ModelFolder.open(name_or_path)
    if folder.family == "latent":
        from warpnoise.sdedit.latent import LatentEditor

        return LatentEditor(folder, device, dtype)
    from warpnoise.sdedit.pixel import PixelEditor

    return PixelEditor(folder, device, dtype)
