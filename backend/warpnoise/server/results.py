"""The calls that fetch a job's results: its frames as they are finished, and the movie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from warpnoise.job import Output, OutputName, frame_name
from warpnoise.job.digests import read_record

_BLOCK = 1 << 18


def result_calls(place_of: Callable[[str], tuple[Path, OutputName]]) -> APIRouter:
    """Below ``/v1/jobs/{id}``.

    Args:
        place_of: a job's folder, and where in it its frames go; raises HTTPException where there is no such job.
    """
    router = APIRouter(prefix="/v1/jobs/{job_id}")

    @router.get("/frames/{frame}", response_model=None)
    def get_frame(job_id: str, frame: int, request: Request) -> Response:
        output = Output.of(*place_of(job_id))
        record = output.records / f"{frame_name(frame)}.json"
        return _finished(output.picture(frame), record, "image/png", f"frame {frame}", request)

    @router.get("/movie", response_model=None)
    def get_movie(job_id: str, request: Request) -> Response:
        folder, output = place_of(job_id)
        if output != "stylized":
            raise _not_there("the movie")
        return _finished(folder / "stylized.mp4", folder / "records" / "movie.json", "video/mp4", "the movie", request)

    return router


def _finished(path: Path, record: Path, media_type: str, what: str, request: Request) -> Response:
    """A result that is finished, which its record tells. The entity tag is the digest of all that it was made of."""
    made_of = read_record(record)
    if made_of is None:
        raise _not_there(what)
    tag = f'"{made_of}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    try:
        file = path.open("rb")  # a file that is replaced meanwhile is read to its end as it was
    except FileNotFoundError:
        raise _not_there(what) from None
    # It may just have been replaced: the record is taken away before something new is written.
    if read_record(record) != made_of:
        file.close()
        raise _not_there(what)
    return _sent(file, media_type, tag)


def _not_there(what: str) -> HTTPException:
    return HTTPException(404, f"{what} is not finished.")


def _sent(file: IO[bytes], media_type: str, tag: str) -> Response:
    def blocks() -> Iterator[bytes]:
        with file:
            while block := file.read(_BLOCK):
                yield block

    size = os.fstat(file.fileno()).st_size
    headers = {"ETag": tag, "Content-Length": str(size)}
    return StreamingResponse(blocks(), media_type=media_type, headers=headers)
