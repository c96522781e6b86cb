"""The code that all model families share: how frames reach the network and return, and the facts about a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from warpnoise.errors import stop_if
from warpnoise.sdedit.check import check_settings, check_values
from warpnoise.sdedit.device import free_unused, pick_device, pick_dtype
from warpnoise.sdedit.edit_settings import EditSettings, NoiseMaps
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.injection import finite
from warpnoise.sdedit.key_attention import KeyFrame
from warpnoise.sdedit.latent_noise import LatentNoise
from warpnoise.sdedit.padding import pad_to, round_up
from warpnoise.sdedit.pull import Pull
from warpnoise.sdedit.texture import add_texture


@dataclass(frozen=True)
class Batch:
    """The arguments of ``Editor.edit``, on the model's device.

    ``frames``: (b, 3, h, w) float32 in [0, 1]. ``images``: likewise, with texture. ``x_0``: what the denoising starts
    from, (b, c, H, W) float32: the images, padded by reflection to whole cells of the network, as pixels in [-1, 1] or
    as latents. ``noise``: maps of x_0's shape.
    """

    settings: EditSettings
    frames: torch.Tensor
    images: torch.Tensor
    x_0: torch.Tensor
    noise: NoiseMaps
    geometry: torch.Tensor | None
    guides: Mapping[str, torch.Tensor]
    pull: Pull | None
    key: KeyFrame | None
    on_step: Callable[[int, int], None] | None
    cancelled: Callable[[], bool] | None


class Editor(ABC):
    """A loaded model. It may be used for any number of batches, by one thread at a time."""

    _noise: LatentNoise

    def __init__(
        self, folder: ModelFolder, device: str | torch.device | None, dtype: str | torch.dtype | None, half: str
    ) -> None:
        """``half``: the half precision that suits the model. Raises SettingsError: as `pick_device`, `pick_dtype`."""
        self.folder = folder
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device, half)

    @property
    def takes_geometry(self) -> bool:
        """Whether ``edit`` uses ``geometry``."""
        return self.folder.takes_geometry

    def cell(self, settings: EditSettings) -> int:
        """Pixels on a side of a cell of the network's grid; 1: there is no grid on which noise can be shifted.

        If picture and noise shift by whole cells, the result shifts in the same way.
        """
        fine = self._noise.bank(settings) is not None or self.folder.vae_factor == 1
        return self.folder.size_multiple if fine else 1

    def rest(self) -> None:
        """Free the device's memory: move the weights to main memory."""
        self._move("cpu")
        free_unused(self.device)

    def wake(self) -> None:
        """Move the weights back to the device, before the next ``edit``."""
        self._move(self.device)

    @abstractmethod
    def save_memory(self, height: int, width: int) -> str:
        """Use less of the device's memory from now on. Call it if a single frame did not fit.

        Returns:
            What changed, as a sentence.

        Raises:
            ModelError: nothing is left to try; says what would fit.
        """

    def take_warnings(self) -> tuple[str, ...]:
        """Messages for the user since the last call, as sentences."""
        return ()

    def check(
        self,
        settings: EditSettings,
        *,
        measuring: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[str, ...]:
        """Warnings about settings that have no effect here. The first call for a model with an autoencoder measures it.

        Args:
            measuring: called with the share of the measuring that is done, 0 to 1.
            cancelled: asked while measuring.

        Raises:
            SettingsError: a setting that the model does not take.
            ModelError: a file that the settings name, such as a LoRA, does not fit the model.
            Cancelled: ``cancelled()`` was true.
        """
        warnings = check_settings(self.folder, settings)
        self._prepare(settings)
        warnings += self._own_warnings(settings)

        def report(share: float) -> None:
            stop_if(cancelled, "Cancelled while measuring the decoder.")
            if measuring is not None:
                measuring(share)

        return warnings + self._noise.warnings(settings, report)

    def noise_shape(self, height: int, width: int, settings: EditSettings) -> tuple[int, int, int]:
        """(channels, height, width) of the noise for images of ``height`` x ``width`` pixels."""
        return (self._noise.bank(settings) or self.folder).noise_shape(height, width)

    def noise_maps(self, settings: EditSettings) -> int:
        """The number of noise maps that an edit reads: 1, one for each stochastic step, and one for texture."""
        largest = settings.largest("texture")
        textured = (self.folder.texture_for(settings) if largest is None else largest) > 0
        return self.folder.denoising_maps(settings) + textured

    @torch.no_grad()  # not inference_mode: the caller's noise is made in here, and may be kept
    def edit(
        self,
        images: torch.Tensor,
        noise: NoiseMaps,
        settings: EditSettings,
        *,
        geometry: torch.Tensor | None = None,
        guides: Mapping[str, torch.Tensor] | None = None,
        pull: Pull | None = None,
        key: KeyFrame | None = None,
        on_step: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> torch.Tensor:
        """Stylize a batch.

        Args:
            images: (b, 3, h, w) float32 in [0, 1], display-referred (sRGB); on any device.
            noise: gives the maps, each (b, *noise_shape(h, w, settings)); on any device.
            geometry: (b, 4, h, w) float32, for models that take it: the surfaces' unit normals in camera space (x
                right, y up, z toward the viewer; 0: not known), and 1 at surfaces, -1 at the background. None: nothing
                is known.
            guides: (b, 3, h, w) float32 in [0, 1] each: "depth", "normals" and "lines", where the settings' controls
                are given them.
            pull: the look that the surfaces already have; the predictions are drawn toward it, in latent models
                only those of the last steps.
            key: a key frame that self-attention also sees, if the network supports it; for batches of one.
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
        check_values(self.folder, settings)
        self._prepare(settings)
        frames = images.to(self.device, torch.float32)
        images = frames
        if amount := self.folder.texture_for(settings):
            images = add_texture(frames, noise(self.folder.denoising_maps(settings)).to(frames), amount)
        height, width = images.shape[-2:]
        x_0 = self._encode(pad_to(images * 2 - 1, *self._padded(height, width)))

        def maps(index: int) -> torch.Tensor:
            number = self.folder.shot_map(settings, index)
            return self._latents(noise(number), number, settings, x_0)

        seen = {} if guides is None else dict(guides)
        x = self._denoise(Batch(settings, frames, images, x_0, maps, geometry, seen, pull, key, on_step, cancelled))
        return (finite(self._decode(x))[..., :height, :width] / 2 + 0.5).clamp(0, 1)

    @abstractmethod
    def _move(self, device: str | torch.device) -> None:
        """Move all weights there."""

    def _prepare(self, settings: EditSettings) -> None:  # noqa: B027 - not every family has something to load
        """Load the adapters that the settings name. Raises ModelError: one is for another model."""

    @abstractmethod
    def _own_warnings(self, settings: EditSettings) -> tuple[str, ...]:
        """What `check_settings` does not know."""

    @abstractmethod
    def _encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """(b, 3, H, W) in [-1, 1] to x_0."""

    @abstractmethod
    def _decode(self, x: torch.Tensor) -> torch.Tensor:
        """The inverse."""

    @abstractmethod
    def _denoise(self, batch: Batch) -> torch.Tensor:
        """The stylized x_0."""

    def _padded(self, height: int, width: int) -> tuple[int, int]:
        """The size of whole cells of the network."""
        return round_up(height, self.folder.size_multiple), round_up(width, self.folder.size_multiple)

    def _latents(self, noise: torch.Tensor, index: int, settings: EditSettings, like: torch.Tensor) -> torch.Tensor:
        """Noise map ``index``, (b, *noise_shape), in the latents' place, padded as ``like``."""
        return pad_to(self._noise.latents(noise.to(like), index, settings), *like.shape[-2:])
