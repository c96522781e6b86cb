"""Phase lock: the dominant surface keeps its place on the latent grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from warpnoise.motion.dominant import (
    PhaseLock,
    cut_picture,
    dominant_displacement,
    shift_noise,
    shift_picture,
)
from warpnoise.noise import Motion
from warpnoise.sdedit.filter_bank import FilterBank

from ..sdedit.filter_bank.decoders import random_decoder

CELL = 4
SIZE = 40


def pan(x: float, y: float) -> Motion:
    forward = np.broadcast_to(np.array([x, y], np.float32), (SIZE, SIZE, 2)).copy()
    return Motion(forward, -forward)


def test_the_larger_surface_decides() -> None:
    surface = np.zeros((SIZE, SIZE), np.int32)
    surface[:10] = 7
    forward = np.where(surface[..., None] == 7, [5.0, 0.0], [-1.0, 2.0]).astype(np.float32)
    found = dominant_displacement(Motion(forward, -forward, surface_old=surface, surface_new=surface))
    assert (found.x, found.y, found.share) == (-1.0, 2.0, 0.75)


def test_unknown_motion_does_not_count() -> None:
    forward = pan(3, 0).forward.clone()
    forward[:30] = torch.nan
    found = dominant_displacement(Motion(forward, forward))
    assert (found.x, found.y, found.share) == (3.0, 0.0, 0.25)
    forward[:] = torch.inf
    found = dominant_displacement(Motion(forward, forward))
    assert (found.x, found.y, found.share) == (0.0, 0.0, 0.0)


def test_shifts_counter_a_pan_modulo_the_cell() -> None:
    lock = PhaseLock(CELL)
    assert lock.shift == (0, 0)
    assert [lock.advance(pan(-1, 3)) for _ in range(5)] == [(1, 1), (2, 2), (3, 3), (0, 0), (1, 1)]
    assert lock.error == 0
    assert lock.share == 1


def test_a_still_camera_is_not_shifted() -> None:
    lock = PhaseLock(CELL)
    assert [lock.advance(pan(0, 0)) for _ in range(3)] == [(0, 0)] * 3


@pytest.mark.parametrize("step", [1, 2])
def test_fractional_pans_stay_within_half_a_step(step: int) -> None:
    lock, moved = PhaseLock(CELL, step), 0.0
    for _ in range(40):
        down, right = lock.advance(pan(0.3, 0))
        moved += 0.3
        phase = (moved + right) % CELL
        assert min(phase, CELL - phase) <= step / 2 + 1e-4
        assert down == 0
        assert right % step == 0
        assert lock.error <= step / 2


def test_a_step_that_does_not_divide_the_cell() -> None:
    with pytest.raises(ValueError, match="must divide"):
        PhaseLock(8, 3)


@pytest.mark.parametrize("shift", [(0, 0), (3, 1), (0, 3)])
def test_cutting_undoes_shifting(shift: tuple[int, int]) -> None:
    picture = torch.rand((2, 3, 5, 7), generator=torch.Generator().manual_seed(1))
    shifted = shift_picture(picture, shift, CELL)
    assert shifted.shape == (2, 3, 5 + CELL, 7 + CELL)
    assert torch.equal(cut_picture(shifted, shift, 5, 7), picture)
    expected = np.pad(picture.numpy(), [(0, 0), (0, 0), *((by, CELL - by) for by in shift)], mode="reflect")
    assert np.array_equal(shifted.numpy(), expected)


def test_noise_around_the_frame_is_independent_and_lasting() -> None:
    noise = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(2))
    one, other = shift_noise(noise, (1, 2), CELL, seed=5), shift_noise(noise, (1, 2), CELL, seed=6)
    assert torch.equal(one[..., 1:9, 2:10], noise)
    assert torch.equal(one[0, :, 0], one[1, :, 0])
    assert torch.equal(one, shift_noise(noise, (1, 2), CELL, seed=5))
    assert not torch.isclose(one[..., 0, :], other[..., 0, :]).any()


def test_what_is_painted_moves_exactly_in_a_pan_by_whole_pixels() -> None:
    """A picture and its noise panned by 1 px a frame, through noise and a decoder that know whole cells only."""
    decode = random_decoder(4, CELL)
    bank = FilterBank.measure(decode, channels=4, cell=CELL)
    size, border = 96, 32  # a border's influence fades within a few cells
    field = torch.randn((1, 3, size, size + 9), generator=torch.Generator().manual_seed(3))

    def painted(frame: int, shift: tuple[int, int]) -> Tensor:
        """What lay ``border`` pixels from the border in the first frame."""
        noise = shift_noise(field[..., 9 - frame : 9 - frame + size], shift, CELL, seed=0)
        picture = cut_picture(decode(bank.project(noise)), shift, size, size)
        return picture[..., border:-border, border + frame : size - border + frame]

    lock = PhaseLock(CELL)
    first = painted(0, lock.shift)
    for frame in range(1, 10):
        locked = painted(frame, lock.advance(pan(1, 0)))
        assert (locked - first).square().mean() < 1e-4 * first.var(), frame
        if frame % CELL:
            loose = painted(frame, (0, 0))
            assert (loose - first).square().mean() > 0.05 * first.var(), frame
