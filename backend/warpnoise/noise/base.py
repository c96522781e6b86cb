"""The base class of noise methods: their arguments, and the frame at which they are."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from .motion import Motion

MAX_CHANNELS = 1 << 14
MAX_MAPS = 1 << 14


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
        self,
        shape: tuple[int, int, int],
        seed: int = 0,
        device: str | torch.device = "cpu",
        maps: int = 1,
    ) -> None:
        self.shape = _checked_shape(shape)
        if isinstance(seed, bool) or not isinstance(seed, int) or not -(2**63) <= seed < 2**64:
            raise ValueError(f"seed must be a 64-bit integer, got {seed!r}")
        if isinstance(maps, bool) or not isinstance(maps, int) or not 1 <= maps <= MAX_MAPS:
            raise ValueError(f"maps must be an integer from 1 to {MAX_MAPS}, got {maps!r}")
        self.seed = seed
        self.maps = maps
        self.device = _checked_device(device)
        self.frame_index = 0

    def frame(self, map: int = 0) -> Tensor:  # noqa: A002 - the name of the documented interface
        """Return the noise of the current frame: (channels, height, width) float32, on the device.

        Args:
            map: the index of the noise map, from 0 to maps - 1.

        Raises:
            ValueError: there is no such map.
        """
        if isinstance(map, bool) or not isinstance(map, int) or not 0 <= map < self.maps:
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


def _checked_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = ()
    if len(sizes) != 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(f"shape must be (channels, height, width), three integers of at least 1, got {shape!r}")
    if sizes[0] > MAX_CHANNELS:
        raise ValueError(f"shape has {sizes[0]} channels, at most {MAX_CHANNELS} are possible")
    return sizes[0], sizes[1], sizes[2]


def _checked_device(device: str | torch.device) -> torch.device:
    try:
        result = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be a torch device such as 'cpu' or 'cuda', got {device!r}: {error}") from None
    try:
        torch.empty(1, device=result)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise RuntimeError(f"device {str(result)!r} is not available; use device='cpu', for example. {error}") from None
    return result
