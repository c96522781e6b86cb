"""The HTTP interface, version 1 (docs/architecture.md), over the standard library.

One connection a request: requests are rare, and a kept connection to a process that was killed fails strangely.
Nothing goes through a proxy: the backend is on this machine.
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from ..errors import BackendError, BackendHungError, JobError, SettingsError
from .locate import TOKEN_VARIABLE

REQUEST_SECONDS = 5.0
"""How long one answer may take. The backend computes in a thread of its own and answers at once."""
SUBMIT_SECONDS = 60.0
"""How long checking and queueing a job may take: the backend opens every frame's header for it."""
LARGEST_ANSWER = 16 * 2**20
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Unreachable(Exception):
    """Nobody listens, or the connection broke: the caller knows whether that means a dead process."""


class Client:
    """Calls the interface at ``host``:``port``. Raises Unreachable, BackendHungError, JobError and BackendError."""

    def __init__(self, host: str, port: int, token: str, request_seconds: float = REQUEST_SECONDS) -> None:
        self.host, self.port = host, port
        self._token = token
        self._request_seconds = request_seconds

    @classmethod
    def from_url(cls, url: str, token: str) -> Client:
        """A client of a backend that was started by hand, at ``http://127.0.0.1:PORT``.

        Raises:
            SettingsError: not such a URL.
        """
        try:
            parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingsError(
                f"the backend's URL {url!r} cannot be read ({error}): expected http://127.0.0.1:PORT"
            ) from None
        if parts.scheme != "http" or not host or not port:
            raise SettingsError(f"the backend's URL is {url!r}: expected http://127.0.0.1:PORT")
        if host not in LOOPBACK:
            raise SettingsError(
                f"the backend's URL {url!r} is on another machine: only this machine's (127.0.0.1, localhost, ::1) are "
                "spoken to, because jobs are passed as folders. For another one use an SSH tunnel and a shared folder"
            )
        return cls(host, port, token)

    def status(self) -> dict[str, Any]:
        """Version, device, memory, models."""
        return self._call("GET", "/v1/status")

    def submit(
        self, path: str, settings: dict[str, Any] | None, device: str | None, batch: int | None
    ) -> dict[str, Any]:
        """Start a job on a folder; ``settings`` replace those of job.json field by field."""
        body = {"path": path, "settings": settings, "device": device, "batch": batch}
        return self._call("POST", "/v1/jobs", body, SUBMIT_SECONDS)

    def job(self, job_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v1/jobs/{job_id}")

    def cancel(self, job_id: str) -> dict[str, Any]:
        return self._call("POST", f"/v1/jobs/{job_id}/cancel")

    def shutdown(self) -> None:
        self._call("POST", "/v1/shutdown")

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds or self._request_seconds)
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            content = response.read(LARGEST_ANSWER)
        except TimeoutError:
            raise BackendHungError(
                f"the backend at {self.host}:{self.port} did not answer within {seconds or self._request_seconds:g} s"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(str(error) or type(error).__name__) from None
        finally:
            connection.close()
        return self._answer(method, path, response.status, content)

    def _answer(self, method: str, path: str, status: int, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise BackendError(
                f"what answers at {self.host}:{self.port} is not a Warpnoise backend: "
                f"expected a JSON object for {method} {path}, got HTTP {status} and {content[:80]!r}"
            )
        if status < 400:
            return answer
        problem = answer.get("error")
        code, message = (problem.get("code"), problem.get("message")) if isinstance(problem, dict) else (None, None)
        if status == 401:
            raise BackendError(
                "the backend does not accept the token: one that was started by hand needs the same token here, "
                f"through the variable {TOKEN_VARIABLE} or the token file in the preferences"
            )
        raise JobError(str(message or f"HTTP {status} for {method} {path}"), str(code or "error"))
