"""What a frame is drawn toward."""

from __future__ import annotations

import numpy as np
import pytest
from warpnoise.coherence.anchor import Seen
from warpnoise.coherence.carry import DOUBTFUL, GATE_SIGMA, SURE, StylizedFrame, carried

SIZE = 6
GREY = np.full((SIZE, SIZE, 3), 0.5, np.float32)


def seen(anchor: int = 1, trust: float = 1.0) -> Seen:
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return Seen(anchor, np.stack([x, y], -1), np.full((SIZE, SIZE), trust, np.float32), np.ones((SIZE, SIZE), bool))


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
