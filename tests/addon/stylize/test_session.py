"""The whole road as a window takes it: in a thread, with a second Blender for the render and a fake backend."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from polling import poll

import warpnoise_addon
from warpnoise_addon.arguments import make_parser, operator_arguments
from warpnoise_addon.frame_ranges import parse_shot
from warpnoise_addon.settings import SETTINGS, make_settings
from warpnoise_addon.stylize import status as status_module
from warpnoise_addon.stylize.backends import BackendPool
from warpnoise_addon.stylize.check import CheckSession
from warpnoise_addon.stylize.request import BackendChoice, StylizeRequest, unfinished
from warpnoise_addon.stylize.second_blender import export_arguments
from warpnoise_addon.stylize.session import StylizeSession
from warpnoise_addon.stylize.status import Reporter, Status, duration

from ..fake_python import write_fake_python
from ..result_files import frames_of

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python"),
    pytest.mark.skipif(bool(bpy.app.binary_path), reason="the processes that it starts need the bpy wheel"),
]


@pytest.fixture(scope="module")
def blend(tmp_path_factory) -> Path:
    """A file whose rendering takes no time."""
    path = tmp_path_factory.mktemp("scene") / "scene.blend"
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture
def pool():
    pool = BackendPool()
    yield pool
    backend = pool.current
    pool.discard()
    assert backend is None or not backend.process.alive


@pytest.fixture
def session(blend, pool, tmp_path, monkeypatch):
    """Makes a session on the file with the fake backend in a mode, its export in a process of its own."""
    monkeypatch.delenv("WARPNOISE_PYTHON", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(warpnoise_addon.__file__).parents[1]))
    cleaned = []

    def make(mode: str, last: int = 2, export: list[str] | None = None) -> StylizeSession:
        python = write_fake_python(tmp_path, mode)
        request = StylizeRequest(tmp_path / "job", 1, last, scene="Scene", backend=BackendChoice(str(python)))
        wheel = [sys.executable, "-u", "-m", "warpnoise_addon", str(blend)]
        return StylizeSession(
            pool, request, export or [*wheel, *export_arguments(request)], lambda: cleaned.append(True)
        )

    make.cleaned = cleaned
    return make


def watch(session: StylizeSession, until=lambda status: False) -> list[Status]:
    """Every status that differs, until the end or until ``until``."""
    seen = [session.status]

    def at_end() -> bool:
        if session.status is not seen[-1]:
            seen.append(session.status)
        return session.over or until(seen[-1])

    poll(at_end, polls=6000)
    return [*seen, session.status]


@pytest.mark.slow
def test_the_whole_road(session, tmp_path):
    running = session("good", last=4)
    running.start()
    seen = watch(running)
    assert running.status.stage == "done", running.status.error
    stages = list(dict.fromkeys(status.stage for status in seen))
    # What is over in a moment may not be seen.
    assert [s for s in stages if s not in ("idle", "loading")] == ["backend", "exporting", "stylizing", "done"]
    rendered = [status.newest for status in seen if status.stage == "exporting" and status.newest]
    assert rendered[-1] == tmp_path / "job" / "color" / "0004.png"
    assert running.status.newest == frames_of(tmp_path / "job") / "0004.png"
    assert (running.status.frames_done, running.status.frames_total) == (4, 4)
    assert "a fake device" in running.status.device
    assert running.status.warnings == ("a warning of the fake backend",)
    assert session.cleaned == [True]
    assert unfinished(tmp_path / "job") is None


@pytest.mark.slow
def test_the_backend_is_kept_for_the_next_run(session, pool):
    for _ in range(2):
        running = session("good")
        running.start()
        watch(running)
        assert running.status.stage == "done"
        pid = pool.current.process.pid
    assert pool.current.process.pid == pid


@pytest.mark.slow
def test_cancelled_while_rendering(session, tmp_path):
    running = session("good", last=5000)
    running.start()
    watch(running, lambda status: status.stage == "exporting" and status.frames_done > 0)
    running.cancel()
    rendered = running.status.frames_done
    watch(running)
    assert (running.status.stage, running.status.exit_status) == ("cancelled", 130)
    assert (tmp_path / "job" / "color" / "0001.png").is_file()
    assert len(list((tmp_path / "job" / "color").glob("*.png"))) <= rendered + 100
    assert session.cleaned == [True]
    assert unfinished(tmp_path / "job").rendered >= 1


@pytest.mark.slow
def test_cancelled_while_stylizing(session, tmp_path):
    running = session("slow")
    running.start()
    watch(running, lambda status: status.stage == "stylizing")
    assert not running.cancelling
    running.cancel()
    assert running.cancelling  # which the panel shows until it has stopped
    watch(running)
    assert running.status.stage == "cancelled" and not running.cancelling
    assert running.status.frames_done < 2
    assert unfinished(tmp_path / "job").rendered == 2


def test_cancelled_while_the_backend_starts(session, tmp_path):
    running = session("mute")
    running.start()
    watch(running, lambda status: status.stage == "backend")
    running.stop()
    assert running.over and running.status.stage == "cancelled"
    assert not (tmp_path / "job").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "words"), [("dies", "ended in the middle"), ("new", "too new"), ("broken", "did not")]
)
def test_a_backend_that_fails(session, pool, mode, words):
    running = session(mode)
    running.start()
    watch(running)
    assert running.status.stage == "failed" and words in running.status.error
    assert running.status.exit_status == 6
    assert pool.current is None  # the next run starts a new one
    assert session.cleaned == [True]


@pytest.mark.slow
def test_a_hung_backend_is_reported_and_ended(session, pool, monkeypatch):
    running = session("hangs")
    running.start()
    watch(running, lambda status: status.stage == "exporting")
    monkeypatch.setattr(pool.current, "_silence_seconds", 1.0)
    monkeypatch.setattr(pool.current.client, "_request_seconds", 0.3)
    watch(running)
    assert "has not answered" in running.status.error and pool.current is None


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; print('no license'); sys.exit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ('print(\'{"warpnoise": "progress", "error": {"message": "no camera", "exit_status": 3}}\')', "no camera"),
    ],
)
def test_a_render_that_fails(session, script, words):
    running = session("good", export=[sys.executable, "-c", script])
    running.start()
    watch(running)
    assert running.status.stage == "failed" and words in running.status.error


def test_a_blender_that_cannot_be_started(session):
    running = session("good", export=["/nowhere/blender"])
    running.start()
    watch(running)
    assert "second Blender" in running.status.error and running.status.exit_status == 3


def test_checking_the_backend(session, pool):
    request = session("good").request
    check = CheckSession(pool, request.backend)
    check.start()
    check.wait()
    assert check.over and check.status.stage == "done"
    assert check.status.backend == "0.1.0" and "a fake device" in check.status.device


def test_the_export_gets_all_arguments(tmp_path):
    """A request, as arguments and back, is the same."""
    settings = make_settings(
        model="m",
        style="ink",
        prompt="a: b",
        negative_prompt="-c",
        strength=0.25,
        steps=7,
        guidance=1.5,
        eta=0.5,
        sampler="euler",
        seed=3,
        noise="random",
    )
    request = StylizeRequest(
        tmp_path / "job", -3, 9, 2, tmp_path / "c", tmp_path / "p", settings, keep_existing=True, scene="A B"
    )
    given = make_parser("p").parse_args(export_arguments(request))
    assert (given.scene, given.action) == ("A B", "export")
    values = operator_arguments(given)
    assert parse_shot(values.pop("frames")) == request.frames
    assert Path(values.pop("output")) == request.folder
    assert Path(values.pop("color_folder")) == request.color_source
    assert Path(values.pop("passes_folder")) == request.passes_source
    assert values.pop("keep_existing") is True and values.pop("earlier_motion") is True
    assert make_settings(**{name: SETTINGS[name].from_property(value) for name, value in values.items()}) == settings


def test_a_new_stage_resets_its_count():
    reporter = Reporter()
    reporter.update(stage="exporting", frames_done=3, frames_total=4, seconds_left=1.0)
    reporter.update(stage="loading")
    assert (reporter.status.frames_done, reporter.status.seconds_left) == (0, None)
    reporter.warn("a", "b", "a")
    reporter.warn("b")
    assert reporter.status.warnings == ("a", "b")


def test_time_left_leaves_out_the_start_and_frames_from_before(monkeypatch):
    now = 0.0
    monkeypatch.setattr(status_module.time, "monotonic", lambda: now)
    reporter = Reporter()
    reporter.update(stage="exporting", frames_total=20)
    assert reporter.seconds_left(0, 20) is None
    now = 30.0  # Blender starts
    assert reporter.seconds_left(1, 20) is None
    now = 32.0
    assert reporter.seconds_left(2, 20) == 2.0 * 18
    reporter.update(stage="stylizing")
    for done in range(1, 11):  # kept from before
        reporter.seconds_left(done, 20)
    for done in range(11, 20):
        now += 5.0
        left = reporter.seconds_left(done, 20)
    assert left == 5.0


def test_statuses_in_words():
    status = Status("stylizing", frames_done=3, frames_total=12, step=5, steps_total=10, seconds_left=75.4)
    assert status.as_text() == "warpnoise: Stylizing 3/12, 1:15 left"
    assert status.fraction == 3.5 / 12
    assert replace(status, stage="done").over
    assert [duration(s) for s in (7, 750, 3723)] == ["0:07", "12:30", "1:02:03"]
