"""Models without a prompt: a UNet2DModel and a scheduler, unconditional or class-conditional, of pixels or of the
latents of an autoencoder.

Some are given the frame itself as well, as three more channels behind those of the noisy picture (SR3, Saharia et al.
2021; so does diffusers' LDMSuperResolutionPipeline), or as many as its latents have: these know where things are,
however strong the noise. And some of these are given its geometry, in four more, which hold means over cells beside
latents: they know which way surfaces face, and what is sky.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DModel
from torch.nn import functional

from warpnoise.errors import ModelError
from warpnoise.sdedit.autoencoder import decode, encode, latent_change
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.device import free_unused, pick_device, pick_dtype
from warpnoise.sdedit.editor import EditSettings, NoiseMaps
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.folder_checks import GEOMETRY_CHANNELS
from warpnoise.sdedit.guidance import guide
from warpnoise.sdedit.key_attention import KeyFrame
from warpnoise.sdedit.latent_noise import latent_noise
from warpnoise.sdedit.memory_plan import MemoryOptions
from warpnoise.sdedit.padding import pad_to, round_up
from warpnoise.sdedit.parts import load_part
from warpnoise.sdedit.pull import LATENT_STEPS, Change, Pull
from warpnoise.sdedit.sample import Denoiser, finite, sample
from warpnoise.sdedit.schedule import Schedule
from warpnoise.sdedit.texture import maps_read, textured

_CHOSEN = MemoryOptions()


class PixelEditor:
    """SDEdit with classifier-free guidance (Ho & Salimans 2022) where the model has a null class."""

    takes_prompt = False

    def __init__(
        self,
        folder: ModelFolder,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        memory: MemoryOptions = _CHOSEN,
    ) -> None:
        self.folder = folder
        self._memory = memory
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self._schedule = Schedule(folder.scheduler, clip="vae" not in folder.parts)
        self._unet = load_part(folder, "unet", UNet2DModel, self.device, self.dtype)
        self.vae: Any = None
        if "vae" in folder.parts:
            kind = AutoencoderTiny if folder.parts["vae"][1] == "AutoencoderTiny" else AutoencoderKL
            self.vae = load_part(folder, "vae", kind, self.device, torch.float32)
        self._noise = latent_noise(folder, self, self.device)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def styles(self) -> tuple[str, ...]:
        return self.folder.styles

    @property
    def takes_geometry(self) -> bool:
        return self.folder.takes_geometry

    @property
    def digest(self) -> str:
        return self.folder.digest

    def cell(self, settings: EditSettings) -> int:
        return self.folder.size_multiple if self._noise.is_fine(settings) else 1

    def rest(self) -> None:
        self._move("cpu")
        free_unused(self.device)

    def wake(self) -> None:
        self._move(self.device)

    def _move(self, device: str | torch.device) -> None:
        self._unet.to(device)
        if self.vae is not None:
            self.vae.to(device)

    def save_memory(self, height: int, width: int) -> str:
        raise ModelError(
            f"{self.device} has too little memory for one frame of {width} x {height} pixels: "
            "render smaller frames, close other programs that use it, or choose the device cpu"
        )

    def take_warnings(self) -> tuple[str, ...]:
        return ()

    def check(
        self,
        settings: EditSettings,
        *,
        measuring: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[str, ...]:
        warnings = check_settings(self.folder, settings)
        if self._memory.asked:
            warnings += (f"{self.name} is a pixel model, which is small: {self._memory.asked} has no effect.",)
        return warnings + self._noise.warnings(settings, measuring, cancelled)

    def noise_shape(self, height: int, width: int, settings: EditSettings) -> tuple[int, int, int]:
        return self._noise.shape(height, width, settings)

    def noise_maps(self, settings: EditSettings) -> int:
        return maps_read(self.folder, settings)

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
        """As ``Editor.edit``. Sizes that are no multiple of the network's are padded by reflection, noise included."""
        self.check(settings)
        images = textured(images.to(self.device, torch.float32), noise, self.folder, settings)
        height, width = images.shape[-2:]
        padded = [round_up(size, self.folder.size_multiple) for size in (height, width)]
        frames = pad_to(images * 2 - 1, *padded)
        x_0 = encode(self, frames)

        def maps(index: int, /) -> torch.Tensor:
            number = self.folder.shot_map(settings, index)
            given = noise(number).to(self.device, torch.float32)
            return pad_to(self._noise.latents(given, number, settings), *x_0.shape[-2:])

        run = self._schedule.run(
            self.folder.steps_for(settings), settings.strength, settings.eta, self.folder.sampler_for(settings)
        )
        given = self._given(x_0, geometry)
        change = None if pull is None else self._change(pull.padded(frames))
        denoiser = self._denoiser(given, settings)
        steps = None if self.vae is None else LATENT_STEPS
        x = sample(x_0, maps, run, denoiser, change=change, changed_steps=steps, on_step=on_step, cancelled=cancelled)
        return (finite(decode(self, x))[..., :height, :width] / 2 + 0.5).clamp(0, 1)

    def _change(self, pull: Pull) -> Change:
        return pull.change if self.vae is None else latent_change(self, pull.change)

    def _given(self, frames: torch.Tensor, geometry: torch.Tensor | None) -> torch.Tensor:
        """What the network sees beside the noisy picture, of frames (b, c, h, w): (b, 0 or c or c + 4, h, w)."""
        if not self.folder.takes_frame:
            return frames[:, :0]
        if not self.takes_geometry:
            return frames
        size, cell = frames.shape[-2:], self.folder.vae_factor
        if geometry is None:
            known = frames.new_zeros((len(frames), GEOMETRY_CHANNELS, *size))
        else:
            padded = pad_to(geometry.to(self.device, torch.float32), *(side * cell for side in size))
            known = functional.avg_pool2d(padded, cell)
        return torch.cat([frames, known], dim=1)

    def _denoiser(self, given: torch.Tensor, settings: EditSettings) -> Denoiser:
        predict = partial(self._predict, given)
        if self.folder.classes is None:
            return lambda x, t: predict(x, t, None)
        label = self.styles.index(settings.style) if settings.style is not None else 0
        null = self.folder.sheet.null_class
        scale = self.folder.guidance_for(settings)
        labels = torch.full((len(given),), label, device=self.device)
        return guide(predict, labels, None if null is None else torch.full_like(labels, null), scale)

    def _predict(
        self, given: torch.Tensor, x: torch.Tensor, t: torch.Tensor, labels: torch.Tensor | None
    ) -> torch.Tensor:
        channels = x.shape[1]
        # Guidance asks for two predictions of every frame at once, where a device likes that.
        x = torch.cat([x, given.repeat(len(x) // len(given), 1, 1, 1)], dim=1)
        output: torch.Tensor = self._unet(x.to(self.dtype), t, class_labels=labels, return_dict=False)[0]
        return output[:, :channels].float()  # beyond: a variance that some models learn and DDIM has no use for
