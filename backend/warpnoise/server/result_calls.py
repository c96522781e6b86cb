"""The calls that fetch a job's result: its settings, its finished frames, and the movie."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from warpnoise.hashing import stream_sha256
from warpnoise.job import Result
from warpnoise.server.jobs import JobQueue

_BLOCK_BYTES = 1 << 18


def result_calls(queue: JobQueue) -> APIRouter:
    """Below ``/v2/jobs/{id}``."""
    router = APIRouter(prefix="/v2/jobs/{job_id}")

    def result_of(job_id: str) -> Result:
        result = queue.result(job_id)
        if result is None:
            raise HTTPException(404, f"Job {job_id} has no result yet.")
        return result

    @router.get("/settings", response_model=None)
    def get_settings(job_id: str) -> Response:
        try:
            content = result_of(job_id).settings_file.read_bytes()
        except FileNotFoundError:
            raise _unfinished("the result") from None
        return Response(content, media_type="application/json")

    @router.get("/frames/{frame}", response_model=None)
    def get_frame(job_id: str, frame: int, request: Request) -> Response:
        result = result_of(job_id)
        return _finished(result, result.frame(frame), "image/png", f"frame {frame}", request)

    @router.get("/movie", response_model=None)
    def get_movie(job_id: str, request: Request) -> Response:
        result = result_of(job_id)
        return _finished(result, result.movie, "video/mp4", "the movie", request)

    return router


def _finished(result: Result, path: Path, media_type: str, what: str, request: Request) -> Response:
    """A finished file. The entity tag is its record's digest of all inputs."""
    record = result.record(path)
    if record is None:
        raise _unfinished(what)
    tag = f'"{record.made_of}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    try:
        file = path.open("rb")  # a file that is replaced meanwhile is read to its end as it was
    except FileNotFoundError:
        raise _unfinished(what) from None
    if stream_sha256(file) != record.sha256:  # a new one that has no record yet
        file.close()
        raise _unfinished(what)
    headers = {
        "ETag": tag,
        "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(record.sha256)).decode()}:",
    }
    return StreamingResponse(_sent(file), media_type=media_type, headers=headers)


def _unfinished(what: str) -> HTTPException:
    return HTTPException(404, f"{what} is not finished.")


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while block := file.read(_BLOCK_BYTES):
            yield block
