"""Accumulation: averages a stylized frame's low and middle bands with the frames around it, without a network.

The render gates the mean, so nothing ghosts where light moved. The mean reads frames as the model stylized them, so it
is not recursive. The finest detail stays the frame's own; a mean would blur it.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from warpnoise.coherence.anchor import Seen
from warpnoise.coherence.carry import StylizedFrame, gate, moved
from warpnoise.coherence.locate import Float

RADIUS = 2
"""Frames before, and frames after, in the mean."""
BAND_PX = 1.0
"""Standard deviation of the Gaussian that changes pass through: finer detail stays the frame's own."""


def accumulated(frame: StylizedFrame, others: Iterable[tuple[Seen, StylizedFrame]], amount: float) -> Float:
    """y + a G (M - y): M the gated mean of y and the other frames, moved to it, G a Gaussian, a the amount in [0, 1].

    Returns:
        (h, w, 3) float32 in [0, 1].
    """
    total, weights = frame.picture.copy(), np.ones(frame.picture.shape[:2], np.float32)
    for seen, other in others:
        weight = seen.trust * gate(frame.render, seen, other)
        total += weight[..., None] * moved(seen, other)
        weights += weight
    change = cv2.GaussianBlur(total / weights[..., None] - frame.picture, (0, 0), BAND_PX)
    return np.asarray(np.clip(frame.picture + amount * change, 0, 1), np.float32)
