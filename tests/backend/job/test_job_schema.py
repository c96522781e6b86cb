"""job.json: what is taken, what is refused, and that the message names the bad field."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from warpnoise.errors import JobError, SettingsError
from warpnoise.job import JobInfo, SceneInfo, Settings
from warpnoise.job.schema import SLOWEST_MOVIE
from warpnoise.media.movie import write_movie

IDENTITY = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
PERSPECTIVE = [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, -1.01, -0.2], [0, 0, -1, 0]]
JOB: dict[str, Any] = {
    "schema": 2,
    "generator": "by hand",
    "scene": {"frame_start": -1, "frame_end": 4, "frame_step": 2, "width": 8, "height": 4},
    "frames": [
        {"frame": -1, "camera": {"type": "PERSP", "world": IDENTITY, "projection": PERSPECTIVE}},
        {"frame": 1, "camera": None, "objects": {"Cube": IDENTITY}},
        {"frame": 3, "camera": None, "objects": {"Cube": None}, "cut": True},
    ],
    "settings": {"strength": 1, "guidance": 7.5},
}


def parse(change: Callable[[dict[str, Any]], object]) -> JobInfo:
    content = copy.deepcopy(JOB)
    change(content)
    return JobInfo.parse(content, "job.json")


def test_defaults_are_filled_in() -> None:
    job = parse(lambda c: None)
    assert list(job.scene.frames) == [-1, 1, 3]
    assert (job.settings.strength, job.settings.guidance, job.settings.steps) == (1.0, 7.5, None)
    assert job.frames[0].camera is not None and job.frames[0].camera.world[0] == (1.0, 0.0, 0.0, 0.0)
    assert [frame.cut for frame in job.frames] == [False, False, True]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.pop("schema"), r'expected "schema": 2, got nothing'),
        (lambda c: c.update(schema=3), r"newer schema version 3.*reads version 2.*Update"),
        (lambda c: c.update(schema=1), r"older schema version 1.*PNG files in stylized.*new folder"),
        (lambda c: c.update(schema=True), r'expected "schema": 2, got True'),
        (lambda c: c.pop("scene"), r"scene: this field is missing"),
        (lambda c: c["scene"].pop("width"), r"scene\.width: this field is missing"),
        (lambda c: c["scene"].update(fps="24"), r"scene\.fps: expected a valid number, got '24'"),
        (lambda c: c["scene"].update(fps=1e-9), r"scene\.fps: expected greater than or equal to 0\.01, got 1e-09"),
        (
            lambda c: c["scene"].update(fps=0.01, frame_step=1000),
            r"at least 0\.0001 pictures a second, got 0\.01 / 1000",
        ),
        (lambda c: c["scene"].update(fps=1e18), r"scene\.fps: expected less than or equal to 10000, got 1e\+18"),
        (lambda c: c["scene"].update(frame_end=10**8), r"scene\.frame_end: expected less than or equal to 1048574"),
        (lambda c: c["scene"].update(frame_start=-(10**8)), r"scene\.frame_start: expected greater than"),
        (lambda c: c["scene"].update(frame_step=10**8), r"scene\.frame_step: expected less than or equal"),
        (lambda c: c["scene"].update(width=10**6), r"scene\.width: expected less than or equal to 65536"),
        (lambda c: c["scene"].update(width=65536, height=65536), r"expected at most 268435456 pixels in all"),
        (lambda c: c["frames"][1]["objects"].update(Cube=[[1e300] * 4] * 4), r"Cube\[0\]\[0\]: expected less than"),
        (
            lambda c: c["frames"][0]["camera"].update(
                world=[[1e-13 if i == j else 0 for i in range(4)] for j in range(4)]
            ),
            r"camera\.world: expected a matrix that can be inverted",
        ),
        (lambda c: c["scene"].update(width=0), r"scene\.width: expected greater than or equal to 1, got 0"),
        (lambda c: c["scene"].update(frame_end=-2), r"scene\.frame_end: expected -1 .* or more, got -2"),
        (lambda c: c.update(frames=[]), r"frames: expected one entry for each frame, got none"),
        (
            lambda c: c["frames"].append({**c["frames"][-1], "frame": 5}),
            r"frames: expected 3 entries at most, for frames -1 to 4 in steps of 2, got 4",
        ),
        (lambda c: c["frames"][1].update(frame=2), r"frames\[1\]\.frame: expected 1, got 2"),
        (lambda c: c["frames"][1].pop("camera"), r"frames\[1\]\.camera: this field is missing"),
        (lambda c: c["frames"][0]["camera"].update(type="PANO"), r"frames\[0\]\.camera\.type: .*'ORTHO', got 'PANO'"),
        (
            lambda c: c["frames"][0]["camera"].update(world=[[0] * 4] * 4),
            r"camera\.world: expected a matrix",
        ),
        (lambda c: c["frames"][0]["camera"].update(world=IDENTITY[:3]), r"camera\.world\[3\]: this field is missing"),
        (lambda c: c["frames"][1]["objects"].update(Cube=[[float("nan")] * 4] * 4), r"objects\.Cube\[0\]\[0\]: .*nan"),
        (
            lambda c: c["settings"].update(strength=1.5),
            r"strength: expected less than or equal to 1, got 1\.5",
        ),
        (lambda c: c["settings"].update(strength=0), r"settings\.strength: expected greater than 0, got 0"),
        (lambda c: c["settings"].update(steps=2.5), r"settings\.steps: expected a valid integer.*got 2\.5"),
        (lambda c: c["settings"].update(seed=True), r"settings\.seed: expected a valid integer, got True"),
        (lambda c: c["settings"].update(seed=2**63), r"settings\.seed: expected less than"),
        (lambda c: c["settings"].update(strenght=1), r"settings\.strenght: no such field; perhaps 'strength' is meant"),
        (lambda c: c["frames"][0]["camera"].update(wrold=1), r"camera\.wrold: no such field; perhaps 'world'"),
    ],
)
def test_the_message_names_the_bad_field(change: Callable[[dict[str, Any]], object], said: str) -> None:
    with pytest.raises(JobError, match=said):
        parse(change)


def test_another_content_than_an_object() -> None:
    with pytest.raises(JobError, match="expected an object, got list"):
        JobInfo.parse([], "job.json")


def test_many_errors_are_not_all_listed() -> None:
    bad = {"steps": "a", "seed": "b", "eta": "c", "guidance": "d"}
    with pytest.raises(JobError, match=r"and 1 more\.$"):
        parse(lambda c: c["settings"].update(bad))


def test_settings_are_replaced_field_by_field() -> None:
    settings = Settings(steps=5, prompt="ink").updated({"seed": 3, "style": "watercolour"})
    assert settings == Settings(steps=5, prompt="ink", seed=3, style="watercolour")


@pytest.mark.parametrize("changes", [{"strength": 2}, {"step": 3}, {"eta": "1"}, {"seed": -1}])
def test_bad_changes_of_settings(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        Settings().updated(changes)


@pytest.mark.parametrize(
    ("fps", "step", "rate"),
    [
        (24, 1, Fraction(24)),
        (23.976, 1, Fraction(24000, 1001)),
        (24000 / 1001, 1, Fraction(24000, 1001)),
        (29.97, 1, Fraction(30000, 1001)),
        (12.5, 1, Fraction(25, 2)),
        (24, 2, Fraction(12)),
    ],
)
def test_rate(fps: float, step: int, rate: Fraction) -> None:
    scene = SceneInfo(fps=fps, frame_start=1, frame_end=1, frame_step=step, width=1, height=1)
    assert scene.rate == rate


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(SettingsError, match="half of a character"):
        Settings().updated({"prompt": "a \ud800 b"})


@pytest.mark.parametrize("fps", [0.01, 0.5, 23.976, 24, 1000.5, 10_000])
@pytest.mark.parametrize("step", [1, 7, 100])
def test_every_rate_fits_a_movie_file(fps: float, step: int, tmp_path: Path) -> None:
    rate = SceneInfo(frame_start=1, frame_end=1, frame_step=step, fps=float(fps), width=1, height=1).rate
    assert rate >= SLOWEST_MOVIE
    assert write_movie(tmp_path / "a.mp4", [np.zeros((8, 8, 3), np.uint16)] * 2, rate) == 2
