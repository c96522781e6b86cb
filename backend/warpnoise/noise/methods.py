"""Every noise method by its name."""

from __future__ import annotations

import torch

from .base import NoiseMethod
from .chained import ChainedNoise
from .control_a_video import ControlAVideoNoise
from .fresh import FixedNoise, RandomNoise
from .interpolated import BicubicNoise, BilinearNoise, NearestNoise
from .pyoco import PyocoMixedNoise, PyocoProgressiveNoise
from .warped import WarpedNoise

_METHODS: dict[str, type[NoiseMethod]] = {
    "warped": WarpedNoise,
    "random": RandomNoise,
    "fixed": FixedNoise,
    "bilinear": BilinearNoise,
    "bicubic": BicubicNoise,
    "nearest": NearestNoise,
    "pyoco-mixed": PyocoMixedNoise,
    "pyoco-progressive": PyocoProgressiveNoise,
    "control-a-video": ControlAVideoNoise,
    "chained": ChainedNoise,
}

NOISE_METHODS: tuple[str, ...] = tuple(_METHODS)


def make_noise(
    name: str,
    shape: tuple[int, int, int],
    seed: int = 0,
    device: str | torch.device = "cpu",
    maps: int = 1,
) -> NoiseMethod:
    """The noise method of a name, standing on the first frame.

    Args:
        name: one of :data:`NOISE_METHODS`.
        shape: (channels, height, width) of the noise.
        seed: any 64-bit integer.
        device: where the noise is made and returned.
        maps: independent fields that are carried by the same motion.

    Raises:
        ValueError: no method has this name, or an argument is out of its range.
        RuntimeError: the device is not there.
    """
    if name not in _METHODS:
        raise ValueError(f"there is no noise method {name!r}; there are {', '.join(NOISE_METHODS)}")
    return _METHODS[name](shape, seed, device, maps)
