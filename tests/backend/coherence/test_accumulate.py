"""Means over time, of finished frames."""

from __future__ import annotations

import numpy as np
from warpnoise.coherence.accumulate import accumulated
from warpnoise.coherence.anchor import Seen
from warpnoise.coherence.carry import StylizedFrame

SIZE = 32
GREY = np.full((SIZE, SIZE, 3), 0.5, np.float32)


def seen(anchor: int, trust: float = 1.0) -> Seen:
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    there, trusts = np.ones((SIZE, SIZE), bool), np.full((SIZE, SIZE), trust, np.float32)
    return Seen(anchor, np.stack([x, y], -1), there.astype(np.float32), trusts, there)


def noisy(number: int, level: float) -> np.ndarray:
    noise = np.random.default_rng(number).normal(0, 0.05, GREY.shape)
    return (GREY + level + noise).astype(np.float32)


def test_low_bands_become_the_mean_and_the_finest_stay() -> None:
    levels = (0.1, -0.05, -0.05)
    frame, *others = (StylizedFrame(noisy(number, level), GREY) for number, level in enumerate(levels))
    final = accumulated(frame, [(seen(1), others[0]), (seen(2), others[1])], 1.0)
    assert abs(float(final.mean()) - 0.5) < 0.01
    fine = [np.diff(picture, axis=1).std() for picture in (frame.picture, final)]
    assert fine[1] > 0.85 * fine[0]


def test_half_of_it_goes_half_of_the_way() -> None:
    frame, other = StylizedFrame(GREY + np.float32(0.2), GREY), StylizedFrame(GREY - np.float32(0.2), GREY)
    whole, half = (accumulated(frame, [(seen(1), other)], amount).mean() for amount in (1.0, 0.5))
    np.testing.assert_allclose([whole, half], [0.5, 0.6], atol=1e-3)


def test_nothing_ghosts_where_light_moved() -> None:
    shadow = GREY.copy()
    shadow[:, 16:] = 0.2
    frame = StylizedFrame(noisy(0, 0.0), GREY)
    final = accumulated(frame, [(seen(1), StylizedFrame(noisy(1, 0.3), shadow))], 1.0)
    np.testing.assert_allclose(final[:, 22:], frame.picture.clip(0, 1)[:, 22:], atol=1e-3)
    assert float((final - frame.picture)[:, :10].mean()) > 0.1


def test_alone_a_frame_stays() -> None:
    frame = StylizedFrame(noisy(0, 0.0).clip(0, 1), GREY)
    np.testing.assert_allclose(accumulated(frame, [], 1.0), frame.picture, atol=1e-6)
    np.testing.assert_allclose(accumulated(frame, [(seen(1, trust=0.0), frame)], 1.0), frame.picture, atol=1e-6)
