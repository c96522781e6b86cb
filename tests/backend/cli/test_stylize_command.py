"""``warpnoise stylize`` from a job folder to a movie, on a toy model; its output and its exit codes."""

from __future__ import annotations

import json
import os
import re
import signal

import numpy as np
import pytest
from warpnoise.cli.stylize import stylize_command
from warpnoise.job import Settings
from warpnoise.job.settings_schema import as_options
from warpnoise.media.png import read_png

from .. import synthetic, tiny_pipelines
from ..synthetic import current, finished_frames


@pytest.mark.slow
def test_the_whole_output(warpnoise, job):
    done = warpnoise("stylize", job.path)
    assert done.status == 0, done.err
    assert re.fullmatch(
        rf"4 of 4 frames, in [\w ]+\nresult  ({job.path}/results/ink-\w+)\nmovie   \1/movie.mp4\n", done.out
    ), done.out
    stages = [line.split(":")[0] for line in done.err.splitlines()]
    ordered = [stage for stage in dict.fromkeys(stages) if stage != "compiling"]  # where the cache is cold
    assert ordered == ["loading", "stylizing", "encoding", "finished"]
    assert done.err.splitlines()[-1] == "finished: 4 of 4 frames, 0 s left"
    assert current(job).movie.stat().st_size > 0
    for frame in job.frames:
        assert read_png(current(job).frame(frame)).shape == (32, 32, 3)


@pytest.mark.slow
def test_again_keeps_what_is_finished_and_new_settings_do_not(warpnoise, job):
    warpnoise("stylize", job.path)
    first = read_png(current(job).frame(1))
    assert warpnoise("stylize", job.path).out.startswith("4 of 4 frames, 4 of them kept, in ")
    current(job).frame(2).unlink()
    assert warpnoise("stylize", job.path).out.startswith("4 of 4 frames, 3 of them kept, in ")
    assert warpnoise("stylize", job.path, "--seed", 1).out.startswith("4 of 4 frames, in ")
    assert not np.array_equal(read_png(current(job).frame(1)), first)


def test_json(warpnoise, job):
    done = warpnoise("stylize", job.path, "--json")
    assert (done.status, done.err) == (0, "")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert {line["event"] for line in lines[:-1]} == {"progress"}
    assert [line["step"] for line in lines if line["event"] == "progress" and line["step"]][:2] == [1, 2]
    assert lines[-1]["event"] == "summary"
    assert (lines[-1]["frames_done"], lines[-1]["frames_kept"]) == (4, 0)
    assert {line["result"] for line in lines if line.get("stage") == "stylizing"} == {lines[-1]["result"]}
    assert lines[-1]["result"] == current(job).name
    assert lines[-1]["movie"] == str(current(job).movie)


def test_json_errors_are_in_both_places(warpnoise, tmp_path):
    done = warpnoise("stylize", tmp_path / "nowhere", "--json")
    assert done.status == 3
    said = json.loads(done.out)
    assert (said["event"], said["code"]) == ("error", "job")
    assert done.err == f"error: {said['message']}\n"


