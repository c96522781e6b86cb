"""Job folders over the network: what is taken, what is refused, what is found again, and the results."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from polling import poll
from warpnoise.errors import JobError
from warpnoise.job import Result
from warpnoise.server import upload_calls, uploads
from warpnoise.server.schema import UploadLimits
from warpnoise.server.uploads import name_of

TOKEN = "a-token-for-the-tests-0123456789"
JOB = {
    "schema": 2,
    "scene": {"frame_start": 1, "frame_end": 1, "width": 4, "height": 4},
    "frames": [{"frame": 1, "camera": None}],
}


@pytest.fixture
def spool(tmp_path) -> Path:
    return tmp_path / "spool"


def digest(data: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"}


def put(client: httpx.Client, upload: str, name: str, data: bytes, **headers: str) -> httpx.Response:
    return client.put(f"/v2/uploads/{upload}/{name}", content=data, headers=digest(data) | headers)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.json()["error"]["message"]
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def upload(uploading) -> str:
    return uploading.post("/v2/uploads").json()["id"]


def wait(client: httpx.Client, job: str, state: str) -> dict:
    return poll(lambda: client.get(f"/v2/jobs/{job}").json(), lambda now: now["state"] == state)


def test_the_status_lists_accepted_inputs(uploading):
    assert uploading.get("/v2/status").json()["uploads"] == {"largest_file": 4 << 30, "days": 7.0}


def test_without_a_spool_there_are_no_uploads(client, tmp_path):
    assert client.get("/v2/status").json()["uploads"] is None
    assert refusal(client.post("/v2/uploads")) == (404, "not_found")
    assert refusal(client.post("/v2/jobs", json={"upload": "0" * 32})) == (503, "server")


def test_nothing_is_accepted_without_the_token(running_uploads, upload, spool):
    with running_uploads.client("another-token-of-some-length") as stranger:
        for call, path in (
            ("POST", "/v2/uploads"),
            ("GET", f"/v2/uploads/{upload}"),
            ("PUT", f"/v2/uploads/{upload}/color/1"),
            ("DELETE", f"/v2/uploads/{upload}"),
        ):
            assert refusal(stranger.request(call, path)) == (401, "token")
    assert (spool / upload).is_dir()


@pytest.mark.slow
def test_files_arrive_under_names_made_here(uploading, upload, spool):
    sent = {"color/1": b"a picture", "passes/-3": b"passes" * 500_000, "job.json": json.dumps(JOB).encode()}
    for name, data in sent.items():
        answer = put(uploading, upload, name, data)
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    job = spool / upload / "job"
    names = {"color/0001.png": "color/1", "passes/-0003.exr": "passes/-3", "job.json": "job.json"}
    assert {name: (job / name).read_bytes() for name in names} == {name: sent[short] for name, short in names.items()}
    there = uploading.get(f"/v2/uploads/{upload}").json()
    assert set(there["files"]) == set(names) and there["job"] is None
    assert there["files"]["color/0001.png"]["sha256"] == hashlib.sha256(b"a picture").hexdigest()
    assert list((spool / upload / "incoming").iterdir()) == []


@pytest.mark.slow  # one server each
@pytest.mark.parametrize(
    "name",
    [
        "color/..",
        "..%2F..%2Fetc",
        "color/%2e%2e%2f1",
        "color/1.png",
        "color/1e3",
        "color/99999999",
        "color/1048575",
        "color/+1",
        "color/%00",
        "color/1/2",
        "stylized/1",
        "other.json",
    ],
)
def test_names_that_are_not_frames_are_refused(uploading, upload, spool, name):
    before = sorted(spool.rglob("*"))
    assert refusal(put(uploading, upload, name, b"x")) in ((404, "not_found"), (405, "method_not_allowed"))
    assert sorted(spool.rglob("*")) == before


@pytest.mark.parametrize("upload_id", ["0" * 32, "..", "%2e%2e", "incoming"])
def test_missing_uploads(uploading, upload_id):
    assert put(uploading, upload_id, "color/1", b"x").status_code == 404
    assert uploading.get(f"/v2/uploads/{upload_id}").status_code == 404
    assert uploading.delete(f"/v2/uploads/{upload_id}").status_code in (404, 405)


def test_a_file_with_another_digest_is_not_kept(uploading, upload, spool):
    put(uploading, upload, "color/1", b"old")
    answer = put(uploading, upload, "color/1", b"new", **digest(b"other"))
    assert refusal(answer) == (400, "upload") and "damaged" in answer.text
    assert (spool / upload / "job" / "color" / "0001.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Digest": ""}, 400),
        ({"Content-Digest": "md5=:AAAA:"}, 400),
        ({"Content-Digest": f"sha-256=:{'=' * 44}:"}, 400),
        ({"Content-Digest": f"sha-256=:{'A' * 43}=:"}, 400),
        ({"Content-Digest": f"sha-256=:A{'=' * 43}:"}, 400),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_headers_that_are_needed(uploading, upload, headers, status):
    content = iter([b"x"]) if "Transfer-Encoding" in headers else b"x"
    answer = uploading.put(f"/v2/uploads/{upload}/color/1", content=content, headers=digest(b"x") | headers)
    assert answer.status_code == status


def begin(port: int, upload: str, size: int, sent: bytes) -> socket.socket:
    """A connection that sends the beginning of a file."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    head = f"PUT /v2/uploads/{upload}/color/1 HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += f"Content-Length: {size}\r\nContent-Digest: {digest(sent)['Content-Digest']}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def settled(upload: str, spool: Path) -> bool:
    """Waits until nothing arrives any more."""
    return poll(lambda: not list((spool / upload / "incoming").iterdir()))


