"""Presets of coherence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Strengths:
    """``pull``, ``accumulation``, ``attention``: 0 is off, 1 is full. ``key_share``: the share of new pixels above
    which a frame becomes a key frame."""

    pull: float = 0.0
    accumulation: float = 0.0
    attention: float = 0.0
    key_share: float = 0.2


PRESETS = {
    "steady": Strengths(pull=1.0, accumulation=0.5),
    "balanced": Strengths(pull=1.0),
    "lively": Strengths(accumulation=1.0),
    "off": Strengths(),
}
"""None has a ``pull`` between 0 and 1, which blends strokes that differ: hatching then fades. Pixel and
latent models have the same presets: the figures of both are in docs/results.md."""
