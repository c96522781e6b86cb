"""Reads JSON requests, with limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from warpnoise.errors import MediaError
from warpnoise.media.json_file import parse_json

LARGEST_BODY = 1 << 20
"""Bytes of a request in JSON; files are sent otherwise (`warpnoise.server.upload_calls`)."""
BODY_SECONDS = 30.0
"""How long such a body may take."""

_Body = TypeVar("_Body", bound=BaseModel)


def body_of(kind: type[_Body]) -> Callable[[Request], Awaitable[_Body]]:
    """The dependency that reads a request's body as ``kind``. It raises HTTPException and RequestValidationError."""

    async def read(request: Request) -> _Body:
        data = bytearray()
        try:
            with anyio.fail_after(BODY_SECONDS):
                async for block in request.stream():
                    data += block
                    if len(data) > LARGEST_BODY:
                        raise HTTPException(413, f"The request: expected at most {LARGEST_BODY} bytes.")
        except (TimeoutError, ClientDisconnect):
            raise HTTPException(408, f"The request was not whole after {len(data)} bytes.") from None
        try:
            return kind.model_validate(parse_json(bytes(data), "The request"))
        except MediaError as error:
            raise HTTPException(422, str(error)) from None
        except ValidationError as error:
            raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from None

    return read
