"""Bad arguments: the error names the argument, its value and what is expected, and the noise stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from warpnoise.noise import NOISE_METHODS, Motion, WarpedNoise, make_noise

VECTORS = np.zeros((8, 8, 2), np.float32)
PLANE = np.zeros((8, 8), np.float32)


@pytest.mark.parametrize("name", NOISE_METHODS)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"shape": (0, 8, 8)}, r"shape must be \(channels, height, width\).* got \(0, 8, 8\)"),
        ({"shape": (1, 8, -8)}, r"shape must be .* got \(1, 8, -8\)"),
        ({"shape": (8, 8)}, r"shape must be .* got \(8, 8\)"),
        ({"shape": (1.0, 8, 8)}, r"shape must be .* integers"),
        ({"shape": 8}, "shape must be .* got 8"),
        ({"maps": 0}, "maps must be an integer from 1 .* got 0"),
        ({"maps": -3}, "maps must be .* got -3"),
        ({"maps": 2.0}, r"maps must be .* got 2\.0"),
        ({"seed": 1.5}, r"seed must be a 64-bit integer, got 1\.5"),
        ({"seed": 2**64}, "seed must be a 64-bit integer"),
        ({"shape": (2**20, 8, 8)}, "shape must be .* at most 16384 channels, got"),
    ],
)
def test_every_method_refuses_bad_arguments(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_noise(name, **{"shape": (1, 8, 8), **arguments})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"particles_per_side": 3}, "particles_per_side must be 1, 2, 4 or 8, got 3"),
        ({"particles_per_side": True}, "particles_per_side must be .* got True"),
        ({"occluded": -1.0}, r"occluded must be at least 0 .* got -1\.0"),
        ({"occluded": "all"}, "occluded must be at least 0 .* got 'all'"),
        ({"occluded": None}, "occluded must be .* got None"),
        ({"memory": -1}, "memory must be a number of bytes, got -1"),
        ({"engine": "steam"}, "engine must be 'cpu', 'cuda' or None, got 'steam'"),
    ],
)
def test_warped_noise_refuses_bad_arguments(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WarpedNoise((1, 8, 8), **arguments)


@pytest.mark.parametrize("device", [f"cuda:{torch.cuda.device_count()}", "nowhere"])
def test_a_missing_device_is_an_error(device: str) -> None:
    for name in NOISE_METHODS:
        with pytest.raises(RuntimeError, match=f"device '{device}' is not available"):
            make_noise(name, (1, 8, 8), device=device)


def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(ValueError, match="no noise method 'pink'; there are warped, "):
        make_noise("pink", (1, 8, 8))
    with pytest.raises(ValueError, match=r"no noise method \['warped'\]"):
        make_noise(["warped"], (1, 8, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize("flow", [VECTORS[::-1, ::-1], torch.zeros(8, 8, 2, requires_grad=True)])
@pytest.mark.parametrize("name", NOISE_METHODS)
def test_motion_takes_flipped_arrays_and_gradients(name: str, flow: Any) -> None:
    noise = make_noise(name, (1, 8, 8)).advance(Motion(flow, flow))
    assert torch.equal(noise, make_noise(name, (1, 8, 8)).advance(Motion(VECTORS, VECTORS)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"forward": PLANE}, r"forward must be an \(h, w, 2\) array of floats, got shape \(8, 8\)"),
        ({"forward": VECTORS[:0]}, r"forward must be .* got shape \(0, 8, 2\)"),
        ({"backward": VECTORS[:4]}, r"backward has shape \(4, 8, 2\), but forward has 8 x 8"),
        ({"forward": VECTORS.astype(int)}, r"forward must be .* array of floats, got .* torch\.int64"),
        ({"forward": None}, "forward must be an .* got NoneType"),
        ({"surface_old": PLANE.astype(np.int32)}, "surface_new is missing"),
        ({"surface_old": PLANE, "surface_new": PLANE}, "surface_old must be .* integers, got .*float32"),
        ({"depth_old": PLANE}, "depth_new is missing"),
        ({"depth_old": PLANE, "depth_new": PLANE[:4]}, r"depth_new has shape \(4, 8\), but forward has 8 x 8"),
        ({"depth_old": VECTORS, "depth_new": PLANE}, r"depth_old must be an \(h, w\) array .* \(8, 8, 2\)"),
        ({"transforms": {1: np.eye(4)}}, "transforms are given, but depth_old and depth_new are missing"),
        (
            {"depth_old": PLANE, "depth_new": PLANE, "transforms": {1: np.eye(3)}},
            r"transforms\[1\] must be a finite \(4, 4\) matrix, got shape \(3, 3\)",
        ),
        ({"transforms": [np.eye(4)]}, r"transforms must be \{surface: matrix\}, got list"),
        (
            {"depth_old": PLANE, "depth_new": PLANE, "transforms": {1.5: np.eye(4)}},
            r"a surface in transforms must be an integer, got 1\.5",
        ),
    ],
)
def test_motion_refuses_bad_arguments(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Motion(**{"forward": VECTORS, "backward": VECTORS, **arguments})


@pytest.mark.parametrize("name", NOISE_METHODS)
def test_a_misfitting_motion_leaves_the_noise_unchanged(name: str) -> None:
    noise = make_noise(name, (1, 8, 8), maps=2)
    before = noise.frame(1)
    with pytest.raises(ValueError, match="motion is 4 x 8 pixels and the noise 8 x 8: their aspect ratios must agree"):
        noise.advance(Motion(VECTORS[:4], VECTORS[:4]))
    with pytest.raises(ValueError, match="motion must be a Motion, got tuple"):
        noise.advance((VECTORS, VECTORS))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"map must be an integer from 0 to 1 .* got 2"):
        noise.frame(2)
    assert noise.frame_index == 0 and torch.equal(noise.frame(1), before)
