"""What a frame is drawn toward."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from warpnoise.coherence.anchor import Seen
from warpnoise.coherence.carry import DOUBTFUL, GATE_SIGMA, SURE, StylizedFrame, carried, moved
from warpnoise.coherence.sampling import read_spline

SIZE = 6
GREY = np.full((SIZE, SIZE, 3), 0.5, np.float32)


def seen(anchor: int = 1, trust: float = 1.0, side: float = 1.0, size: int = SIZE) -> Seen:
    """``side``: pixels of the anchor per pixel; below 1, the frame shows the anchor's top left corner magnified."""
    y, x = np.mgrid[:size, :size].astype(np.float32) * np.float32(side)
    sides, trusts = np.full((size, size), side, np.float32), np.full((size, size), trust, np.float32)
    return Seen(anchor, np.stack([x, y], -1), sides, trusts, np.ones((size, size), bool))


def painted(value: float, render: np.ndarray = GREY) -> StylizedFrame:
    return StylizedFrame(np.full((SIZE, SIZE, 3), value, np.float32), render)


@pytest.mark.parametrize(("trust", "expected"), [(1.0, 0.2), (SURE, 0.2), (DOUBTFUL, 0.8), (0.3, 0.8)])
def test_the_first_anchor_that_is_trusted_counts_alone(trust: float, expected: float) -> None:
    colour, weight = carried(GREY, [(seen(1, trust), painted(0.2), 1.0), (seen(2), painted(0.8), 1.0)])
    np.testing.assert_allclose(colour, expected, atol=1e-6)
    np.testing.assert_allclose(weight, 1)


def test_an_anchor_ahead_counts_in_part() -> None:
    colour, weight = carried(GREY, [(seen(1), painted(0.2), 0.75), (seen(2), painted(0.8), 1.0)])
    np.testing.assert_allclose(colour, 0.75 * 0.2 + 0.25 * 0.8, atol=1e-6)
    np.testing.assert_allclose(weight, 1)


def test_a_doubtful_anchor_alone_is_not_carried() -> None:
    _, weight = carried(GREY, [(seen(1, DOUBTFUL), painted(0.2), 1.0)])
    assert (weight == 0).all()


def test_where_light_changed_nothing_is_carried() -> None:
    lit = GREY.copy()
    lit[:, 3:] += 6 * GATE_SIGMA
    _, weight = carried(GREY, [(seen(), painted(0.2, render=lit), 1.0)])
    np.testing.assert_allclose(weight[:, :3], 1)
    assert weight[:, 3:].max() < 1e-4


def test_a_place_that_is_not_shown_has_neither_colour_nor_weight() -> None:
    hidden = seen()
    hidden.position[0] = np.nan
    hidden.trust[0] = 0
    colour, weight = carried(GREY, [(hidden, painted(0.2), 1.0)])
    assert (weight[0] == 0).all()
    assert (colour[0] == 0).all()
    assert np.isfinite(colour).all()


def test_without_anchors_nothing_is_carried() -> None:
    colour, weight = carried(GREY, [])
    assert not colour.any()
    assert not weight.any()


def strokes(size: int) -> StylizedFrame:
    """Dark strokes of 4 pixels, blurred as a model blurs them."""
    line = np.where(np.arange(size) // 4 % 2, 0.9, 0.2).astype(np.float32)
    picture = np.broadcast_to(line[None, :, None], (size, size, 3)).copy()
    return StylizedFrame(cv2.GaussianBlur(picture, (0, 0), 0.63), picture)


def test_edges_of_magnified_strokes_stay_as_steep_and_have_no_halos() -> None:
    stylized = strokes(48)
    bigger = moved(seen(side=0.75, size=48), stylized)
    steepest = np.abs(np.diff(stylized.picture, axis=1)).max()
    assert (
        np.abs(np.diff(read_spline(stylized.coefficients, seen(side=0.75, size=48).position), axis=1)).max()
        < 0.85 * steepest
    )
    assert np.abs(np.diff(bigger, axis=1)).max() > 0.93 * steepest
    assert bigger.min() > stylized.picture.min() - 0.02
    assert bigger.max() < stylized.picture.max() + 0.02


@pytest.mark.parametrize("side", [1.0, 1.3])
def test_strokes_that_do_not_grow_are_only_resampled(side: float) -> None:
    stylized, there = strokes(48), seen(side=side, size=48)
    np.testing.assert_array_equal(moved(there, stylized), read_spline(stylized.coefficients, there.position))


def test_nothing_beyond_the_anchor_reaches_its_pixels() -> None:
    stylized, there = strokes(48), seen(side=0.75, size=48)
    whole = moved(there, stylized)
    there.position[:, 20:] = np.nan
    part = moved(there, stylized)
    np.testing.assert_array_equal(part[:, :19], whole[:, :19])
    np.testing.assert_allclose(part[:, 19], read_spline(stylized.coefficients, there.position)[:, 19])
    assert (part[:, 20:] == 0).all()
