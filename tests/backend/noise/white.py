"""Statistics of white noise, which several tests use."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

from .conftest import SIMULATED

SAMPLES = 250 if SIMULATED else 10**6
STANDARD_ERRORS = 4.0
"""The largest deviation allowed. A statistic of white noise exceeds it once in 16,000 times. Seeds are fixed, so a test
that passes once always passes."""
LEAST_P = 1e-4
LAGS = tuple((dx, dy) for dy in range(4) for dx in range(-3 if dy else 0, 4))
"""All lags within 3 pixels, up to symmetry."""


def assert_white(noise: Tensor, region: Tensor | None = None, what: str = "") -> None:
    """Asserts variance 1 and covariance 0 within 3 pixels, each within 4 standard errors, and the distribution N(0, 1).

    Args:
        noise: (channels, height, width) with independent channels; at least SAMPLES values.
        region: (height, width) bool: the pixels to test. None: all.
    """
    _, height, width = noise.shape
    region = torch.ones((height, width), dtype=torch.bool) if region is None else region
    values = noise[:, region]
    assert values.numel() >= SAMPLES, f"{what}: only {values.numel()} samples"
    for dx, dy in LAGS:
        here = (..., slice(dy, None), slice(max(dx, 0), width + min(dx, 0)))
        there = (..., slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0)))
        both = region[here] & region[there]
        products = (noise[here][:, both] * noise[there][:, both]).double()
        if not products.numel():
            continue
        expected, deviation = (1.0, 2**0.5) if dx == dy == 0 else (0.0, 1.0)
        error = deviation / products.numel() ** 0.5
        off = (products.mean().item() - expected) / error
        assert abs(off) < STANDARD_ERRORS, f"{what}, lag ({dx}, {dy}): {off:.1f} standard errors off"
    assert stats.kstest(values.flatten().numpy(), "norm").pvalue > LEAST_P, what
