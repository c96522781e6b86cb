"""Methods that make each frame's noise from the previous frame's. They store that noise for every map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from ..base import NoiseMethod
from ..motion import Motion
from .uncorrelated import white_field

Step = Callable[[Tensor, Tensor], Tensor]  # (the last frame's noise, fresh noise) -> the next frame's noise


class RecurrentNoise(NoiseMethod):
    """Base of the methods whose state is the frame's noise itself, (channels, height, width) for each map."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        seed: int = 0,
        device: str | torch.device = "cpu",
        maps: int = 1,
    ) -> None:
        super().__init__(shape, seed, device, maps)
        self._noise = [self._white(0, map_) for map_ in range(self.maps)]

    def _white(self, frame: int, map_: int) -> Tensor:
        return white_field(self.shape, self.seed, frame, map_, self.device)

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        return self._noise[map].clone()

    def _advance(self, motion: Motion) -> None:
        next_frame = self._prepare(motion)
        self._noise = [
            next_frame(noise, self._white(self.frame_index + 1, map_)) for map_, noise in enumerate(self._noise)
        ]

    @abstractmethod
    def _prepare(self, motion: Motion) -> Step:
        """What turns (the last frame's noise, fresh noise) into the next frame's, the same for every map."""
