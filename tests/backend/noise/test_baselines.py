"""The covariances of every method, within a frame and to the first one, are those of its paper's formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor
from warpnoise.noise import Motion, make_noise

SIZE = 24
CHANNELS = 1000
MARGIN = 6  # pixels at the border that may show something new
X, Y = 0.25, -0.25
"""Pixels per frame. Multiples of a quarter, which is the spacing of the chained method's particles."""
REACH = 3

Lags = Mapping[tuple[int, int], float]


def pan() -> Motion:
    vectors = np.broadcast_to(np.array([X, Y], np.float32), (SIZE, SIZE, 2))
    return Motion(vectors.copy(), -vectors)


def keys(distance: float) -> float:
    """The cubic convolution kernel (Keys 1981) with a = -0.75, as torch and most programs have it."""
    d, a = abs(distance), -0.75
    if d < 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def tent(distance: float) -> float:
    return max(0.0, 1 - abs(distance))


def nearest(distance: float) -> float:
    return float(-0.5 < distance <= 0.5)


def products(kernel: Callable[[float], float], steps: int = 1) -> dict[tuple[int, int], float]:
    """The weight of an earlier frame's pixel at lag (dx, dy) in a pixel that looks ``steps`` times (-X, -Y) away."""
    offsets = range(-REACH, REACH + 1)
    return {(dx, dy): kernel(dx + steps * X) * kernel(dy + steps * Y) for dy in offsets for dx in offsets}


def twice(weights: Lags) -> dict[tuple[int, int], float]:
    """The weights of pixels of the frame before the previous one, after two equal steps."""
    result: dict[tuple[int, int], float] = {}
    for (i, j), first in weights.items():
        for (k, m), second in weights.items():
            result[i + k, j + m] = result.get((i + k, j + m), 0.0) + first * second
    return result


def correlated(weights: Lags) -> dict[tuple[int, int], float]:
    """sum_j w_aj w_bj for pixels a and b at each lag: the covariance of two weighted sums of white noise."""
    lags = [(dx, dy) for dy in range(-REACH, REACH + 1) for dx in range(-REACH, REACH + 1)]
    return {(dx, dy): sum(w * weights.get((i - dx, j - dy), 0.0) for (i, j), w in weights.items()) for dx, dy in lags}


WHITE: Lags = {(0, 0): 1.0}
OVERLAP = products(tent)  # the area that a moved pixel has in common with the pixel at a lag

# The second frame's own covariance, and that of frames 1, 2 and 3 to the first.
CLOSED_FORM: dict[str, tuple[Lags, tuple[Lags, ...]]] = {
    "random": (WHITE, ({}, {}, {})),
    "fixed": (WHITE, (WHITE, WHITE, WHITE)),
    # Chang et al. 2024, section 5: weighted sums of the last frame's pixels; after two steps the weights' convolution.
    "bilinear": (correlated(products(tent)), (products(tent), twice(products(tent)))),
    "bicubic": (correlated(products(keys)), (products(keys), twice(products(keys)))),
    "nearest": (WHITE, (products(nearest), twice(products(nearest)))),
    # Ge et al. 2023, section 4.2: alpha^2 / (1 + alpha^2) with alpha 1, and (alpha / sqrt(1 + alpha^2))^m with alpha 2.
    "pyoco-mixed": (WHITE, ({(0, 0): 0.5}, {(0, 0): 0.5}, {(0, 0): 0.5})),
    "pyoco-progressive": (WHITE, ({(0, 0): 0.8**0.5}, {(0, 0): 0.8}, {(0, 0): 0.8**1.5})),
    # Chang et al. 2024, eq. 4: the common area, of unit pixels. After a step, the chained method has forgotten where in
    # its pixel a value came from. Particles keep their places, so two steps are one of twice the length.
    "chained": (WHITE, (OVERLAP, twice(OVERLAP))),
    "warped": (WHITE, (OVERLAP, products(tent, 2))),
}


def assert_covariances(now: Tensor, then: Tensor, expected: Lags, what: str) -> None:
    """Asserts the covariances with pixels of another frame at each lag, within 4.5 standard errors. These are estimated
    from the scatter of the channels, which are independent, while neighbors may be correlated."""
    inner = now[:, None, MARGIN:-MARGIN, MARGIN:-MARGIN]
    around = then[None, :, MARGIN - REACH : SIZE - MARGIN + REACH, MARGIN - REACH : SIZE - MARGIN + REACH]
    each = torch.nn.functional.conv2d(around, inner, groups=len(now))[0].double() / inner[0].numel()
    error = each.std(dim=0) / len(each) ** 0.5
    for (dy, dx), value in np.ndenumerate(each.mean(dim=0).numpy()):
        lag, wanted = (dx - REACH, dy - REACH), expected.get((dx - REACH, dy - REACH), 0.0)
        assert abs(value - wanted) < 4.5 * error[dy, dx] + 1e-6, f"{what}, lag {lag}: {value:.4f}, not {wanted:.4f}"


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_covariances_are_those_of_the_formula(name: str) -> None:
    own, earlier = CLOSED_FORM[name]
    noise = make_noise(name, (CHANNELS, SIZE, SIZE), seed=21)
    frames = [noise.frame(), *(noise.advance(pan()) for _ in range(len(earlier)))]
    assert_covariances(frames[0], frames[0], WHITE, "the first frame")
    assert_covariances(frames[1], frames[1], own, "the second frame")
    for distance, expected in enumerate(earlier, start=1):
        assert_covariances(frames[distance], frames[0], expected, f"frame {distance} with the first")


def test_control_a_video_keeps_noise_at_rest() -> None:
    """Chen et al. 2023, section 3.3: a pixel keeps its noise where nothing moves, and gets new noise elsewhere."""
    vectors = np.zeros((SIZE, SIZE, 2), np.float32)
    vectors[:, SIZE // 2 :] = [2.0, 0.0]
    noise = make_noise("control-a-video", (CHANNELS, SIZE, SIZE), seed=22)
    before, now = noise.frame(), noise.advance(Motion(vectors, -vectors))
    assert torch.equal(now[..., : SIZE // 2], before[..., : SIZE // 2])
    moving = now[..., SIZE // 2 :].flatten(1).double()
    covariances = moving.T @ before.flatten(1).double() / CHANNELS
    assert covariances.abs().max().item() < 6.5 * CHANNELS**-0.5  # the largest of 170,000
    assert abs(covariances.mean().item()) < 4 / (covariances.numel() * CHANNELS) ** 0.5
    assert_covariances(now, now, WHITE, "the second frame")
