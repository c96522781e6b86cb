"""Stable Diffusion 1.x and 2.x: latents of a VAE, denoised with a text prompt (Rombach et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from warpnoise.errors import ModelError
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.device import pick_device, pick_dtype
from warpnoise.sdedit.editor import EditSettings, NoiseMaps
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.guidance import guide
from warpnoise.sdedit.load import load_part
from warpnoise.sdedit.padding import pad_to, round_up
from warpnoise.sdedit.sample import Denoiser, sample
from warpnoise.sdedit.schedule import Schedule
from warpnoise.sdedit.texture import maps_read, textured


class LatentEditor:
    """SDEdit on latents. The VAE's most likely latents are taken, not random ones: nothing but the noise is random."""

    styles: tuple[str, ...] = ()
    takes_prompt = True
    takes_geometry = False

    def __init__(
        self, folder: ModelFolder, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None
    ) -> None:
        self.folder = folder
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self._schedule = Schedule(folder.scheduler, clip=False)
        self._unet = load_part(folder, "unet", UNet2DConditionModel, self.device, self.dtype)
        # In float32 on every device: in half precision some VAEs overflow, and it is a small part of the work.
        self._vae = load_part(folder, "vae", AutoencoderKL, self.device, torch.float32)
        self._text_encoder = load_part(folder, "text_encoder", CLIPTextModel, self.device, self.dtype)
        self._tokenizer = _load_tokenizer(folder)
        self._embeddings: dict[str, torch.Tensor] = {}

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def digest(self) -> str:
        return self.folder.digest

    def check(self, settings: EditSettings) -> tuple[str, ...]:
        """Also: whether the prompts are longer than what the text encoder reads."""
        return check_settings(self.folder, settings) + tuple(
            f"The {name} has {len(ids)} tokens, the model reads {self._tokenizer.model_max_length}: its end is ignored."
            for name, text in (("prompt", settings.prompt), ("negative prompt", settings.negative_prompt))
            if len(ids := self._tokenizer(text, truncation=False, verbose=False).input_ids)
            > self._tokenizer.model_max_length
        )

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        return self.folder.noise_shape(height, width)

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
        on_step: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> torch.Tensor:
        """As ``Editor.edit``. Images are padded by reflection to whole latents of the U-Net's depth, noise likewise."""
        check_settings(self.folder, settings)
        images = textured(images.to(self.device, torch.float32), noise, self.folder, settings)
        height, width = images.shape[-2:]
        padded = [round_up(size, self.folder.size_multiple) for size in (height, width)]
        x_0 = self._encode(pad_to(images * 2 - 1, *padded))
        latents = x_0.shape[-2:]

        def maps(index: int, /) -> torch.Tensor:
            return pad_to(noise(index).to(self.device, torch.float32), *latents)

        run = self._schedule.run(self.folder.steps_for(settings), settings.strength, settings.eta)
        x = sample(x_0, maps, run, self._denoiser(len(images), settings), on_step=on_step, cancelled=cancelled)
        return (self._decode(x)[..., :height, :width] / 2 + 0.5).clamp(0, 1)

    def _denoiser(self, batch: int, settings: EditSettings) -> Denoiser:
        scale = self.folder.guidance_for(settings)
        wanted, free = (self._embed(text).expand(batch, -1, -1) for text in (settings.prompt, settings.negative_prompt))
        return guide(self._predict, wanted, free, scale)

    def _predict(self, x: torch.Tensor, t: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self._unet(x.to(self.dtype), t, encoder_hidden_states=text, return_dict=False)[0]
        return output.float()

    def _embed(self, prompt: str) -> torch.Tensor:
        """(1, tokens, features) of a prompt; every batch of a job asks for the same one or two."""
        if prompt not in self._embeddings:
            if len(self._embeddings) > 8:
                self._embeddings.clear()
            tokens = self._tokenizer(
                prompt,
                padding="max_length",
                max_length=self._tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
            uses_mask = getattr(self._text_encoder.config, "use_attention_mask", False)
            mask = tokens.attention_mask.to(self.device) if uses_mask else None
            self._embeddings[prompt] = self._text_encoder(tokens.input_ids.to(self.device), attention_mask=mask)[0]
        return self._embeddings[prompt]

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) in [-1, 1] to latents; image by image, which bounds the memory of the VAE's big activations."""
        modes = [self._vae.encode(image[None]).latent_dist.mode() for image in images]
        return (torch.cat(modes) - self._shift) * self._scale

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        latents = latents / self._scale + self._shift
        return torch.cat([self._vae.decode(latent[None], return_dict=False)[0] for latent in latents])

    @property
    def _scale(self) -> float:
        return float(self._vae.config.scaling_factor)

    @property
    def _shift(self) -> float:
        return float(self._vae.config.get("shift_factor") or 0.0)


def _load_tokenizer(folder: ModelFolder) -> Any:
    place = folder.path / "tokenizer"
    try:
        return CLIPTokenizer.from_pretrained(str(place), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{place} cannot be loaded as a tokenizer ({first_line}): download the model again") from error
