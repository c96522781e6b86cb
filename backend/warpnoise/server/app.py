"""The calls of the HTTP interface, version 2, as a FastAPI application."""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

import warpnoise
from warpnoise.errors import HubError, JobError, JobLockedError, MediaError, ServerError, WarpnoiseError
from warpnoise.media.bounded import given_path
from warpnoise.media.json_file import parse_json
from warpnoise.sdedit.places import hugging_face_cache, models_folder
from warpnoise.server.jobs import JobQueue
from warpnoise.server.result_calls import result_calls
from warpnoise.server.schema import JobView, NewJob, Problem, StatusView
from warpnoise.server.tasks import UnknownTaskError
from warpnoise.server.tokens import matches
from warpnoise.server.upload_calls import upload_calls
from warpnoise.server.uploads import Uploads

log = logging.getLogger("warpnoise.server")

_CODES = {
    400: "upload",
    403: "forbidden",
    404: "not_found",
    408: "request",
    405: "method_not_allowed",
    411: "length_required",
    413: "too_large",
    422: "request",
    507: "disk_full",
}


class RequireToken:
    """ASGI middleware. Without the token, the server reads no request, and does not reveal which addresses exist."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or matches(Headers(scope=scope).get("authorization", ""), self.token):
            await self.app(scope, receive, send)
            return
        answer = _problem(401, "token", "Expected the header `Authorization: Bearer TOKEN` with this server's token.")
        answer.headers["WWW-Authenticate"] = "Bearer"
        await answer(scope, receive, send)


def create_app(
    queue: JobQueue,
    token: str,
    status: Callable[[], StatusView],
    shutdown: Callable[[], None],
    uploads: Uploads | None = None,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """The application.

    Args:
        status: answers ``GET /v2/status``.
        shutdown: is called when a client asks for it.
        uploads: clients send job folders, and the server works on no others. Clients then name no folder of this
            machine, and no answer shows one.
        routers: more calls.
    """
    answers = JSONResponse if uploads is None else without_paths(uploads.folder)
    app = FastAPI(title="Warpnoise", docs_url=None, redoc_url=None, openapi_url=None, default_response_class=answers)
    app.add_middleware(RequireToken, token=token)
    _answer_errors_as_json(app, answers)

    # The handlers are plain functions: FastAPI runs them in threads, so a slow disk holds up no other call.
    @app.get("/v2/status")
    def get_status() -> StatusView:
        return status().model_copy(update={"uploads": uploads and uploads.limits})

    @app.post("/v2/jobs", status_code=201)
    def post_job(request: Annotated[NewJob, Depends(body_of(NewJob))]) -> JobView:
        if uploads is None:
            if request.path is None:
                raise ServerError("This server takes no uploads. Send a `path`, or start the server with --uploads.")
            path = given_path(request.path, "the job folder", error=JobError)
            return queue.submit(request.model_copy(update={"path": str(path)}))
        if request.upload is None:
            raise HTTPException(403, "This server works only on uploaded job folders. Send an `upload`, not a `path`.")
        with uploads.for_job(request.upload) as folder:
            return queue.submit(request.model_copy(update={"path": str(folder), "upload": None}))

    app.get("/v2/jobs/{name}", response_model=JobView)(queue.get)
    app.post("/v2/jobs/{name}/cancel", status_code=202, response_model=JobView)(queue.cancel)

    @app.post("/v2/shutdown", status_code=202)
    def post_shutdown() -> dict[str, str]:
        shutdown()
        return {"state": "shutting down"}

    for router in (result_calls(queue), *routers):
        app.include_router(router)
    if uploads is not None:
        app.include_router(upload_calls(uploads))
    return app


def _problem(status: int, code: str, message: str, answers: type[JSONResponse] = JSONResponse) -> JSONResponse:
    return answers({"error": Problem(code=code, message=message).model_dump()}, status_code=status)


def _answer_errors_as_json(app: FastAPI, answers: type[JSONResponse]) -> None:
    problem = functools.partial(_problem, answers=answers)

    @app.exception_handler(WarpnoiseError)
    def warpnoise_error(request: Request, error: WarpnoiseError) -> JSONResponse:
        kinds = ((JobLockedError, 409), (UnknownTaskError, 404), (ServerError, 503))
        status = next((status for kind, status in kinds if isinstance(error, kind)), 400)
        if isinstance(error, HubError):
            status = {"busy": 409, "disk": 507, "hub": 502}.get(error.code, 400)
        return problem(status, error.code, str(error))

    @app.exception_handler(RequestValidationError)
    def bad_request(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'][1:]) or 'body'}: {e['msg']}" for e in error.errors()
        )
        return problem(422, "request", wrong)

    @app.exception_handler(StarletteHTTPException)
    def http_error(request: Request, error: StarletteHTTPException) -> JSONResponse:
        return problem(error.status_code, _CODES.get(error.status_code, "http"), str(error.detail))

    @app.exception_handler(Exception)
    def not_foreseen(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s: an unexpected error", request.method, request.url.path, exc_info=error)
        return problem(500, "internal", "The server had an unexpected error. Its log has the details.")


def without_paths(spool: Path) -> type[JSONResponse]:
    """A class of answers whose texts lack the server's own folders: uploads, models, caches, and the program.

    ``SPOOL/<id>/job/color/0001.png`` becomes ``color/0001.png``, and ``MODELS/ink/unet`` becomes ``ink/unet``.
    """
    job = rf"(?:{_in_json(spool)})[\\/]+[0-9a-f]{{32}}[\\/]+job"
    folders = (spool, models_folder(), hugging_face_cache(), Path(warpnoise.__file__).parent)
    hidden = re.compile("|".join(rf"(?:{place})(?:[\\/]+|\b)" for place in (job, *map(_in_json, folders))))

    class Answer(JSONResponse):
        def render(self, content: Any) -> bytes:
            return hidden.sub("", bytes(super().render(content)).decode()).encode()

    return Answer


def _in_json(folder: Path) -> str:
    """A pattern of a path in JSON, as it was given and as the system resolves it, the longer one first."""
    given = folder.expanduser().absolute()
    texts = {json.dumps(str(path), ensure_ascii=False)[1:-1] for path in (given, given.resolve())}
    return "|".join(sorted(map(re.escape, texts), key=len, reverse=True))


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
