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

    ``shift``: (down, right) pixels that hold the frame on the model's grid, see `PhaseLock`; None: it is edited where
    it stands.
    """

    frame: int
    source: Wanted
    noise: FrameNoise
    shift: tuple[int, int] | None = None


class FrameNoise:
    """A frame's noise maps, each read when it is asked for: a stochastic sampler asks for one a step, and all of them
    would take more memory than the frame. ``hold`` reads the rest before the method moves to the next frame."""

    def __init__(self, method: NoiseMethod, first: torch.Tensor, maps: int) -> None:
        self._method, self._maps = method, maps
        self._held: list[torch.Tensor] = [first]

    def __call__(self, index: int, /) -> torch.Tensor:
        """Map ``index``: (channels, height, width) float32."""
        return self._held[index] if index < len(self._held) else self._method.frame(index)

    def hold(self) -> None:
        self._held += [self._method.frame(index) for index in range(len(self._held), self._maps)]

    def drop(self) -> None:
        """No map will be asked for any more."""
        self._maps, self._held = 0, []


def carry_noise(
    sources: Iterable[Source], noise: NoiseMethod, maps: int, lock: PhaseLock | None = None
) -> Iterator[tuple[Source, NoisyFrame | None]]:
    """Every frame, and with its noise if it is wanted. The noise goes through all of them.

    ``noise`` and ``lock`` stand on the first frame.
    """
    last: NoisyFrame | None = None
    for source in sources:
        if last is not None:
            last.noise.hold()
            last = None
        first = noise.frame() if source.motion is None else noise.advance(source.motion)
        if lock is not None and source.motion is not None:
            lock.advance(source.motion)
        noisy = None
        if source.wanted is not None:
            shift = lock.shift if lock is not None and lock.moved else None
            noisy = last = NoisyFrame(source.frame, source.wanted, FrameNoise(noise, first, maps), shift)
        yield source, noisy
