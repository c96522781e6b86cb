"""Resamples flow to the grid of the noise, for methods that need one vector for each noise pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from ..motion import Motion


def backward_at(motion: Motion, height: int, width: int, device: torch.device) -> Tensor:
    """(height, width, 2) float32: where what each noise pixel shows was in the old frame, noise pixels.

    The vector is the one of the motion pixel that holds the noise pixel's center: a mean over several surfaces would
    point nowhere. NaN where the motion is not known.
    """
    h, w = motion.size
    rows = ((torch.arange(height, device=device) + 0.5) * (h / height)).to(torch.int64).clamp(max=h - 1)
    columns = ((torch.arange(width, device=device) + 0.5) * (w / width)).to(torch.int64).clamp(max=w - 1)
    chosen = motion.backward.to(device)[rows[:, None], columns[None, :]]
    chosen = torch.where(torch.isfinite(chosen), chosen, torch.nan)
    scale = torch.tensor([width / w, height / h], device=device)
    y, x = torch.meshgrid(
        torch.arange(height, device=device),
        torch.arange(width, device=device),
        indexing="ij",
    )
    return torch.stack([x, y], dim=-1) + chosen * scale
