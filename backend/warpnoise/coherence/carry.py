"""The target of the pull: the anchors' stylized pictures, moved by the exact motion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from warpnoise.coherence.anchor import Seen
from warpnoise.coherence.locate import Float
from warpnoise.coherence.sampling import read_spline, spline

GATE_SIGMA = 0.04
"""How much a surface's render may change, on a scale of 1, before its strokes are no longer carried."""
DOUBTFUL, SURE = 0.5, 0.7
"""A picture counts not at all where its weight is below the first, and alone where it is above the second. A mean of
strokes that differ has less contrast than either; after some frames hatching would fade."""
_PSF_PX2 = 0.6
"""The variance of the point spread function of a stylized picture: the blur of the edges of its strokes."""


@dataclass(frozen=True)
class StylizedFrame:
    """A frame's stylized picture and its render, (h, w, 3) float32 in [0, 1] each."""

    picture: Float
    render: Float

    @cached_property
    def coefficients(self) -> Float:
        """Of the spline through the picture: cubic convolution would blur it from frame to frame."""
        return spline(self.picture)


def carried(render: Float, anchors: Iterable[tuple[Seen, StylizedFrame, float]]) -> tuple[Float, Float]:
    """The anchors' colours on the surfaces of a frame.

    Where several anchors show a surface, the first that shows it well counts: the first strokes stay.

    Args:
        render: (h, w, 3) float32 in [0, 1], of the frame.
        anchors: in the order in which they count; the number, in [0, 1], scales an anchor's weight.

    Returns:
        colours, (h, w, 3) float32, and weights, (h, w) float32 in [0, 1]; where a weight is 0, so is the colour.
    """
    colour, left = np.zeros_like(render), np.ones(render.shape[:2], np.float32)
    for seen, stylized, scale in anchors:
        sure = (seen.trust * gate(render, seen, stylized) - DOUBTFUL) / (SURE - DOUBTFUL)
        share = left * scale * sure.clip(0, 1)
        colour += share[..., None] * moved(seen, stylized)
        left -= share
    weight = np.asarray(1 - left, np.float32)
    return np.asarray(colour / np.maximum(weight, np.float32(1e-6))[..., None], np.float32), weight


def moved(seen: Seen, stylized: StylizedFrame) -> Float:
    """The anchor's picture, moved to the frame, (h, w, 3); 0 where the surface point is not visible in the anchor.

    Magnification by 1 / s widens strokes, and blurs their edges: the point spread function grows from variance v to
    v / s^2. Subtracting (v / s^2 - v) / 2 times the Laplacian, the first order of the inverse heat equation, narrows it
    to v again, so that strokes stay crisp. Without the clamp to the range around, edges would have halos.
    """
    colour = np.nan_to_num(read_spline(stylized.coefficients, seen.position))
    around = np.ones((3, 3), np.uint8)
    known = cv2.erode((~np.isnan(seen.position[..., 0])).astype(np.float32), around)
    growth = known * (np.maximum(seen.side, np.float32(0.5)) ** -2 - 1).clip(0)
    sharp = colour - (_PSF_PX2 / 2 * growth)[..., None] * cv2.Laplacian(colour, -1)
    return np.asarray(np.clip(sharp, cv2.erode(colour, around), cv2.dilate(colour, around)), np.float32)


def gate(render: Float, seen: Seen, stylized: StylizedFrame) -> Float:
    """exp(-|W r_s - r_t|^2 / 2 sigma^2): 0 where light changed between the anchor's render r_s and the frame's r_t.

    Where light changed, strokes must change too: moving shadows and highlights are not dragged along.
    """
    x, y = np.nan_to_num(seen.position).transpose(2, 0, 1)
    change = cv2.remap(stylized.render, x, y, cv2.INTER_LINEAR) - render
    return np.asarray(np.exp(np.square(change).sum(axis=-1) * (-0.5 / GATE_SIGMA**2)), np.float32)
