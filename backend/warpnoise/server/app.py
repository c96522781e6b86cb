"""The calls of the HTTP interface, version 1, as a FastAPI application."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from warpnoise.errors import JobLockedError, ServerError, WarpnoiseError
from warpnoise.server.jobs import JobQueue
from warpnoise.server.schema import JobView, NewJob, Problem, StatusView
from warpnoise.server.tokens import matches


class RequireToken:
    """ASGI middleware: without the token nothing is read, parsed or told, not even which addresses exist."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        header = Headers(scope=scope).get("authorization")
        if matches(header.encode("latin-1") if header else None, self.token):
            await self.app(scope, receive, send)
            return
        answer = _problem(401, "token", "Expected the header `Authorization: Bearer TOKEN` with this server's token.")
        answer.headers["WWW-Authenticate"] = "Bearer"
        await answer(scope, receive, send)


def create_app(queue: JobQueue, token: str, status: Callable[[], StatusView], shutdown: Callable[[], None]) -> FastAPI:
    """The application. ``status`` answers ``GET /v1/status``; ``shutdown`` is called once it was asked for."""
    app = FastAPI(title="Warpnoise", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(RequireToken, token=token)
    _answer_errors_as_json(app)

    # The handlers are plain functions: FastAPI runs them in threads, so a slow disk holds up no other call.
    @app.get("/v1/status")
    def get_status() -> StatusView:
        return status()

    @app.post("/v1/jobs", status_code=201)
    def post_job(request: NewJob) -> JobView:
        return queue.submit(request)

    @app.get("/v1/jobs/{job_id}")
    def get_job(job_id: str) -> JobView:
        return _found(queue.get(job_id), job_id)

    @app.post("/v1/jobs/{job_id}/cancel", status_code=202)
    def cancel_job(job_id: str) -> JobView:
        return _found(queue.cancel(job_id), job_id)

    @app.post("/v1/shutdown", status_code=202)
    def post_shutdown() -> dict[str, str]:
        shutdown()
        return {"state": "shutting down"}

    return app


def _found(view: JobView | None, job_id: str) -> JobView:
    if view is None:
        raise HTTPException(
            404, f"There is no job {job_id} here. The server was started again since, or the job ended long ago."
        )
    return view


def _problem(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": Problem(code=code, message=message).model_dump()}, status_code=status)


def _answer_errors_as_json(app: FastAPI) -> None:
    @app.exception_handler(WarpnoiseError)
    def warpnoise_error(request: Request, error: WarpnoiseError) -> JSONResponse:
        status = 409 if isinstance(error, JobLockedError) else 503 if isinstance(error, ServerError) else 400
        return _problem(status, error.code, str(error))

    @app.exception_handler(RequestValidationError)
    def bad_request(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'][1:]) or 'body'}: {e['msg']}" for e in error.errors()
        )
        return _problem(422, "request", wrong)

    @app.exception_handler(StarletteHTTPException)
    def http_error(request: Request, error: StarletteHTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http")
        return _problem(error.status_code, code, str(error.detail))

    @app.exception_handler(Exception)
    def not_foreseen(request: Request, error: Exception) -> JSONResponse:
        return _problem(500, "internal", f"{type(error).__name__}: {error}")