def test_every_setting_has_an_option(warpnoise, job, monkeypatch):
    seen = {}

    def note(opened, settings, **more):
        seen.update(settings.model_dump())
        raise KeyboardInterrupt

    monkeypatch.setattr("warpnoise.pipeline.stylize", note)
    given = Settings().updated(
        {
            "prompt": "p",
            "strength": 0.25,
            "steps": 7,
            "loras": [{"path": "l", "weight": 0.5}],
            "controls": [{"path": "c", "input": "lines", "end": 0.5}],
            "ip_adapters": [{"path": "a", "image": "i"}],
            "animation": [{"data_path": "prompt", "frame": 3, "value": "a house, red"}],
            "latent_noise": "pooled",
            "sampler": "euler",
        }
    )
    assert warpnoise("stylize", job.path, *as_options(given)).status == 130
    changed = given.model_dump(exclude_defaults=True)
    assert seen == job.settings.updated(changed).model_dump()
    assert {parameter.name for parameter in stylize_command.params} >= set(Settings.model_fields)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--strength", "1.5"], 2, "strength"),
        (["--strength", "0"], 2, "strength"),
        (["--steps", "0"], 2, "steps"),
        (["--style", "oil"], 2, "ink, clay"),
        (["--noise", "purple"], 2, "purple"),
        (["--sampler", "None"], 2, "'flow_euler'."),
        (["--device", "abacus"], 2, "abacus"),
        (["--model", "/no/such/model"], 5, "/no/such/model"),
    ],
)
def test_settings_that_cannot_be(warpnoise, job, arguments, status, says):
    done = warpnoise("stylize", job.path, *arguments)
    assert (done.status, done.out) == (status, "")
    assert says in done.err and "error: " in done.err and "Traceback" not in done.err
    assert job.current() is None


def test_a_damaged_pass_keeps_the_frames_before_it(warpnoise, job):
    job.passes(4).write_bytes(job.passes(4).read_bytes()[:500])
    done = warpnoise("stylize", job.path)
    assert done.status == 4
    assert str(job.passes(4)) in done.err.splitlines()[-1]


def test_frames_that_another_process_works_on(warpnoise, job):
    warpnoise("stylize", job.path, "--frames", "1")
    with current(job).lease(1, 4):
        done = warpnoise("stylize", job.path)
    assert done.status == 3
    assert done.err.splitlines()[-1].startswith("error: Another process works on ")


@pytest.mark.slow
def test_warnings_are_reported_once(warpnoise, job):
    done = warpnoise("stylize", job.path, "--prompt", "a castle")
    assert done.status == 0
    assert [line for line in done.err.splitlines() if "prompt has no effect" in line] == [
        line for line in done.err.splitlines() if line.startswith("warning: ")
    ]
    assert done.err.count("prompt has no effect") == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_within_a_step_and_resumes(start, warpnoise, tmp_path, model, number):
    settings = Settings(model=str(model), steps=150, strength=1.0, coherence="off")
    job = synthetic.make_job(tmp_path / "job", frames=20, settings=settings)
    process = start("stylize", job.path, "--json")
    for line in process.stdout:
        now = json.loads(line)
        if now["frames_done"] >= 1 and now["step"] >= 3:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["code"] == "cancelled"
    assert "error: " in err and "Traceback" not in err
    done = finished_frames(job)
    assert done == job.frames[: len(done)] and 1 <= len(done) < 20
    with current(job).lease(1, 20):
        pass
    assert not list(job.path.rglob("*.tmp"))


@pytest.mark.slow
def test_memory_options_of_a_latent_model(warpnoise, job, tmp_path):
    """Weights in 4 bits, parts that wait in main memory, tiles: each is said, and frames come out."""
    model = tiny_pipelines.write("sdxl", tmp_path / "sdxl")
    options = ("--model", model, "--prompt", "a", "--latent-noise", "pooled", "--frames", "1", "--no-movie")
    done = warpnoise("stylize", job.path, *options, "--quantize", "4bit", "--offload", "model", "--tiling", "on")
    assert done.status == 0, done.err
    assert "Weights are stored in 4 bits" in done.err and "one at a time is on the device" in done.err
    assert current(job).frame(1).is_file() and not current(job).frame(2).exists()
    assert warpnoise("stylize", job.path, *options, "--quantize", "2bit").status == 2


