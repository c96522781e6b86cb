"""What makes each painted style that style, measured."""

from __future__ import annotations

import numpy as np
import pytest

from training.kuwahara import flow, kuwahara
from training.styles import LUMA, PAINTERS, STYLES, along_flow, paint

from .training_pictures import picture


@pytest.mark.parametrize("style", STYLES)
def test_keeps_size_range_and_layout(style: str) -> None:
    image = picture(1)
    painted = paint(style, image, np.random.default_rng(0))
    assert painted.shape == image.shape and painted.dtype == np.float32
    assert painted.min() >= 0 and painted.max() <= 1
    coarse = [i.reshape(6, 8, 6, 8, 3).mean((1, 3)).ravel() for i in (image, painted)]
    assert np.corrcoef(*coarse)[0, 1] > 0.6


@pytest.mark.parametrize("style", PAINTERS)
def test_depends_on_the_generator_alone(style: str) -> None:
    image = picture(2)
    first, again, other = (paint(style, image, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_kuwahara_flattens_noise_and_keeps_edges() -> None:
    clean = np.full((40, 40, 3), 0.2, np.float32)
    clean[:, 20:] = 0.8
    noisy = clean + 0.05 * np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)
    filtered = kuwahara(noisy)
    assert filtered[5:-5, 3:15].std() < 0.4 * noisy[5:-5, 3:15].std()
    assert np.median(filtered[5:-5, 21] - filtered[5:-5, 18]) > 0.5


def test_flow_runs_along_stripes() -> None:
    x = np.arange(40, dtype=np.float32)
    stripes = np.repeat(np.tile(0.5 + 0.5 * np.sin(x), (40, 1))[..., None], 3, axis=2).astype(np.float32)
    angle, anisotropy = flow(stripes)
    assert np.allclose(np.abs(np.cos(angle[10:-10, 10:-10])), 0, atol=0.05)  # vertical
    assert anisotropy[10:-10, 10:-10].min() > 0.9
    noise = np.random.default_rng(0).standard_normal((40, 40)).astype(np.float32)
    smeared = along_flow(noise, angle, 6)[10:-10, 10:-10]
    assert np.diff(smeared, axis=0).std() < 0.4 * np.diff(smeared, axis=1).std()


def test_ink_draws_dark_lines_on_light_paper() -> None:
    image = np.full((48, 48, 3), 0.9, np.float32)
    image[12:36, 12:36] = (0.2, 0.5, 0.3)
    grey = paint("ink", image, np.random.default_rng(0)) @ LUMA
    assert np.median(grey[:8]) > 0.8
    assert grey[20:28, 9:16].min() < 0.3  # the contour


def test_unknown_style_and_wrong_type_are_named() -> None:
    with pytest.raises(ValueError, match="'crayon': expected one of photoreal, oil, ink, watercolour"):
        paint("crayon", picture(0), np.random.default_rng(0))
    with pytest.raises(ValueError, match="expected float32"):
        paint("oil", np.zeros((8, 8, 3)), np.random.default_rng(0))  # type: ignore[arg-type]
