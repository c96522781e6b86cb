"""Real jobs through the real process: a toy model, real passes, and what the add-on does with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest
from polling import poll
from warpnoise.job import Settings, Shot
from warpnoise.sdedit.memory_plan import MemoryOptions
from warpnoise.server.schema import NewJob

from .. import synthetic
from ..synthetic import current, finished_frames
from ..tiny_models import write_styled_model

TOKEN = "a-token-for-the-tests-0123456789"
OVER = ("done", "failed", "cancelled")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_styled_model(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture(scope="module")
def process() -> Iterator[subprocess.Popen]:
    environment = dict(os.environ, WARPNOISE_TOKEN=TOKEN, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    command = [sys.executable, "-m", "warpnoise", "serve", "--announce", "--exit-with-parent"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def client(process) -> Iterator[httpx.Client]:
    port = json.loads(process.stdout.readline())["port"]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as client:
        yield client


@pytest.fixture
def job(tmp_path, model) -> Shot:
    return synthetic.make_job(tmp_path / "job", settings=Settings(model=str(model), steps=4, coherence="off"))


def until(client: httpx.Client, posted: httpx.Response, right: Callable[[dict], bool]) -> dict:
    assert posted.status_code == 201, posted.text
    now = poll(
        lambda: client.get(f"/v2/jobs/{posted.json()['id']}").json(),
        lambda now: right(now) or now["state"] in OVER,
        polls=60_000,  # a first job imports libraries, on a busy machine for minutes
        pause=0.005,
    )
    assert right(now), now
    return now


@pytest.mark.slow
def test_a_job_is_done_and_then_kept(client, job):
    request = {"path": str(job.path), "settings": {"seed": 3}}
    now = until(client, client.post("/v2/jobs", json=request), lambda now: now["state"] == "done")
    assert (now["stage"], now["frames_done"], now["frames_total"], now["frames_kept"]) == ("finished", 4, 4, 0)
    assert (now["newest_frame"], now["steps_total"], now["error"]) == (4, 2, None)
    assert current(job).movie.is_file() and finished_frames(job) == job.frames
    assert now["result"] == current(job).name and current(job).info().settings.seed == 3
    settings = client.get(f"/v2/jobs/{now['id']}/settings")
    assert settings.content == current(job).settings_file.read_bytes()
    again = until(client, client.post("/v2/jobs", json=request), lambda now: now["state"] == "done")
    assert again["frames_kept"] == 4


def test_how_the_model_shares_the_memory_reaches_the_model(job):
    request = {"path": str(job.path), "offload": "model", "quantize": "4bit", "tiling": "on"}
    assert NewJob(**request).memory == MemoryOptions("model", "4bit", "on")
    assert NewJob(path=str(job.path)).memory == MemoryOptions()
    for name in ("offload", "quantize", "tiling"):
        with pytest.raises(ValueError, match=name):
            NewJob(**{**request, name: "half"})


def test_only_some_frames(client, job):
    request = {"path": str(job.path), "frames": "2-3"}
    job.color(4).unlink()
    now = until(client, client.post("/v2/jobs", json=request), lambda now: now["state"] == "done")
    assert (now["frames_done"], now["frames_total"]) == (2, 2)
    assert finished_frames(job) == [2, 3]
    answer = client.post("/v2/jobs", json={**request, "frames": "3-9"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "settings")


def test_a_running_job_is_cancelled_within_a_step(client, tmp_path, model):
    settings = Settings(model=str(model), steps=900, strength=1.0, coherence="off")
    job = synthetic.make_job(tmp_path / "long", settings=settings)
    posted = client.post("/v2/jobs", json={"path": str(job.path)})
    until(client, posted, lambda now: now["step"] >= 3)
    assert client.post(f"/v2/jobs/{posted.json()['id']}/cancel").status_code == 202
    now = until(client, posted, lambda now: now["state"] == "cancelled")
    assert now["frames_done"] == 0 and now["step"] < now["steps_total"]
    with job.result(now["result"]).lease(1, 4):
        pass


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"settings": {"strength": 2}}, "settings", "strength"),
        ({"settings": {"stepz": 2}}, "settings", "stepz"),
        ({"settings": {"style": "oil"}}, "settings", "ink, clay"),
        ({"settings": {"model": "/no/such/model"}}, "model", "/no/such/model"),
        ({"device": "abacus"}, "settings", "abacus"),
    ],
)
def test_bad_settings_are_refused_at_once_and_named(client, job, change, code, says):
    answer = client.post("/v2/jobs", json={"path": str(job.path), **change})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert says in answer.json()["error"]["message"]


def test_bad_jobs_are_refused_at_once_and_their_field_named(client, job):
    content = json.loads((job.path / "job.json").read_text())
    content["scene"]["width"] = "wide"
    (job.path / "job.json").write_text(json.dumps(content))
    answer = client.post("/v2/jobs", json={"path": str(job.path)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "job")
    assert "scene.width" in answer.json()["error"]["message"]


def test_frames_that_another_process_works_on(client, job):
    request = {"path": str(job.path), "frames": "1-2"}
    done = until(client, client.post("/v2/jobs", json=request), lambda now: now["state"] == "done")
    with job.result(done["result"]).lease(2, 3):
        failed = until(client, client.post("/v2/jobs", json=request), lambda now: now["state"] == "failed")
    assert failed["error"]["code"] == "job_locked" and "frames 2 to 3" in failed["error"]["message"]


@pytest.mark.slow
def test_a_failed_job_reports_why_and_the_server_continues(client, job):
    job.passes(3).write_bytes(b"no EXR")
    failed = until(client, client.post("/v2/jobs", json={"path": str(job.path)}), lambda now: now["state"] == "failed")
    assert failed["error"]["code"] == "media" and str(job.passes(3)) in failed["error"]["message"]
    assert client.get("/v2/status").status_code == 200
