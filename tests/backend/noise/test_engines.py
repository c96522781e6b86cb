"""The compiled engine does what the readable one does, atom by atom, whatever the motion."""

from __future__ import annotations

import numpy as np
import pytest
from warpnoise.noise import WarpedNoise

from .cards import Card, motion, shift, turn
from .planes import WAYS

pytestmark = pytest.mark.slow

SIZE = 24
SPEED = {"zoom in": 6, "zoom out": 6}  # so that atoms split and join within a few frames


@pytest.mark.parametrize("name", [name for name in WAYS if name != "still"])
def test_the_engines_agree(name: str) -> None:
    way, speed = WAYS[name](SIZE), SPEED.get(name, 2)
    compiled, reference = (WarpedNoise((5, SIZE, SIZE), seed=1, maps=2, engine=e) for e in ("compiled", "reference"))
    for t in range(12):
        motion = way.motion(speed * t, speed * t + speed)
        assert (compiled.advance(motion) - reference.advance(motion)).abs().max() < 1e-5
    assert compiled.atom_count == reference.atom_count
    assert (compiled.frame(1) - reference.frame(1)).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["zoom in", "zoom out"])
def test_values_that_were_kept_are_those_made_anew(name: str) -> None:
    """Splitting and joining lose no bit: a map that is asked for late is the one that was kept all along."""
    way = WAYS[name](SIZE)
    kept, late = WarpedNoise((4, SIZE, SIZE), seed=1), WarpedNoise((4, SIZE, SIZE), seed=1, memory=0)
    for t in range(12):
        motion = way.motion(6 * t, 6 * t + 6)
        assert kept.advance(motion).equal(late.advance(motion))


@pytest.mark.parametrize("hidden", [1.0, 0.1])
def test_the_engines_agree_on_what_comes_and_goes(hidden: float) -> None:
    """Rigid surfaces that hide each other, leave the frame and come back, under a camera that turns and comes near.

    Also where more is hidden than is remembered.
    """

    def camera(t: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return turn(3 * min(t, 12 - t), 11.5, 11.5) @ np.diag([1 + 0.05 * t, 1 + 0.05 * t, 1])

    cards = [
        Card(0, 0.0, camera),
        Card(5, 0.1, lambda t: camera(t) @ shift(1.3 * t, 0.4), (-3.0, 6.0, 6.0, 17.0)),
        Card(9, 0.3, camera, (8.5, 2.5, 14.5, 20.5)),
    ]
    compiled, reference = (
        WarpedNoise((5, SIZE, SIZE), seed=1, hidden=hidden, engine=e) for e in ("compiled", "reference")
    )
    most = 0
    for t in range(12):
        step = motion(cards, t, t + 1, SIZE)
        assert (compiled.advance(step) - reference.advance(step)).abs().max() < 1e-5
        assert (compiled.atom_count, compiled.hidden_count) == (reference.atom_count, reference.hidden_count)
        most = max(most, compiled.hidden_count)
    assert most == int(0.1 * 16 * SIZE * SIZE) if hidden == 0.1 else most > 0.1 * 16 * SIZE * SIZE
