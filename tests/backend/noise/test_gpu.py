"""A GPU makes the noise that the CPU makes."""

from __future__ import annotations

import pytest
import torch
from warpnoise.noise import make_noise

from .planes import WAYS

FRAMES = 12


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["still", "pan", "turn", "zoom in", "zoom out"])
def test_gpu_and_cpu_agree(name: str) -> None:
    size = 48
    way = WAYS[name](size)
    here, there = (make_noise("warped", (2, size, size), seed=3, device=device, maps=2) for device in ("cpu", "cuda"))
    for frame in range(FRAMES):
        motion = way.motion(frame, frame + 1)
        torch.testing.assert_close(there.advance(motion).cpu(), here.advance(motion), atol=1e-5, rtol=0)
    torch.testing.assert_close(there.frame(1).cpu(), here.frame(1), atol=1e-5, rtol=0)
