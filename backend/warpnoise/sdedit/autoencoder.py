"""Encodes pictures as the denoiser's latents, and decodes them, with a pipeline's own autoencoder.

It takes the mode of the latents' distribution, never a sample, so that only the noise is random.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.model_files import ADVICE


def make_certain(vae: Any) -> None:
    """Have the autoencoder return its most likely latents wherever a pipeline would sample them, as for controls and
    reference pictures. Pictures and latents may have any precision.

    Raises:
        ModelError: its configuration has no statistics of the latents that can be used.
    """
    channels = vae.config.get("z_dim") or vae.config.get("latent_channels")
    if channels and not hasattr(vae, "bn"):
        _statistics(vae, torch.empty(1, int(channels), 1, 1))
    plain: Callable[..., Any] = vae.encode

    def encode_certainly(x: torch.Tensor, *args: Any, **keywords: Any) -> Any:
        out = plain(x.to(vae.dtype), *args, **keywords)
        if hasattr(out, "latent_dist"):
            latents = out.latent_dist.mode().to(x.dtype)
            out.latent_dist = SimpleNamespace(mode=lambda: latents, sample=lambda generator=None: latents)
        return out

    vae.encode = encode_certainly


def encode(pipeline: Any, images: torch.Tensor) -> torch.Tensor:
    """(b, 3, h, w) float32 in [-1, 1] to (b, c, h / f, w / f) float32.

    Encodes image by image, which bounds the memory of the autoencoder's large activations.
    """
    vae = getattr(pipeline, "vae", None)
    if vae is None:
        return images  # the model works on pixels
    latents = [_most_likely(vae, image[None].to(vae.dtype)) for image in images]
    return torch.cat([_rescaled(pipeline, raw, lambda x, mean, std: (x - mean) / std) for raw in latents])


def decode(pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
    """The inverse of ``encode``, except for the autoencoder's loss."""
    vae = getattr(pipeline, "vae", None)
    if vae is None:
        return latents
    images = []
    for latent in latents:
        z = _rescaled(pipeline, latent[None], lambda x, mean, std: x * std + mean).to(vae.dtype)
        image = vae.decode(z[:, :, None] if takes_time(vae) else z, return_dict=False)[0]
        images.append((image[:, :, 0] if takes_time(vae) else image).float())
    return torch.cat(images)


def latent_change(pipeline: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The function of latents, (b, c, h, w), that corresponds to ``change``, a function of pictures in [-1, 1]. Both
    return what to add.

    It adds the difference of two encodings, because an encoded picture would lose the detail that autoencoders lose.
    """

    def of_latents(latents: torch.Tensor) -> torch.Tensor:
        picture = decode(pipeline, latents).clamp(-1, 1)
        changed = (picture + change(picture)).clamp(-1, 1)
        return encode(pipeline, changed) - encode(pipeline, picture)

    return of_latents


def _most_likely(vae: Any, image: torch.Tensor) -> torch.Tensor:
    out = vae.encode(image[:, :, None] if takes_time(vae) else image)
    latent: torch.Tensor
    if hasattr(out, "latent_dist"):
        latent = out.latent_dist.mode()
    else:
        latent = out.latents if hasattr(out, "latents") else out.latent
    return (latent[:, :, 0] if takes_time(vae) else latent).float()


def takes_time(vae: Any) -> bool:
    """Whether the autoencoder is for videos, (b, c, t, h, w). A picture is then one frame."""
    return "temperal_downsample" in vae.config  # diffusers' spelling


def _rescaled(pipeline: Any, latent: torch.Tensor, by: Callable[..., torch.Tensor]) -> torch.Tensor:
    """``by`` of the latent, and of the mean and standard deviation of raw latents."""
    vae = pipeline.vae
    if not hasattr(vae, "bn"):
        return by(latent, *_statistics(vae, latent))
    cells = pipeline._patchify_latents(latent)  # FLUX.2 normalizes cells of 2 x 2
    mean, variance = vae.bn.running_mean.view(1, -1, 1, 1), vae.bn.running_var.view(1, -1, 1, 1)
    std = (variance + vae.config.batch_norm_eps).sqrt()
    rescaled: torch.Tensor = pipeline._unpatchify_latents(by(cells, mean.to(cells), std.to(cells)))
    return rescaled


def _statistics(vae: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of raw latents, (1, 1 or c, 1, 1) each, by the autoencoder's configuration."""

    def entry(name: str, default: float) -> torch.Tensor:
        value = vae.config.get(name)
        try:
            numbers = torch.as_tensor(default if value is None else value, dtype=like.dtype, device=like.device)
        except (TypeError, ValueError, RuntimeError):
            numbers = torch.empty(0)
        if numbers.numel() not in (1, like.shape[1]):
            raise ModelError(
                f"the autoencoder's config.json: {name} is {str(value)[:60]}; expected a number, or {like.shape[1]} in "
                f"a list. {ADVICE}"
            )
        return numbers.reshape(1, -1, 1, 1)

    mean = entry("shift_factor", 0.0) if vae.config.get("latents_mean") is None else entry("latents_mean", 0.0)
    return mean, entry("latents_std", 1.0) / entry("scaling_factor", 1.0)
