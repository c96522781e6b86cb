"""Correlated noise without motion: Ge et al., "Preserve Your Own Correlation" (ICCV 2023), section 4.2."""

from __future__ import annotations

import math

from torch import Tensor

from ..motion import Motion
from .recurrent import RecurrentNoise, Step
from .uncorrelated import white_field

MIXED_ALPHA = 1.0  # the paper's choices
PROGRESSIVE_ALPHA = 2.0
SHARED = -1 & 0xFFFFFFFF  # in place of a frame: the part that all frames share


class PyocoMixedNoise(RecurrentNoise):
    """Every frame is a shared field and one of its own: n_t = (alpha s + e_t) / sqrt(1 + alpha^2), so that the same
    pixel of two frames has correlation alpha^2 / (1 + alpha^2)."""

    def _white(self, frame: int, map_: int) -> Tensor:
        shared = white_field(self.shape, self.seed, SHARED, map_, self.device)
        own = super()._white(frame, map_)
        return (MIXED_ALPHA * shared + own) / math.sqrt(1.0 + MIXED_ALPHA**2)

    def _prepare(self, motion: Motion) -> Step:
        return lambda noise, fresh: fresh


class PyocoProgressiveNoise(RecurrentNoise):
    """Every frame from the last: n_t = (alpha n_(t-1) + e_t) / sqrt(1 + alpha^2), so that the same pixel of frames
    that are m apart has correlation (alpha^2 / (1 + alpha^2))^(m / 2)."""

    def _prepare(self, motion: Motion) -> Step:
        scale = 1.0 / math.sqrt(1.0 + PROGRESSIVE_ALPHA**2)
        return lambda noise, fresh: (PROGRESSIVE_ALPHA * noise + fresh) * scale