def test_a_body_that_is_cut_off_leaves_nothing(running_uploads, uploading, upload, spool):
    connection = begin(running_uploads.port, upload, 1000, b"x" * 10)
    connection.close()
    assert settled(upload, spool)
    assert uploading.get(f"/v2/uploads/{upload}").json()["files"] == {}
    assert not (spool / upload / "job" / "color" / "0001.png").exists()


def test_a_silent_client_is_disconnected(running_uploads, upload, spool, monkeypatch):
    monkeypatch.setattr(upload_calls, "SILENCE_SECONDS", 0.1)
    with begin(running_uploads.port, upload, 1000, b"x" * 10) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert settled(upload, spool)


@pytest.mark.slow
def test_one_file_is_sent_by_one_client_at_a_time(running_uploads, uploading, upload, spool):
    with begin(running_uploads.port, upload, 1000, b"x" * 10):
        poll(lambda: list((spool / upload / "incoming").iterdir()))
        assert refusal(put(uploading, upload, "color/1", b"x")) == (409, "job_locked")
        assert put(uploading, upload, "color/2", b"y").status_code == 201
        assert refusal(uploading.post("/v2/jobs", json={"upload": upload})) == (409, "job_locked")
        assert refusal(uploading.delete(f"/v2/uploads/{upload}")) == (409, "job_locked")
    assert settled(upload, spool)
    assert put(uploading, upload, "color/1", b"x").status_code == 201


@pytest.mark.slow
def test_many_clients_at_once(running_uploads, uploading, spool):
    ids = [uploading.post("/v2/uploads").json()["id"] for _ in range(4)]
    failures: list[str] = []

    def send(upload: str) -> None:
        with running_uploads.client() as client:
            for frame in range(8):
                answer = put(client, upload, f"color/{frame}", f"{upload} {frame}".encode() * 1000)
                if answer.status_code != 201:
                    failures.append(answer.text)

    threads = [threading.Thread(target=send, args=(upload,)) for upload in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    for upload in ids:
        assert len(uploading.get(f"/v2/uploads/{upload}").json()["files"]) == 8
        assert (spool / upload / "job" / "color" / "0007.png").read_bytes() == f"{upload} 7".encode() * 1000


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [(UploadLimits(largest_file=9), 413, "too_large"), (UploadLimits(total=19), 507, "disk_full")],
)
def test_limits(uploading, running_uploads, upload, limits, status, code):
    running_uploads.uploads.limits = limits
    assert put(uploading, upload, "color/1", b"x" * 9).status_code == 201
    assert refusal(put(uploading, upload, "color/2", b"x" * 11)) == (status, code)


def test_a_job_file_that_is_too_large(uploading, upload, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST_JOB_FILE", 9)
    assert refusal(put(uploading, upload, "job.json", b"x" * 10)) == (413, "too_large")


def test_a_full_disk(uploading, upload, spool, monkeypatch):
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda path: SimpleNamespace(free=uploads.FREE_BYTES))
    assert refusal(put(uploading, upload, "color/1", b"x")) == (507, "disk_full")


def test_a_disk_that_fills_while_a_file_arrives(uploading, upload, spool, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(uploads.os, "fsync", full)
    assert refusal(put(uploading, upload, "color/1", b"x")) == (507, "disk_full")
    assert list((spool / upload / "incoming").iterdir()) == []
    assert uploading.get(f"/v2/uploads/{upload}").json()["files"] == {}


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"schema": 2}', b'{"schema": 2, "scene": {}}', b"[" * 100_000])
def test_a_job_file_of_another_kind(uploading, upload, spool, data):
    assert refusal(put(uploading, upload, "job.json", data)) == (400, "job")
    assert not (spool / upload / "job" / "job.json").exists()


@pytest.mark.slow
def test_a_job_on_an_upload_keeps_its_files(running_uploads, uploading, upload, spool):
    put(uploading, upload, "color/1", b"x")
    job = uploading.post("/v2/jobs", json={"upload": upload}).json()
    wait(uploading, job["id"], "running")
    assert uploading.get(f"/v2/uploads/{upload}").json()["job"] == job["id"]
    assert refusal(put(uploading, upload, "color/1", b"y")) == (409, "job_locked")
    assert refusal(uploading.delete(f"/v2/uploads/{upload}")) == (409, "job_locked")
    running_uploads.works.made["job"].finish()
    wait(uploading, job["id"], "done")
    assert uploading.delete(f"/v2/uploads/{upload}").json() == {"id": upload, "state": "deleted"}
    assert not list(spool.glob(f"*{upload}*"))
    assert refusal(uploading.post("/v2/jobs", json={"upload": upload})) == (404, "not_found")


