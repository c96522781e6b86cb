"""The second stage: the motion carries the noise to each frame, and says where the frame stands on the model's grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from warpnoise.motion.dominant import PhaseLock
from warpnoise.noise import NoiseMethod
from warpnoise.pipeline.read import Source, Wanted


@dataclass(frozen=True)
class NoisyFrame:
    """A frame that is ready for the model.

    ``noise``: (maps, channels, height, width) float32. ``shift``: (down, right) pixels that hold the frame on the
    model's grid, see `PhaseLock`; None: it is edited where it stands.
    """

    frame: int
    source: Wanted
    noise: torch.Tensor
    shift: tuple[int, int] | None = None


def carry_noise(
    sources: Iterable[Source], noise: NoiseMethod, maps: int, lock: PhaseLock | None = None
) -> Iterator[tuple[Source, NoisyFrame | None]]:
    """Every frame, and with its noise if it is wanted. The noise goes through all of them.

    ``noise`` and ``lock`` stand on the first frame.
    """
    for source in sources:
        first = noise.frame() if source.motion is None else noise.advance(source.motion)
        if lock is not None and source.motion is not None:
            lock.advance(source.motion)
        noisy = None
        if source.wanted is not None:
            stacked = torch.stack([first, *(noise.frame(index) for index in range(1, maps))])
            shift = lock.shift if lock is not None and lock.moved else None
            noisy = NoisyFrame(source.frame, source.wanted, stacked, shift)
        yield source, noisy
