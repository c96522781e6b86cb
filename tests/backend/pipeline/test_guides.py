"""What ControlNets are shown: depth on one scale for the shot, normals, lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from warpnoise.errors import SettingsError
from warpnoise.job import Settings, Shot
from warpnoise.motion.frames import BACKGROUND, Frame, read_frame
from warpnoise.pipeline.guides import Guides, check_guides, lines, wanted_guides

from .. import synthetic

NEVER = {"depth", "normals", "lines"}


def frame_of(distance: np.ndarray, surface: np.ndarray) -> Frame:
    height, width = distance.shape
    with np.errstate(divide="ignore"):
        depth = np.where(surface == BACKGROUND, 0, 1 / distance).astype(np.float32)
    flow = np.zeros((height, width, 2), np.float32)
    return Frame(
        number=1,
        to_previous=flow,
        to_next=flow,
        surface=surface.astype(np.int32),
        depth=depth,
        manifest={},
        camera=None,
        objects={},
        cut=False,
        unknown_motion=(),
    )


def wall(distance: float, size: int = 16) -> Frame:
    """A square before nothing."""
    surface = np.zeros((size, size), int)
    surface[4:12, 4:12] = 7
    return frame_of(np.full((size, size), distance), surface)


def test_depth_is_scaled_by_the_first_frame_for_all() -> None:
    guides = Guides({"depth"})
    values = []
    for distance in (2.0, 4.0, 1.0):
        frame = wall(distance)
        guides.see(frame)
        depth = guides.of(frame)["depth"]
        assert depth.shape == (3, 16, 16) and depth.dtype == torch.float32
        assert torch.equal(depth[0], depth[1]) and depth[0, 0, 0] == 0
        values.append(round(float(depth[0, 8, 8]), 4))
    assert values == [0.8, 0.4, 1.0], "half as near is half as white; too near is white"


def test_lines_are_where_objects_end_and_not_on_slopes() -> None:
    size = 16
    drawn = lines(wall(2.0))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn[3, 4:12].all() and drawn[11, 4:12].all() and not drawn[5:10, 5:10].any() and not drawn[:2].any()
    slope = np.broadcast_to(1 / np.linspace(0.2, 1.0, size), (size, size))
    assert not lines(frame_of(slope, np.ones((size, size), int))).any()
    step = np.where(np.arange(size) < 8, 1.0, 4.0) * np.ones((size, 1))
    assert lines(frame_of(step, np.ones((size, size), int)))[:, 6:9].any()


def test_only_what_is_wanted_is_made(make_job: Callable[..., Shot]) -> None:
    shot = make_job()
    state = next(iter(shot.states()))
    frame = read_frame(shot, state, pytest.fail)
    for names in (set(), {"normals"}, NEVER):
        guides = Guides(names)
        guides.see(frame)
        made = guides.of(frame)
        assert set(made) == names
        for picture in made.values():
            assert picture.shape == (3, shot.scene.height, shot.scene.width)
            assert torch.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1


def test_which_guides_the_controls_want() -> None:
    controls = [{"path": "a"}, {"path": "b", "input": "color"}, {"path": "c", "input": "lines"}]
    assert wanted_guides(Settings().updated({"controls": controls})) == {"depth", "lines"}
    assert wanted_guides(Settings()) == frozenset()


def test_normals_without_a_camera_are_refused(tmp_path: Path) -> None:
    shot = synthetic.make_job(tmp_path / "job")
    check_guides(shot, Settings().updated({"controls": [{"path": "b", "input": "normals"}]}))
    content = json.loads((shot.path / "job.json").read_text())
    content["frames"][2]["camera"] = None
    (shot.path / "job.json").write_text(json.dumps(content))
    shot = Shot.open(shot.path)
    for shown in ("depth", "lines", "color"):
        check_guides(shot, Settings().updated({"controls": [{"path": "control", "input": shown}]}))
    with pytest.raises(
        SettingsError, match=r"control b: the shot has no normals, since job\.json has no camera at frame 3"
    ):
        check_guides(shot, Settings().updated({"controls": [{"path": "b", "input": "normals"}]}))
