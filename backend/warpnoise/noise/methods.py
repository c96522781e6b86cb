"""The registry of noise methods. Importing it loads neither torch nor any method.

Command line, HTTP schema, panel and comparison page derive their lists from :data:`METHODS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .base import NoiseMethod

MAX_CHANNELS = MAX_MAPS = 1 << 14  # `kernels.white` has 14 bits for each of them


@dataclass(frozen=True)
class MethodInfo:
    """A noise method as users see it, and the location of its class.

    ``label``: in title case, for menus and headings. ``location``: "module:Class", with the module relative to
    ``warpnoise.noise``. ``description``: one or two sentences.
    """

    name: str
    label: str
    location: str
    description: str

    def load(self) -> type[NoiseMethod]:
        """The class of the method. The first call imports its module, and torch with it."""
        module, _, cls = self.location.partition(":")
        found: type[NoiseMethod] = getattr(importlib.import_module(f"{__package__}.{module}"), cls)
        return found


_RECURRENT = "baselines.recurrent"
_METHODS = (
    ("warped", "Warped", "warped:WarpedNoise",
     "Integral noise that moves with the scene's surfaces, without loss over any number of frames."),
    ("random", "Random", f"{_RECURRENT}:RandomNoise", "New noise in every frame. The result flickers."),
    ("fixed", "Fixed", f"{_RECURRENT}:FixedNoise", "The same noise in every frame. Texture sticks to the screen."),
    ("bilinear", "Bilinear", f"{_RECURRENT}:BilinearNoise",
     "The previous frame's noise, interpolated between four pixels. It becomes blurred."),
    ("bicubic", "Bicubic", f"{_RECURRENT}:BicubicNoise",
     "The previous frame's noise, interpolated between sixteen pixels. It becomes blurred."),
    ("nearest", "Nearest", f"{_RECURRENT}:NearestNoise",
     "The previous frame's noise at the nearest pixel. It does not follow slow motion."),
    ("pyoco-mixed", "PYoCo Mixed", f"{_RECURRENT}:PyocoMixedNoise",
     "Noise that all frames share, plus new noise in every frame (Ge et al. 2023)."),
    ("pyoco-progressive", "PYoCo Progressive", f"{_RECURRENT}:PyocoProgressiveNoise",
     "A part of the previous frame's noise, plus new noise (Ge et al. 2023)."),
    ("control-a-video", "Control-A-Video", f"{_RECURRENT}:ControlAVideoNoise",
     "The previous frame's noise, with new noise where the picture moves (Chen et al. 2023)."),
    ("chained", "Chained Integral", "baselines.chained:ChainedNoise",
     "Integral noise made from that of the previous frame (Chang et al. 2024). It forgets earlier frames."),
)  # fmt: skip

METHODS: Mapping[str, MethodInfo] = {row[0]: MethodInfo(*row) for row in _METHODS}

NOISE_METHODS: tuple[str, ...] = tuple(METHODS)
"""Names of all methods; the first one is the default."""


def make_noise(
    name: str, shape: tuple[int, int, int], seed: int = 0, device: str | torch.device = "cpu", maps: int = 1
) -> NoiseMethod:
    """Make the noise method ``name``, one of :data:`NOISE_METHODS`, at the first frame.

    The other arguments, and the other errors, are those of :class:`NoiseMethod`.

    Raises:
        ValueError: there is no method with this name.
    """
    if name not in NOISE_METHODS:
        raise ValueError(f"there is no noise method {name!r}; there are {', '.join(NOISE_METHODS)}")
    return METHODS[name].load()(shape, seed, device, maps)
