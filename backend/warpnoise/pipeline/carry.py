"""The second stage: the motion carries the noise to each frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from warpnoise.noise import NoiseMethod
from warpnoise.pipeline.read import Source, Wanted


@dataclass(frozen=True)
class NoisyFrame:
    """A frame that is ready for the model. ``noise``: (maps, channels, height, width) float32."""

    frame: int
    source: Wanted
    noise: torch.Tensor


def carry_noise(sources: Iterable[Source], noise: NoiseMethod, maps: int) -> Iterator[NoisyFrame]:
    """The wanted frames with their noise, which goes through every frame before them, wanted or not."""
    for source in sources:
        first = noise.frame() if source.motion is None else noise.advance(source.motion)
        if source.wanted is not None:
            stacked = torch.stack([first, *(noise.frame(index) for index in range(1, maps))])
            yield NoisyFrame(source.frame, source.wanted, stacked)
