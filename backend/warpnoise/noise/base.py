"""The base class of noise methods: their arguments, and the frame at which they are."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .methods import MAX_CHANNELS, MAX_MAPS
from .motion import Motion


class NoiseMethod(ABC):
    """Gaussian noise for the frames of an animation, one after another.

    An object holds the noise of one frame. It starts at the first frame, and :meth:`advance` moves it to the next one.
    The seed and the motions determine every bit of the noise.

    Args:
        shape: (channels, height, width) of the noise.
        seed: any 64-bit integer.
        device: the device on which the noise is computed and returned.
        maps: the number of independent noise maps, which all move with the same motion.

    Raises:
        ValueError: an argument is out of range.
        RuntimeError: the device is not available.
    """

    def __init__(
        self, shape: tuple[int, int, int], seed: int = 0, device: str | torch.device = "cpu", maps: int = 1
    ) -> None:
        sizes = tuple(shape) if isinstance(shape, Iterable) else ()
        if len(sizes) != 3 or not is_integer(sizes[0], 1, MAX_CHANNELS) or not all(is_integer(n, 1) for n in sizes):
            raise ValueError(
                "shape must be (channels, height, width), three integers of at least 1, "
                f"with at most {MAX_CHANNELS} channels, got {shape!r}"
            )
        if not is_integer(seed, -(2**63), 2**64 - 1):
            raise ValueError(f"seed must be a 64-bit integer, got {seed!r}")
        if not is_integer(maps, 1, MAX_MAPS):
            raise ValueError(f"maps must be an integer from 1 to {MAX_MAPS}, got {maps!r}")
        self.shape, self.seed, self.maps = sizes, seed, maps
        try:
            self.device = torch.device(device)
            torch.empty(1, device=self.device)
        except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
            raise RuntimeError(f"device {str(device)!r} is not available; use 'cpu', for example. {error}") from None
        self.frame_index = 0

    def frame(self, map: int = 0) -> Tensor:  # noqa: A002 - the name of the documented interface
        """Return the noise of the current frame: (channels, height, width) float32, on the device.

        Args:
            map: the index of the noise map, from 0 to maps - 1.

        Raises:
            ValueError: there is no such map.
        """
        if not is_integer(map, 0, self.maps - 1):
            raise ValueError(f"map must be an integer from 0 to {self.maps - 1} (maps={self.maps}), got {map!r}")
        return self._frame(map)

    def advance(self, motion: Motion) -> Tensor:
        """Move to the next frame, and return its noise.

        Args:
            motion: the motion from the current frame to the next one. Its size may differ from that of the noise, but
                not its aspect ratio.

        Returns:
            Map 0 of the next frame's noise: (channels, height, width) float32, on the device.

        Raises:
            ValueError: the argument is not a Motion, or its aspect ratio differs.
        """
        if not isinstance(motion, Motion):
            raise ValueError(f"motion must be a Motion, got {type(motion).__name__}")
        _, height, width = self.shape
        h, w = motion.size
        if abs(h * width - w * height) > max(h, w):
            raise ValueError(
                f"motion is {h} x {w} pixels and the noise {height} x {width}: their aspect ratios must agree"
            )
        self._advance(motion)
        self.frame_index += 1
        return self._frame(0)

    @abstractmethod
    def _frame(self, map: int) -> Tensor: ...  # noqa: A002

    @abstractmethod
    def _advance(self, motion: Motion) -> None: ...


def is_integer(value: Any, least: float, most: float = math.inf) -> bool:
    """Whether an argument is an integer, and no bool, from ``least`` to ``most``."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
