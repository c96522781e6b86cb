"""Where pixels of a frame lie in another one, against the ray-traced scene's own answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from warpnoise.coherence.anchor import Anchor, Surfaces, reverse, seen_through, silhouettes
from warpnoise.motion import frames_and_motions
from warpnoise.noise import Motion

from .. import synthetic

SIZE, FRAMES = 48, 5
Shown = list[tuple[Surfaces, Motion | None]]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    job = synthetic.make_job(tmp_path_factory.mktemp("anchor") / "job", frames=FRAMES, width=SIZE, height=SIZE)
    return [(Surfaces(frame.surface, frame.depth), motion) for frame, motion in frames_and_motions(job)]


def expected(frame: int, other: int) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    return np.stack([x, y], axis=-1) + synthetic.Scene(SIZE, SIZE).truth(frame, other)


def carried(shown: Shown, start: int, end: int, without: Sequence[str] = ()) -> Anchor:
    """The anchor of frame ``start`` at frame ``end``."""
    anchor = Anchor(start, shown[start][0])
    for frame in range(start + 1, end + 1):
        motion = shown[frame][1]
        assert motion is not None
        anchor.advance(without_transforms(motion) if without else motion, shown[frame][0])
    for frame in range(start, end, -1):
        motion = shown[frame][1]
        assert motion is not None
        anchor.advance(reverse(motion), shown[frame - 1][0])
    return anchor


def without_transforms(motion: Motion) -> Motion:
    names = ("surface_old", "surface_new", "depth_old", "depth_new")
    return Motion(motion.forward, motion.backward, **{name: getattr(motion, name) for name in names})


@pytest.mark.parametrize(("start", "end"), [(0, 4), (4, 0), (1, 3)])
def test_rigid_surfaces_are_found_exactly_forwards_and_backwards(shown: Shown, start: int, end: int) -> None:
    seen = carried(shown, start, end).seen()
    known = ~np.isnan(seen.position[..., 0])
    assert known.mean() > 0.6
    np.testing.assert_allclose(seen.position[known], expected(end, start)[known], atol=2e-3)


def test_surfaces_without_transforms_are_followed_along_the_flow(shown: Shown) -> None:
    seen = carried(shown, 0, 4, without=["transforms"]).seen()
    known = ~np.isnan(seen.position[..., 0])
    assert known.mean() > 0.4
    error = np.linalg.norm(seen.position[known] - expected(4, 0)[known], axis=-1)
    assert np.median(error) < 0.02
    assert error.max() < 0.5


def test_what_the_anchor_does_not_show_has_no_position(shown: Shown) -> None:
    seen = carried(shown, 0, 4).seen()
    names_there = synthetic.Scene(SIZE, SIZE).hits(0)[2]
    names = synthetic.Scene(SIZE, SIZE).hits(4)[2]
    place = np.nan_to_num(expected(4, 0)).round().astype(int)
    inside = ((place >= 0) & (place < SIZE)).all(axis=-1)
    x, y = place.clip(0, SIZE - 1).transpose(2, 0, 1)
    hidden = ~inside | (names_there[y, x] != names)
    assert hidden.any()
    assert np.isnan(seen.position[hidden]).all()
    assert (seen.trust[hidden] == 0).all()


def test_a_rigid_surface_is_known_again_after_it_was_occluded() -> None:
    """A square goes past a wall: the flow loses what it hides, the wall's transform does not."""
    height, width = 8, 24
    still = np.eye(4)
    _, x = np.mgrid[:height, :width].astype(np.float32)

    def frame(left: int) -> Surfaces:
        square = (x >= left) & (x < left + 6)
        return Surfaces(np.where(square, 7, 3).astype(np.int32), np.where(square, 1.0, 0.5).astype(np.float32))

    lefts = [0, 9, 18]
    anchor = Anchor(1, frame(lefts[0]))
    for before, after in pairwise(lefts):
        old, new = frame(before), frame(after)
        step = float(after - before)
        moved = np.eye(4)
        moved[0, 3] = step
        flow = {7: step, 3: 0.0}
        forward, backward = np.zeros((height, width, 2), np.float32), np.zeros((height, width, 2), np.float32)
        for number, along in flow.items():
            forward[old.surface == number, 0] = along
            backward[new.surface == number, 0] = -along
        anchor.advance(
            Motion(
                forward,
                backward,
                surface_old=old.surface,
                surface_new=new.surface,
                depth_old=old.depth,
                depth_new=new.depth,
                transforms={7: moved, 3: still},
            ),
            new,
        )
    position = anchor.seen().position
    # Columns 9 to 14 were hidden in the second frame; the first frame shows them.
    np.testing.assert_allclose(position[:, 9:15, 0], x[:, 9:15], atol=1e-4)
    assert np.isnan(position[:, 0:5, 0]).all()  # behind the square in the anchor


def test_rigid_steps_alone_find_a_later_frame(shown: Shown) -> None:
    steps = [motion.transforms or {} for _, motion in shown[1:] if motion is not None]
    seen = seen_through(steps, 4, shown[4][0], shown[0][0])
    known = ~np.isnan(seen.position[..., 0])
    assert known.mean() > 0.6
    np.testing.assert_allclose(seen.position[known], expected(0, 4)[known], atol=2e-3)


def test_nothing_is_trusted_beside_a_silhouette(shown: Shown) -> None:
    seen = carried(shown, 0, 1).seen()
    edges = silhouettes(shown[1][0].surface) > 0
    assert 0 < edges.mean() < 1
    assert (seen.trust[edges] == 0).all()
    assert seen.trust[~edges].max() == 1
    assert seen.covered[edges].any()  # but no new key frame is needed for its sake
