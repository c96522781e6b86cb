"""The noise is white in every frame, in smooth, rendered and hostile motion, and at special places of a frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from warpnoise.job import Shot
from warpnoise.motion import motions
from warpnoise.noise import Motion, WarpedNoise

from .. import synthetic
from .occlusion import Occlusion
from .planes import WAYS, all_maps
from .white import assert_white

pytestmark = pytest.mark.slow

SIZE = 24
CHANNELS = 1800  # of 24 x 24 pixels: 10^6 samples
CHECKED = (1, 3, 12)
JOBS = Path(__file__).parents[2] / "fixtures" / "passes"

Vectors = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def tear(x: np.ndarray, y: np.ndarray, frame: int) -> np.ndarray:
    """The left and the right part of the picture move apart."""
    return np.stack([np.where(x < SIZE / 2, -2.6, 2.6), np.zeros_like(y)], axis=-1)


def unknown_in_part(x: np.ndarray, y: np.ndarray, frame: int) -> np.ndarray:
    vectors = np.random.default_rng(frame).normal(0, 2, (SIZE, SIZE, 2))
    vectors[(x + 2 * y + frame) % 5 == 0] = [np.nan, np.inf]
    return vectors


HOSTILE: dict[str, Vectors] = {
    "random": lambda x, y, frame: np.random.default_rng(frame).normal(0, 5, (SIZE, SIZE, 2)),
    "into one pixel": lambda x, y, frame: np.stack([7 - x, 9 - y], axis=-1),
    "far away": lambda x, y, frame: np.full((SIZE, SIZE, 2), 5000.0),
    "unknown": lambda x, y, frame: np.full((SIZE, SIZE, 2), np.nan),
    "unknown in part": unknown_in_part,
    "alternating": lambda x, y, frame: np.where((x + y + frame)[..., None] % 2, 3.3, -3.3) * np.ones(2),
    "fold": lambda x, y, frame: np.stack([SIZE - 1 - 2 * np.abs(x - SIZE / 2) - x, np.zeros_like(y)], axis=-1),
    "tear": tear,
}


def hostile(kind: str, frame: int) -> Motion:
    """A motion that no scene has. The backward flow is not the inverse of the forward flow."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    vectors = HOSTILE[kind](x, y, frame).astype(np.float32)
    return Motion(vectors, -vectors)


@pytest.mark.parametrize("flaw", ["none", "variance", "neighbours", "far neighbours", "shape"])
def test_a_small_flaw_fails_the_check(flaw: str) -> None:
    """One per cent too much variance, a hundredth of a neighbour's value, or a uniform distribution."""
    noise = torch.randn((CHANNELS, SIZE, SIZE), generator=torch.Generator().manual_seed(18))
    flawed = {
        "none": noise,
        "variance": noise * 1.01**0.5,
        "neighbours": noise + 0.01 * noise.roll(1, dims=2),
        "far neighbours": noise + 0.01 * noise.roll((3, -3), dims=(1, 2)),
        "shape": (torch.special.ndtr(noise) - 0.5) * 12**0.5,
    }[flaw]
    if flaw == "none":
        assert_white(flawed)
    else:
        with pytest.raises(AssertionError):
            assert_white(flawed)


@pytest.mark.parametrize("kind", HOSTILE)
def test_white_in_hostile_motion(kind: str) -> None:
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=11)
    for frame in range(4):
        noise.advance(hostile(kind, frame))
        if frame in (0, 3):
            assert_white(noise.frame(), what=f"{kind}, frame {frame + 1}")


@pytest.mark.parametrize("name", [name for name in WAYS if name != "still"])
def test_white_in_smooth_motion(name: str) -> None:
    way = WAYS[name](SIZE)
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=12)
    for frame in range(1, max(CHECKED) + 1):
        noise.advance(way.motion(frame - 1, frame))
        if frame in CHECKED:
            assert_white(noise.frame(), what=f"{name}, frame {frame}")


def test_white_in_a_rendered_scene(tmp_path: Path) -> None:
    """The motion is read from EXR files: a turning ball on a floor, and an orbiting camera."""
    job = synthetic.make_job(tmp_path / "job", frames=5, width=SIZE, height=SIZE)
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=13)
    for frame, motion in motions(job):
        if motion is not None:
            noise.advance(motion)
        assert_white(noise.frame(), what=f"frame {frame}")


def test_white_in_a_job_from_blender() -> None:
    """A turning cube on a floor before the background, and a moving camera: 22 x 22 pixels with surfaces, depths and
    transforms. The motion is alternated with its inverse."""
    (_, _), (_, motion) = motions(Shot.open(JOBS / "blender-5.2", needs=("passes",)))
    assert motion is not None and motion.transforms
    inverse = Motion(
        motion.backward,
        motion.forward,
        surface_old=motion.surface_new,
        surface_new=motion.surface_old,
        depth_old=motion.depth_new,
        depth_new=motion.depth_old,
        transforms={surface: np.linalg.inv(matrix) for surface, matrix in motion.transforms.items()},
    )
    noise = WarpedNoise((2100, *motion.size), seed=17)
    for frame in range(4):
        noise.advance(inverse if frame % 2 else motion)
        assert_white(noise.frame(), what=f"frame {frame + 1}")


PLACES = 16
"""Pixels on a side in tests of single places, which need many channels for 10^6 samples."""


def test_white_at_the_borders_of_the_frame() -> None:
    border = torch.ones((PLACES, PLACES), dtype=torch.bool)
    border[1:-1, 1:-1] = False
    way = WAYS["turn"](PLACES)
    noise = WarpedNoise((6000, PLACES, PLACES), seed=14, maps=3)
    for frame in range(8):
        noise.advance(way.motion(4 * frame, 4 * frame + 4))
    assert_white(all_maps(noise), border)


def test_white_at_silhouettes_and_in_disocclusions() -> None:
    scene = Occlusion(size=PLACES, left=2.0, width=6.0, speed=2.6)
    noise = WarpedNoise((8000, PLACES, PLACES), seed=15, maps=6)
    for frame in range(3):
        noise.advance(scene.motion(frame))
    now = all_maps(noise)
    assert_white(now, scene.silhouette(3), what="silhouette")
    assert_white(now, scene.disoccluded(3), what="disoccluded")


def test_white_where_the_picture_is_magnified() -> None:
    """The middle of the picture grows to more than three times its size, the rest less."""
    middle = (PLACES - 1) / 2
    y, x = np.mgrid[:PLACES, :PLACES] - middle
    near = np.exp(-(x * x + y * y) / 18)[..., None]
    backward = (-0.35 * near * np.stack([x, y], axis=-1)).astype(np.float32)
    noise = WarpedNoise((8500, PLACES, PLACES), seed=16, maps=2)
    for _ in range(3):
        noise.advance(Motion(-backward, backward))
    assert_white(all_maps(noise), torch.from_numpy(near[..., 0] > 0.35))
