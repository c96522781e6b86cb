"""Models without a prompt: a UNet2DModel and a scheduler, with or without classes, in pixels or in latents.

Some of them also get the frame, in as many channels as the noisy picture has (SR3, Saharia et al. 2021; diffusers'
LDMSuperResolutionPipeline does the same), so they know the layout however strong the noise is. Some of these also get
the frame's geometry, in four channels, which hold means over cells for latents. So they know which way surfaces face,
and where the sky is.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DModel
from torch.nn import functional

from warpnoise.errors import ModelError
from warpnoise.sdedit.autoencoder import decode, encode, latent_change
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.editor import Batch, Editor
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.folder_checks import GEOMETRY_CHANNELS
from warpnoise.sdedit.injection import InjectedScheduler
from warpnoise.sdedit.latent_noise import LatentNoise
from warpnoise.sdedit.memory_plan import MemoryOptions
from warpnoise.sdedit.model_files import component
from warpnoise.sdedit.padding import pad_to
from warpnoise.sdedit.parts import load_network
from warpnoise.sdedit.pull import LATENT_STEPS, Change
from warpnoise.sdedit.schedule import Schedule


class PixelEditor(Editor):
    """SDEdit with classifier-free guidance (Ho & Salimans 2022), if the model has a null class."""

    def __init__(
        self,
        folder: ModelFolder,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        memory: MemoryOptions | None = None,
    ) -> None:
        super().__init__(folder, device, dtype, half="float16")
        self._asked = memory.asked if memory else ""
        self._schedule = Schedule(folder.scheduler, clip="vae" not in folder.parts)
        self._unet = load_network(component(folder.path, "unet"), UNet2DModel, self.device, self.dtype)
        self.vae: Any = None
        if "vae" in folder.parts:
            kind = AutoencoderTiny if folder.parts["vae"][1] == "AutoencoderTiny" else AutoencoderKL
            self.vae = load_network(component(folder.path, "vae"), kind, self.device, torch.float32)
        self._noise = LatentNoise(folder, self, self.device)

    def save_memory(self, height: int, width: int) -> str:
        raise ModelError(
            f"{self.device} has too little memory for one frame of {width} x {height} pixels: "
            "render smaller frames, close other programs that use it, or choose the device cpu"
        )

    def _move(self, device: str | torch.device) -> None:
        self._unet.to(device)
        if self.vae is not None:
            self.vae.to(device)

    def _own_warnings(self, settings: EditSettings) -> tuple[str, ...]:
        if not self._asked:
            return ()
        verb = "have" if ", " in self._asked else "has"
        return (f"{self.folder.name} is a pixel model, which is small: {self._asked} {verb} no effect.",)

    def _encode(self, pictures: torch.Tensor) -> torch.Tensor:
        return encode(self, pictures)

    def _decode(self, x: torch.Tensor) -> torch.Tensor:
        return decode(self, x)

    def _denoise(self, batch: Batch) -> torch.Tensor:
        folder, settings, x_0 = self.folder, batch.settings, batch.x_0
        sampler = folder.sampler_for(settings)
        run = self._schedule.run(folder.steps_for(settings), settings.strength, settings.eta, sampler)
        conditioning = self._conditioning(x_0, batch.geometry)
        scheduler = InjectedScheduler(
            self._schedule.config,
            run,
            run.start(x_0, batch.noise(0)),
            batch.noise,
            self._change(batch),
            len(run.timesteps) if self.vae is None else LATENT_STEPS,
            batch.on_step,
            batch.cancelled,
        )
        for t in run.timesteps:
            scheduler.step(self._guided(conditioning, scheduler.x, t, settings), t, scheduler.x)
        return scheduler.x

    def _change(self, batch: Batch) -> Change | None:
        if batch.pull is None:
            return None
        change = batch.pull.padded(batch.x_0, self.folder.vae_factor).change
        return change if self.vae is None else latent_change(self, change)

    def _conditioning(self, frames: torch.Tensor, geometry: torch.Tensor | None) -> torch.Tensor:
        """The network's input besides the noisy picture, for frames (b, c, h, w): (b, 0 or c or c + 4, h, w)."""
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

    def _guided(
        self, conditioning: torch.Tensor, x: torch.Tensor, t: torch.Tensor, settings: EditSettings
    ) -> torch.Tensor:
        """The model's output; e_null + scale (e_style - e_null) if it has a null class."""
        predict = partial(self._predict, conditioning)
        if self.folder.classes is None:
            return predict(x, t, None)
        label = 0 if settings.style is None else self.folder.styles.index(settings.style)
        style = torch.full((len(conditioning),), label, device=self.device)
        null, scale = self.folder.sheet.null_class, self.folder.guidance_for(settings)
        if null is None or scale == 1:
            return predict(x, t, style)
        none = torch.full_like(style, null)
        if self.device.type == "cpu":  # one at a time fits a CPU's caches better (measured: a tenth faster)
            e_none, e_style = predict(x, t, none), predict(x, t, style)
        else:
            e_none, e_style = predict(torch.cat([x, x]), t, torch.cat([none, style])).chunk(2)
        return e_none + scale * (e_style - e_none)

    def _predict(
        self, conditioning: torch.Tensor, x: torch.Tensor, t: torch.Tensor, labels: torch.Tensor | None
    ) -> torch.Tensor:
        channels = x.shape[1]
        # With guidance, the batch may hold two predictions of every frame.
        x = torch.cat([x, conditioning.repeat(len(x) // len(conditioning), 1, 1, 1)], dim=1)
        output: torch.Tensor = self._unet(x.to(self.dtype), t, class_labels=labels, return_dict=False)[0]
        return output[:, :channels].float()  # some models also return a variance, which DDIM does not use
