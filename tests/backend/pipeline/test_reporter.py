"""The time that is left, by a clock that the test winds."""

from __future__ import annotations

import pytest
from warpnoise.pipeline import reporter
from warpnoise.pipeline.reporter import Reporter
from warpnoise.progress import Progress


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_time_left_is_right_after_two_batches(monkeypatch, steps):
    """A slow start, and work between the batches that no step counts."""
    now, step_seconds, between, batches = 0.0, 1.0, 7.0, 6
    monkeypatch.setattr(reporter.time, "monotonic", lambda: now)
    seen = Reporter(Progress(frames_total=batches), None)
    seen.expect(batches)
    now += 100.0  # kernels are compiled
    for batch in range(batches):
        for step in range(1, steps + 1):
            now += step_seconds
            seen.step_done(step, steps)
            left = (batches - batch - 1) * (between + steps * step_seconds) + (steps - step) * step_seconds
            if batch >= 2 or (batch == 1 and step == steps):
                assert seen.now.seconds_left == pytest.approx(left)
        now += between
