"""What a frame is drawn toward: finished pictures of anchors, moved by the exact motion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from warpnoise.coherence.anchor import Seen
from warpnoise.coherence.locate import Float
from warpnoise.coherence.sampling import catmull_rom

GATE_SIGMA = 0.04
"""By so much a surface's render may change, on a scale of 1, before what was painted there no longer holds."""


SHARPENING = 0.2
"""Of what a Gaussian of 1 px takes off. Reading between pixels softens a picture that is carried: line drawings would
bear twice as much, smooth styles get too crisp from a quarter on."""


@dataclass(frozen=True)
class Finished:
    """A frame's stylized picture and its render, (h, w, 3) float32 in [0, 1] each."""

    picture: Float
    render: Float


def carried(render: Float, anchors: Iterable[tuple[Seen, Finished, float]]) -> tuple[Float, Float]:
    """What the surfaces of a frame look like by its anchors.

    Where several anchors show a surface, the first one counts, as far as it is trusted: what was painted first stays.

    Args:
        render: (h, w, 3) float32 in [0, 1], of the frame.
        anchors: in the order in which they count; the number, in [0, 1], scales an anchor's weight.

    Returns:
        colours, (h, w, 3) float32, and weights, (h, w) float32 in [0, 1]; where a weight is 0, so is the colour.
    """
    colour, left = np.zeros_like(render), np.ones(render.shape[:2], np.float32)
    for seen, finished, scale in anchors:
        share = left * scale * seen.trust * gate(render, seen, finished)
        colour += share[..., None] * np.nan_to_num(catmull_rom(finished.picture, seen.position))
        left -= share
    weight = np.asarray(1 - left, np.float32)
    return np.asarray(colour / np.maximum(weight, np.float32(1e-6))[..., None], np.float32), weight


def sharpened(picture: Float) -> Float:
    """A picture that is to be carried, (h, w, 3)."""
    return np.asarray(picture + SHARPENING * (picture - cv2.GaussianBlur(picture, (0, 0), 1.0)), np.float32)


def gate(render: Float, seen: Seen, finished: Finished) -> Float:
    """exp(-|W r_s - r_t|^2 / 2 sigma^2): 0 where light changed between the anchor's render r_s and the frame's r_t.

    What is painted there must change with it: moving shadows and highlights are not dragged along.
    """
    x, y = np.nan_to_num(seen.position).transpose(2, 0, 1)
    change = cv2.remap(finished.render, x, y, cv2.INTER_LINEAR) - render
    return np.asarray(np.exp(np.square(change).sum(axis=-1) * (-0.5 / GATE_SIGMA**2)), np.float32)
