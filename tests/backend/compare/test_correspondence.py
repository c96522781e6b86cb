"""Composed motion against motions that are known over any number of frames."""

import numpy as np
import pytest
from warpnoise.compare.metrics.correspondence import correspondences
from warpnoise.noise import Motion

from .shots import grid, pan, zoom

SIZE = 24, 32


def last(motions, lags):
    *_, found = correspondences(iter(motions), lags)
    return found


def test_pans_add_up_and_what_came_in_is_not_visible():
    found = last([None, *[pan(*SIZE, 1.5, -0.5)] * 4], (1, 4))
    assert set(found) == {1, 4}
    visible = found[4].visible
    np.testing.assert_allclose(found[4].position[visible], (grid(*SIZE) - np.float32([6, -2]))[visible], atol=1e-4)
    expected = np.zeros(SIZE, bool)
    expected[:-2, 6:] = True
    np.testing.assert_array_equal(visible, expected)


def test_a_zoom_over_many_frames():
    found = last([None, *[zoom(*SIZE, 1.03)] * 8], (8,))[8]
    centre = np.float32([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])
    np.testing.assert_allclose(found.position, centre + (grid(*SIZE) - centre) / 1.03**8, atol=1e-3)
    assert found.visible.all()


def test_frames_before_the_first_and_before_a_cut_have_no_correspondence():
    motion = pan(*SIZE, 1)
    found = list(correspondences(iter([None, motion, motion, None, motion, motion]), (1, 2)))
    assert [sorted(lags) for lags in found] == [[], [1], [1, 2], [], [1], [1, 2]]


def test_another_surface_is_never_read():
    surfaces = np.zeros(SIZE, np.int32)
    surfaces[:, 16:] = 7
    step = np.zeros((*SIZE, 2), np.float32)
    step[..., 0] = 0.5
    found = last([None, Motion(step, -step, surface_old=surfaces, surface_new=surfaces)], (1,))[1]
    assert not found.visible[:, 16].any()  # half of it comes from column 15, which shows something else
    assert found.visible[:, 1:16].all() and found.visible[:, 17:].all()


def test_occluded_pixels_are_not_visible():
    """A block of the same surface that passes before it: only that there is no way back tells."""
    forward, backward = (np.zeros((*SIZE, 2), np.float32) for _ in range(2))
    forward[:, 8:16, 0] = 3
    backward[:, 11:19, 0] = -3
    found = last([None, Motion(forward, backward)], (1,))[1]
    assert not found.visible[:, 8:11].any()
    assert found.visible[:, :8].all() and found.visible[:, 11:19].all() and found.visible[:, 19:].all()


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_unknown_motion_leads_nowhere(unknown):
    motion = pan(*SIZE, 0)
    backward = motion.backward.numpy().copy()
    backward[5, 6] = unknown
    found = last([None, Motion(motion.forward, backward), motion], (1, 2))
    assert found[1].visible.all()
    assert not found[2].visible[5, 6] and found[2].visible.sum() == SIZE[0] * SIZE[1] - 1