@pytest.mark.slow
def test_some_frames_and_chunks(warpnoise, job):
    assert warpnoise("stylize", job.path, "--frames", "2:3").out.startswith("2 of 2 frames, in ")
    done = warpnoise("stylize", job.path, "--chunk", "1/2")
    assert done.out.startswith("2 of 2 frames, 1 of them kept, in ")
    assert done.out.endswith("movie   not yet: other frames are unfinished\n")
    assert finished_frames(job) == [1, 2, 3]
    assert warpnoise("stylize", job.path, "--frames", "4").out.endswith(f"movie   {current(job).movie}\n")
    assert warpnoise("stylize", job.path, "--frames", "1-3:2", "--seed", "1").out.startswith("2 of 2 frames, in ")
    assert finished_frames(job) == [1, 3]
    empty = warpnoise("stylize", job.path, "--chunk", "1/5")
    assert (empty.status, empty.out) == (
        0,
        "0 frames: this chunk is empty, as there are more chunks than frames or segments\n",
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--chunk", "0/10"], "chunk 0/10: expected a number from 1 to the count"),
        (["--chunk", "11/10"], "chunk 11/10: expected"),
        (["--chunk", "3"], "expected K/N like 3/10, got '3'"),
        (["--frames", "1-4,x"], "frames: 'x' is neither a frame like 7 nor a range"),
        (["--frames", "3:9"], "the shot has no frame 5-9; it has 1-4"),
    ],
)
def test_frames_that_there_are_not(warpnoise, job, arguments, says):
    done = warpnoise("stylize", job.path, *arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err


@pytest.mark.slow
def test_the_movie_alone(warpnoise, job):
    assert warpnoise("movie", job.path).err == f"error: {job.path} has no result. Stylize it first.\n"
    done = warpnoise("stylize", job.path, "--frames", "2,4", "--no-movie")
    assert (done.status, "\nmovie " in done.out) == (0, False)
    refused = warpnoise("movie", job.path)
    assert refused.status == 3 and "frames 1,3 are not finished" in refused.err
    warpnoise("stylize", job.path, "--no-movie")
    assert not current(job).movie.exists()
    done = warpnoise("movie", job.path, "--openjd")
    assert done.status == 0, done.err
    assert done.out.splitlines() == [
        "openjd_status: loading: 0 of 4 frames",
        "openjd_progress: 0.0",
        "openjd_status: encoding: 0 of 4 frames",
        "openjd_status: finished: 4 of 4 frames",
        "openjd_progress: 100.0",
        str(current(job).movie),
    ]
    made = current(job).movie.read_bytes()
    current(job).movie.unlink()
    assert warpnoise("stylize", job.path).status == 0
    assert current(job).movie.read_bytes() == made
    current(job).frame(2).write_bytes(current(job).frame(1).read_bytes())
    assert "frames 2 are not finished" in warpnoise("movie", job.path, "--result", current(job).name).err


@pytest.mark.slow
def test_lines_for_open_job_description(warpnoise, job):
    done = warpnoise("stylize", job.path, "--openjd", "--prompt", "a castle")
    assert done.status == 0 and done.err.count("warning: ") == 1
    lines = done.out.splitlines()[:-3]
    assert {line.split(":")[0] for line in lines} == {"openjd_status", "openjd_progress"}
    percents = [float(line.split()[1]) for line in lines if line.startswith("openjd_progress")]
    assert percents == sorted(percents) and percents[0] == 0 and percents[-1] == 100 and len(percents) > 3
    failed = warpnoise("stylize", job.path, "--openjd", "--frames", "9")
    assert failed.status == 2 and failed.out.startswith("openjd_fail: frames: the shot has no frame 9")


@pytest.mark.slow
def test_the_movie_of_accumulated_frames(warpnoise, job):
    settings = ["--accumulation", "0.5", "--no-movie"]
    assert warpnoise("stylize", job.path, *settings, "--frames", "1-3").status == 0
    refused = warpnoise("movie", job.path)
    assert refused.status == 3 and "frames 4 are not finished" in refused.err
    assert warpnoise("stylize", job.path, *settings, "--frames", "4").status == 0
    current(job).frame(2).unlink()
    assert "frames 2 are not finished" in warpnoise("movie", job.path).err
    assert warpnoise("accumulate", job.path).status == 0
    assert warpnoise("movie", job.path).status == 0
