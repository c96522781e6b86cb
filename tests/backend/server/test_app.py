"""The HTTP interface against a real server: every call, every refusal, and jobs from queue to end."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest
from polling import poll
from warpnoise.errors import ModelError
from warpnoise.server import jobs
from warpnoise.server.schema import NewJob

from .conftest import TOKEN
from .held_work import HeldWork

JOB_FIELDS = {
    "id",
    "path",
    "state",
    "stage",
    "frames_done",
    "frames_total",
    "frames_kept",
    "step",
    "steps_total",
    "seconds_left",
    "seconds_since_progress",
    "newest_frame",
    "result",
    "warnings",
    "error",
}


def folder(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path / name


def submit(client: httpx.Client, path: Path) -> dict:
    answer = client.post("/v2/jobs", json={"path": str(path)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait(client: httpx.Client, job: dict, **expected: object) -> dict:
    """Ask for a job until its fields are as expected."""
    return poll(
        lambda: client.get(f"/v2/jobs/{job['id']}").json(),
        lambda now: all(now[name] == value for name, value in expected.items()),
    )


def problem(answer: httpx.Response) -> tuple[int, str]:
    content = answer.json()
    assert set(content) == {"error"} and set(content["error"]) == {"code", "message"}, content
    assert content["error"]["message"]
    return answer.status_code, content["error"]["code"]


def test_status(client):
    answer = client.get("/v2/status")
    assert answer.status_code == 200
    assert answer.json() == {
        "version": "0.1.0",
        "interface": 2,
        "job_schema": 2,
        "device": "cpu",
        "device_name": "a CPU",
        "memory_total": 2,
        "memory_free": 1,
        "memory": "what fits",
        "torch": "",
        "models": [],
        "uploads": None,
    }


@pytest.mark.slow  # one server each
@pytest.mark.parametrize("token", [None, "wrong", "a-token-for-the-tests-012345678", "ünïcode-" * 4])
@pytest.mark.parametrize("call", [("GET", "/v2/status"), ("POST", "/v2/shutdown"), ("GET", "/no/such/address")])
def test_nothing_is_revealed_without_the_token(running, token, call):
    with running.client(None) as client:
        headers = [] if token is None else [(b"Authorization", f"Bearer {token}".encode("latin-1"))]
        answer = client.request(*call, headers=headers)
    assert problem(answer) == (401, "token")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert running.shutdowns == 0


def test_the_token_is_needed_before_the_body_is_read(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as client:
        client.sendall(b"POST /v2/jobs HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000000\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 401 ")


def test_another_scheme_is_refused(running):
    with running.client(None) as client:
        answer = client.get("/v2/status", headers={"Authorization": "Basic a-token-for-the-tests-0123456789"})
    assert problem(answer) == (401, "token")


def test_a_job_from_queue_to_end(running, client, tmp_path):
    job = submit(client, folder(tmp_path, "one"))
    assert set(job) == JOB_FIELDS
    assert job["path"] == str(tmp_path / "one") and job["frames_total"] == 4
    assert wait(client, job, state="running", stage="stylizing")["step"] == 0
    work, before = running.works.made["one"], time.monotonic()
    work.step()
    now = wait(client, job, step=1)
    assert (now["frames_done"], now["newest_frame"], now["seconds_left"], now["steps_total"]) == (1, 1, 9.0, 10)
    assert now["seconds_since_progress"] <= time.monotonic() - before
    work.finish()
    now = wait(client, job, state="done")
    assert (now["error"], now["seconds_left"]) == (None, 0.0)


def test_seconds_since_progress_grow_while_nothing_moves(client, tmp_path):
    job = submit(client, folder(tmp_path, "one"))
    first = wait(client, job, state="running")["seconds_since_progress"]
    time.sleep(0.1)
    assert client.get(f"/v2/jobs/{job['id']}").json()["seconds_since_progress"] >= first + 0.1


@pytest.mark.slow
def test_the_second_job_waits_for_the_first(running, client, tmp_path):
    first = submit(client, folder(tmp_path, "one"))
    wait(client, first, state="running")
    second = submit(client, folder(tmp_path, "two"))
    third = submit(client, folder(tmp_path, "three"))
    assert not running.works.made["two"].started.wait(0.1)
    assert second["state"] == "queued"
    running.works.made["one"].finish()
    wait(client, second, state="running")
    assert client.get(f"/v2/jobs/{third['id']}").json()["state"] == "queued"


def test_one_folder_cannot_be_worked_on_twice(running, client, tmp_path):
    first = submit(client, folder(tmp_path, "one"))
    again = client.post("/v2/jobs", json={"path": str(tmp_path / "x" / ".." / "one")})
    assert problem(again) == (409, "job_locked")
    assert first["id"] in again.json()["error"]["message"]
    running.works.made["one"].finish()
    wait(client, first, state="done")
    submit(client, tmp_path / "one")


def test_cancelling_a_running_job(client, tmp_path):
    job = submit(client, folder(tmp_path, "one"))
    wait(client, job, state="running")
    answer = client.post(f"/v2/jobs/{job['id']}/cancel")
    assert answer.status_code == 202 and set(answer.json()) == JOB_FIELDS
    now = wait(client, job, state="cancelled")
    assert now["error"] is None and now["seconds_left"] is None


@pytest.mark.slow
def test_cancelling_a_queued_job_leaves_the_running_one(running, client, tmp_path):
    first = submit(client, folder(tmp_path, "one"))
    second = submit(client, folder(tmp_path, "two"))
    assert client.post(f"/v2/jobs/{second['id']}/cancel").json()["state"] == "cancelled"
    assert wait(client, first, state="running")
    running.works.made["one"].finish()
    wait(client, first, state="done")
    assert not running.works.made["two"].started.is_set()


def test_cancelling_a_finished_job_changes_nothing(running, client, tmp_path):
    job = submit(client, folder(tmp_path, "one"))
    running.works.made["one"].finish()
    wait(client, job, state="done")
    answer = client.post(f"/v2/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "done")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ModelError("No model there."), "model", "No model there."),
        (ZeroDivisionError("by zero"), "internal", "by zero"),
    ],
)
def test_a_failure_is_reported_and_the_next_job_runs(running, client, tmp_path, error, code, says):
    first, second = submit(client, folder(tmp_path, "one")), submit(client, folder(tmp_path, "two"))
    running.works.made["one"].finish(error)
    now = wait(client, first, state="failed")
    assert now["error"]["code"] == code and says in now["error"]["message"]
    wait(client, second, state="running")


@pytest.mark.slow  # one server each
@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, "body"),
        ({"upload": 3}, "upload"),
        ({"path": 3}, "path"),
        ({"path": ""}, "path"),
        ({"path": "x", "batch": 0}, "batch"),
        ({"path": "x", "settings": []}, "settings"),
        ({"path": "x", "sttings": {}}, "sttings"),
    ],
)
def test_a_request_of_the_wrong_form_names_its_field(client, body, names):
    answer = client.post("/v2/jobs", json=body)
    assert problem(answer) == (422, "request")
    assert answer.json()["error"]["message"].startswith(f"{names}: ")


def test_text_that_is_not_json_is_refused(client):
    answer = client.post("/v2/jobs", content=b"{", headers={"Content-Type": "application/json"})
    assert problem(answer) == (422, "request")


def test_a_missing_folder(client, tmp_path):
    answer = client.post("/v2/jobs", json={"path": str(tmp_path / "nowhere")})
    assert problem(answer) == (400, "job")
    assert "nowhere" in answer.json()["error"]["message"]


def test_unknown_jobs_and_addresses(client):
    assert problem(client.get("/v2/jobs/0000")) == (404, "not_found")
    assert problem(client.post("/v2/jobs/0000/cancel")) == (404, "not_found")
    assert problem(client.get("/v1/status")) == (404, "not_found")
    assert problem(client.get("/v2/shutdown")) == (405, "method_not_allowed")


def test_shutdown_is_handed_on(running, client):
    assert client.post("/v2/shutdown").status_code == 202
    assert running.shutdowns == 1


def test_hung_clients_do_not_block_others(running, client, tmp_path):
    hung = [socket.create_connection(("127.0.0.1", running.port), timeout=5) for _ in range(20)]
    try:
        for connection in hung[10:]:
            connection.sendall(b"POST /v2/jobs HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer ")
        job = submit(client, folder(tmp_path, "one"))
        wait(client, job, state="running")
    finally:
        for connection in hung:
            connection.close()


@pytest.mark.slow
def test_old_jobs_are_forgotten(running, client, tmp_path, monkeypatch):
    monkeypatch.setattr(running.queue, "remembered", 2)
    ended = []
    for name in ("one", "two", "three", "four"):
        ended.append(submit(client, folder(tmp_path, name)))
        running.works.made[name].finish()
        wait(client, ended[-1], state="done")
    assert problem(client.get(f"/v2/jobs/{ended[0]['id']}")) == (404, "not_found")
    assert client.get(f"/v2/jobs/{ended[-1]['id']}").status_code == 200


def test_a_closed_queue_takes_no_job(running, client, tmp_path):
    job = submit(client, folder(tmp_path, "one"))
    assert running.queue.close(5)
    assert client.get(f"/v2/jobs/{job['id']}").json()["state"] == "cancelled"
    assert problem(client.post("/v2/jobs", json={"path": str(folder(tmp_path, "two"))})) == (503, "server")


def test_closing_does_not_wait_for_work_that_does_not_listen(tmp_path):
    class Deaf(HeldWork):
        def run(self, report, cancelled):
            super().run(report, lambda: False)

    work = Deaf("deaf")
    queue = jobs.JobQueue(lambda request: work)
    queue.submit(NewJob(path=str(tmp_path)))
    assert work.started.wait(5)
    assert not queue.close(0.1)
    work.finish()
    assert queue.close(5)


@pytest.mark.slow  # one server each
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"path": "\xff"}', "unicode"),
        (b'{"path": "/x", "settings": {"prompt": "\\ud800"}}', "hex escape"),
        (b'{"path": "/x", "settings": {"strength": 1e999}}', "too large"),
        (b"[]", "body"),
        (b'{"path": "/x", "batch": 0}', "batch"),
    ],
)
def test_bodies_that_are_not_a_job(client, body, said):
    answer = client.post("/v2/jobs", content=body)
    assert problem(answer) == (422, "request")
    assert said in answer.json()["error"]["message"]


def test_a_body_is_not_believed_to_be_small(client):
    answer = client.post("/v2/jobs", content=b'{"path": "' + b"x" * 2**21 + b'"}')
    assert problem(answer) == (413, "too_large")


def test_a_body_without_end(running):
    """It is refused while it is being sent, whatever it says of its length."""
    head = f"POST /v2/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as connection:
        connection.sendall(head.encode())
        for _ in range(20):
            connection.sendall(b"20000\r\n" + b" " * 0x20000 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["a\0b", "~nosuchuser/x", "x" * 300, "x/" * 5000])
def test_paths_that_no_system_has(client, path):
    answer = client.post("/v2/jobs", json={"path": path})
    assert problem(answer) == (400, "job")
    assert "cannot be the job folder" in answer.json()["error"]["message"]


def test_an_unexpected_error_reveals_no_internals(running, client, tmp_path):
    def fail(request):
        raise KeyError("/home/somebody/secret")

    running.queue._prepare = fail
    answer = client.post("/v2/jobs", json={"path": str(tmp_path)})
    assert problem(answer) == (500, "internal")
    assert "secret" not in answer.text and "Error" not in answer.json()["error"]["message"]