@pytest.mark.slow
def test_no_file_is_accepted_while_its_job_is_prepared(running_uploads, uploading, upload, spool):
    put(uploading, upload, "color/1", b"x")
    prepare, answers = running_uploads.works.__call__, []

    def prepare_slowly(request):
        with running_uploads.client() as other:
            answers.append(refusal(put(other, upload, "color/1", b"y")))
            answers.append(refusal(other.delete(f"/v2/uploads/{upload}")))
        return prepare(request)

    running_uploads.queue._prepare = prepare_slowly
    assert uploading.post("/v2/jobs", json={"upload": upload}).status_code == 201
    assert answers == [(409, "job_locked")] * 2
    assert (spool / upload / "job" / "color" / "0001.png").read_bytes() == b"x"


def test_a_job_that_is_refused_frees_its_upload(running_uploads, uploading, upload):
    def refuse(request):
        raise JobError("no job")

    running_uploads.queue._prepare = refuse
    assert refusal(uploading.post("/v2/jobs", json={"upload": upload})) == (400, "job")
    assert put(uploading, upload, "color/1", b"x").status_code == 201


def test_the_spool_is_not_named(running_uploads, uploading, upload, spool):
    """Neither in errors, nor in warnings, nor in a job."""

    def refuse(request):
        raise JobError(f"{request.path}/color/0001.png: expected 4 x 4 pixels. Look into {spool}, too.")

    prepare = running_uploads.queue._prepare
    running_uploads.queue._prepare = refuse
    answer = uploading.post("/v2/jobs", json={"upload": upload})
    assert answer.json()["error"]["message"] == "color/0001.png: expected 4 x 4 pixels. Look into , too."
    running_uploads.queue._prepare = prepare
    job = uploading.post("/v2/jobs", json={"upload": upload})
    assert str(spool) not in job.text
    running_uploads.works.made["job"].finish(JobError(f"{spool}/{upload}/job/passes/0001.exr is cut off"))
    failed = wait(uploading, job.json()["id"], "failed")
    assert failed["error"]["message"] == "passes/0001.exr is cut off"
    assert str(spool) not in json.dumps(failed)


def test_folders_of_the_servers_machine_are_refused(uploading, tmp_path):
    assert refusal(uploading.post("/v2/jobs", json={"path": str(tmp_path)})) == (403, "forbidden")
    assert refusal(uploading.post("/v2/jobs", json={"path": str(tmp_path), "upload": "x"})) == (422, "request")


@pytest.mark.slow
def test_results(running_uploads, uploading, upload, spool):
    job = uploading.post("/v2/jobs", json={"upload": upload}).json()["id"]
    wait(uploading, job, "running")
    result = Result(spool / upload / "job" / "results" / "ink-0")
    for folder in ("frames", "records"):
        (result.folder / folder).mkdir(parents=True)
    assert refusal(uploading.get(f"/v2/jobs/{job}/settings")) == (404, "not_found")
    result.settings_file.write_bytes(b"{}")
    assert uploading.get(f"/v2/jobs/{job}/settings").content == b"{}"
    for name, path, kind in (("frames/1", result.frame(1), "image/png"), ("movie", result.movie, "video/mp4")):
        address = f"/v2/jobs/{job}/{name}"
        path.write_bytes(b"new")
        assert refusal(uploading.get(address)) == (404, "not_found"), "it has no record"
        record = result.folder / "records" / f"{path.stem}.json"
        record.write_text(json.dumps({"made_of": "abc", "sha256": hashlib.sha256(b"old").hexdigest()}))
        assert refusal(uploading.get(address)) == (404, "not_found"), "its record is of another"
        record.write_text(json.dumps({"made_of": "abc", "sha256": hashlib.sha256(b"new").hexdigest()}))
        answer = uploading.get(address)
        told = {name: answer.headers[name] for name in ("ETag", "Content-Type", "Content-Digest")}
        assert told == {"ETag": '"abc"', "Content-Type": kind, **digest(b"new")}
        assert answer.content == b"new"
        assert uploading.get(address, headers={"If-None-Match": '"abc"'}).status_code == 304
        assert uploading.get(address, headers={"If-None-Match": '"old"'}).content == b"new"
    assert uploading.get(f"/v2/jobs/{job}/frames/..%2F1").status_code in (404, 422)
    assert refusal(uploading.get("/v2/jobs/none/frames/1")) == (404, "not_found")


@pytest.mark.parametrize(("frame", "name"), [("1", "color/0001.png"), ("-12345", "color/-12345.png")])
def test_names(frame, name):
    assert name_of("color", frame) == name
