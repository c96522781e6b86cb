"""Texture: noise that is added to the frames before SDEdit, for the model to turn into material.

A plain render is flat, and at moderate strengths a diffusion model recognizes flat areas through the noise and paints
them flat again. Unevenness of a material's scale becomes stone, leaves or strokes. The texture is a low-passed map of
the shot's own noise, so it moves with the surfaces.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

OCTAVES = (1.0, 2.0, 4.0)
"""Standard deviations of the Gaussians that filter the noise, in pixels of its grid."""

MONOCHROME = 0.8
"""The share of the texture that changes brightness alone."""

REACH = 3
"""Of the Gaussians, in standard deviations."""


def add_texture(images: torch.Tensor, noise: torch.Tensor, amount: float) -> torch.Tensor:
    """The images with texture: x + 2 a x (1 - x) n, which leaves black and white as they are.

    Args:
        images: (b, 3, h, w) float32 in [0, 1].
        noise: (b, c, grid height, grid width) float32, white and N(0, 1); the grid covers the image.
        amount: a, at least 0: the standard deviation of the texture relative to a dark grey.

    Returns:
        (b, 3, h, w) float32 in [0, 1].
    """
    field = pink(_tinted(noise))
    if field.shape[-2:] != images.shape[-2:]:
        field = functional.interpolate(field, size=images.shape[-2:], mode="bicubic", align_corners=False)
    return (images + 2 * amount * images * (1 - images) * field).clamp(0, 1)


def pink(noise: torch.Tensor) -> torch.Tensor:
    """White noise, (b, c, h, w), filtered with Gaussians of all octaves, each with the same energy; variance 1 again.

    The scale depends on the filters only, not on the result, so it is the same for all frames of a shot.
    """
    kernels = [_gaussian(sigma, noise) for sigma in OCTAVES]
    field = torch.stack([_blur(noise, kernel) for kernel in kernels]).sum(0)
    size = max(len(kernel) for kernel in kernels)
    whole = noise.new_zeros(size, size)
    for kernel in kernels:
        border = (size - len(kernel)) // 2
        padded = functional.pad(kernel, (border, border))
        whole += torch.outer(padded, padded)
    return field / whole.square().sum().sqrt()


def _tinted(noise: torch.Tensor) -> torch.Tensor:
    """Noise of any number of channels as (b, 3, h, w) with variance 1, mostly equal in the three colours."""
    root = math.sqrt(noise.shape[1])
    grey = noise.mean(1, keepdim=True) * root
    colour = noise[:, torch.arange(3, device=noise.device) % noise.shape[1]]
    variance = MONOCHROME**2 + (1 - MONOCHROME) ** 2 + 2 * MONOCHROME * (1 - MONOCHROME) / root
    return (MONOCHROME * grey + (1 - MONOCHROME) * colour) / math.sqrt(variance)


def _gaussian(sigma: float, like: torch.Tensor) -> torch.Tensor:
    """A kernel with energy 1, so that white noise keeps its variance."""
    reach = round(REACH * sigma)
    x = torch.arange(-reach, reach + 1, dtype=like.dtype, device=like.device)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    return kernel / kernel.square().sum().sqrt()


def _blur(noise: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Blur along both axes. Noise of any size is periodic beyond the border, so its variance stays."""
    batch, channels, height, width = noise.shape
    reach = len(kernel) // 2
    rows = torch.arange(-reach, height + reach, device=noise.device) % height
    columns = torch.arange(-reach, width + reach, device=noise.device) % width
    field = noise[:, :, rows][..., columns].reshape(batch * channels, 1, height + 2 * reach, width + 2 * reach)
    field = functional.conv2d(functional.conv2d(field, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return field.view(batch, channels, height, width)
