"""Which frames become key frames."""

from __future__ import annotations

from pathlib import Path

from warpnoise.coherence.anchor import Surfaces
from warpnoise.coherence.keys import MOST_ANCHORS, KeyFrames
from warpnoise.job import Shot
from warpnoise.motion import frames_and_motions

from .. import synthetic


def key_frames(job: Shot, share: float, given: tuple[int, ...] = ()) -> list[int]:
    finder = KeyFrames(share, given)
    return [
        frame.number
        for frame, motion in frames_and_motions(job)
        if finder.see(frame.number, motion, Surfaces(frame.surface, frame.depth))[0]
    ]


def test_a_shot_at_rest_has_one(tmp_path: Path) -> None:
    scene = synthetic.Scene(turn=0.0, spin=0.0)
    assert key_frames(synthetic.make_job(tmp_path / "job", frames=4, scene=scene), 0.05) == [1]


def test_the_first_frame_is_one_whatever_the_share(tmp_path: Path) -> None:
    assert key_frames(synthetic.make_job(tmp_path / "job", frames=3), 1.0) == [1]


def test_there_are_more_the_less_may_be_new(tmp_path: Path) -> None:
    job = synthetic.make_job(tmp_path / "job", frames=8, scene=synthetic.Scene(turn=0.08, spin=0.2))
    counts = [len(key_frames(job, share)) for share in (0.02, 0.1, 0.6)]
    assert counts[0] > counts[1] > counts[2] == 1


def test_a_cut_begins_with_one(tmp_path: Path) -> None:
    job = synthetic.make_job(tmp_path / "job", frames=5, scene=synthetic.Scene(turn=0.0, spin=0.0), cuts=(4,))
    assert key_frames(job, 0.5) == [1, 4]


def test_what_comes_much_nearer_needs_one(tmp_path: Path) -> None:
    """Everything was seen before, but at less than half of its size."""
    job = synthetic.make_job(tmp_path / "job", frames=6, scene=synthetic.Scene(turn=0.0, spin=0.0, zoom=0.4))
    keys = key_frames(job, 0.3)
    assert keys[0] == 1
    assert len(keys) > 1


def test_painted_frames_are_key_frames(tmp_path: Path) -> None:
    scene = synthetic.Scene(turn=0.0, spin=0.0)
    assert key_frames(synthetic.make_job(tmp_path / "job", frames=4, scene=scene), 0.05, given=(3,)) == [1, 3]


def test_so_many_are_carried_at_most(tmp_path: Path) -> None:
    job = synthetic.make_job(tmp_path / "job", frames=MOST_ANCHORS + 3, scene=synthetic.Scene(turn=0.01))
    finder = KeyFrames(0.9, given=job.frames)
    for frame, motion in frames_and_motions(job):
        finder.see(frame.number, motion, Surfaces(frame.surface, frame.depth))
    assert len(finder.live) == MOST_ANCHORS
    assert finder.live[-1] == job.frames[-1]
