"""The calls that fetch a job's results: its frames as they are finished, and the movie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from warpnoise.job.digests import FrameDigests
from warpnoise.job.folder import frame_name

_BLOCK = 1 << 18


def result_calls(folder_of: Callable[[str], Path]) -> APIRouter:
    """Below ``/v1/jobs/{id}``. ``folder_of``: a job's folder; raises HTTPException where there is no such job."""
    router = APIRouter(prefix="/v1/jobs/{job_id}")

    @router.get("/frames/{frame}", response_model=None)
    def get_frame(job_id: str, frame: int, request: Request) -> Response:
        """A finished frame as a PNG. Its entity tag is the digest of all that it was made of."""
        stylized = folder_of(job_id) / "stylized"
        made_of = FrameDigests(stylized / "frames.json").get(frame)
        if made_of is None:
            raise _not_there(f"frame {frame}")
        tag = f'"{made_of}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        file = _opened(stylized / f"{frame_name(frame)}.png", f"frame {frame}")
        # It may just have been replaced: the record is taken away before a new picture is written.
        if FrameDigests(stylized / "frames.json").get(frame) != made_of:
            file.close()
            raise _not_there(f"frame {frame}")
        return _sent(file, "image/png", {"ETag": tag})

    @router.get("/movie", response_model=None)
    def get_movie(job_id: str) -> Response:
        return _sent(_opened(folder_of(job_id) / "stylized.mp4", "the movie"), "video/mp4", {})

    return router


def _opened(path: Path, what: str) -> IO[bytes]:
    try:
        return path.open("rb")  # a file that is replaced meanwhile is read to its end as it was
    except FileNotFoundError:
        raise _not_there(what) from None


def _not_there(what: str) -> HTTPException:
    return HTTPException(404, f"{what} is not finished.")


def _sent(file: IO[bytes], media_type: str, headers: dict[str, str]) -> Response:
    def blocks() -> Iterator[bytes]:
        with file:
            while block := file.read(_BLOCK):
                yield block

    size = os.fstat(file.fileno()).st_size
    return StreamingResponse(blocks(), media_type=media_type, headers={**headers, "Content-Length": str(size)})
