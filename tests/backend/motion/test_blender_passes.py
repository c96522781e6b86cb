"""Small jobs that real Blenders exported: a turning cube on a ground, a moving camera, some background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from warpnoise.job import Shot
from warpnoise.motion import motions
from warpnoise.motion.frames import read_frame
from warpnoise.motion.rigid import predict, rigid_transforms

JOBS = Path(__file__).parents[2] / "fixtures" / "passes"


def never(message: str) -> None:
    raise AssertionError(message)


@pytest.mark.parametrize("blender", ["4.2", "4.3", "4.5", "5.0", "5.2"])
def test_vectors_agree_with_matrices(blender: str) -> None:
    job = Shot.open(JOBS / f"blender-{blender}", needs=("passes",))
    (_, nothing), (_, motion) = motions(job, warn=never)
    assert nothing is None and motion is not None
    old, new = (read_frame(job, state, never) for state in job.states())
    assert len(motion.transforms) == 1 + len(old.objects)
    moved = rigid_transforms(old, new)
    for flow, frame, way in ((old.to_next, old, moved), (new.to_previous, new, moved.inverse())):
        objects = frame.surface != 0
        assert objects.any() and not objects.all()
        error = np.linalg.norm(flow - predict(frame.surface, frame.depth, way).flow, axis=-1)[objects]
        assert np.linalg.norm(flow, axis=-1).max() > 0.5
        assert np.median(error) < 0.002 and np.quantile(error, 0.99) < 0.01
