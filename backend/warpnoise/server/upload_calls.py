"""The calls that send a job folder to the server, file by file. Each file is checked and may be sent again."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Request
from starlette.requests import ClientDisconnect

from warpnoise.errors import JobError
from warpnoise.job.schema import LARGEST_JOB_FILE, JobInfo
from warpnoise.media.json_file import parse_json
from warpnoise.server.schema import FileView, UploadView
from warpnoise.server.uploads import Uploads, name_of

SILENCE_SECONDS = 60.0
"""A client that sends nothing for so long in the middle of a file is given up."""
_BLOCK = 1 << 20
_T = TypeVar("_T")


def upload_calls(uploads: Uploads) -> APIRouter:
    """``/v2/uploads`` and what is below it."""
    router = APIRouter(prefix="/v2/uploads")

    @router.post("", status_code=201)
    def post_upload() -> UploadView:
        return UploadView(id=uploads.create().id, files={})

    router.get("/{upload_id}")(uploads.view)

    @router.delete("/{upload_id}")
    def delete_upload(upload_id: str) -> dict[str, str]:
        uploads.delete(upload_id)
        return {"id": upload_id, "state": "deleted"}

    @router.put("/{upload_id}/job.json", status_code=201)
    async def put_job_file(upload_id: str, request: Request) -> FileView:
        return await _receive(uploads, upload_id, "job.json", request)

    @router.put("/{upload_id}/{kind}/{frame}", status_code=201)
    async def put_frame(upload_id: str, kind: str, frame: str, request: Request) -> FileView:
        return await _receive(uploads, upload_id, name_of(kind, frame), request)

    return router


async def _receive(uploads: Uploads, upload_id: str, name: str, request: Request) -> FileView:
    """Write a request's body beside, and give it its name if it is whole. The disk's work is done in threads."""
    size, expected = _length(request), _digest(request)
    async with _in_thread(uploads.arriving(upload_id, name, size)) as (file, finish):
        digest, arrived = hashlib.sha256(), 0

        def take(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        try:
            async for block in _blocks(request):
                arrived += len(block)
                if arrived > size:
                    break
                await run_sync(take, block)
        except (ClientDisconnect, TimeoutError):
            raise HTTPException(400, f"{name}: the connection ended after {arrived} of {size} bytes.") from None
        if arrived != size:
            raise HTTPException(400, f"{name}: expected {size} bytes, got {arrived}.")
        if digest.digest() != expected:
            raise HTTPException(400, f"{name} was damaged in transit: its digest differs. Send it again.")
        if name == "job.json":
            await run_sync(_check_job_file, file)
        await run_sync(finish, digest.hexdigest())
    return FileView(size=size, sha256=digest.hexdigest())


def _check_job_file(file: IO[bytes]) -> None:
    """Raises JobError: it is not a job's description."""
    file.flush()
    where = "The job.json that was sent"
    data = Path(file.name).read_bytes()
    JobInfo.parse(parse_json(data, where, error=JobError, largest=LARGEST_JOB_FILE), where)


def _length(request: Request) -> int:
    text = request.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise HTTPException(411, "Expected the header `Content-Length: BYTES`.")
    return int(text)


def _digest(request: Request) -> bytes:
    """The body's SHA-256 as the header says it (RFC 9530, Digest Fields)."""
    match = re.search(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{44}):", request.headers.get("content-digest", ""))
    if match is None:
        raise HTTPException(400, "Expected the header `Content-Digest: sha-256=:BASE64:`.")
    try:
        return base64.b64decode(match[1], validate=True)
    except binascii.Error:
        raise HTTPException(400, "The header Content-Digest holds no base64.") from None


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a thread's while."""
    stream = request.stream()
    held = bytearray()
    while True:
        with anyio.fail_after(SILENCE_SECONDS):
            piece = await anext(stream, None)
        if piece is not None:
            held += piece
        if held and (piece is None or len(held) >= _BLOCK):
            yield bytes(held)
            held.clear()
        if piece is None:
            return


@contextlib.asynccontextmanager
async def _in_thread(manager: AbstractContextManager[_T]) -> AsyncIterator[_T]:
    """``manager``, entered and left in threads: it waits for the disk."""
    value = await run_sync(manager.__enter__)
    try:
        yield value
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await run_sync(manager.__exit__, type(error), error, error.__traceback__)
        raise
    await run_sync(manager.__exit__, None, None, None)
