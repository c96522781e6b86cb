"""The HTTP interface, version 2 (docs/architecture.md), over the standard library.

One connection a request: requests are rare or large, and a kept connection to a process that was killed fails
strangely. Nothing goes through a proxy, and no redirect is followed: the token is for one server.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any
from urllib.parse import quote

from ..bounded_json import BadJsonError, parse_json
from ..errors import BackendError, BackendHungError, JobError, JobFolderError
from ..messages import Message
from .address import Address
from .broken_pipe import broken_pipes_raise
from .locate import TOKEN_VARIABLE
from .patience import Patience, PatientConnection, PatientTlsConnection

REQUEST_SECONDS = 5.0
"""How long one answer may take. The backend computes in a thread of its own and answers at once."""
SUBMIT_SECONDS = 60.0
"""How long checking and queueing a job may take: the backend opens every frame's header for it."""
TRANSFER_SECONDS = 20.0
"""How long a file's transfer may stand still, and how long a server may take to put a file on its disk."""
SLOWEST_BYTES = 50_000
"""A second. A transfer that is slower over its whole length is given up."""
LARGEST_ANSWER = 16 * 2**20
_BLOCK = 1 << 18

Body = Iterator[bytes] | bytes | None


class Unreachable(Exception):
    """The connection broke. ``refused``: nobody listens there."""

    def __init__(self, message: str, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class NotModified(Exception):
    """What was asked for is what we have."""


@dataclass(frozen=True)
class Fetched:
    """What came with a file: its entity tag ("": none); and the SHA-256 of its bytes, in hexadecimal digits."""

    tag: str
    sha256: str


def content_digest(sha256: bytes) -> str:
    """A digest as the header ``Content-Digest`` gives it (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


class Client:
    """Calls the interface at ``address``. Raises Unreachable, BackendHungError, JobError and BackendError."""

    def __init__(self, address: Address, token: str, request_seconds: float = REQUEST_SECONDS) -> None:
        self.address = address
        self._token = token
        self._request_seconds = request_seconds
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._thread = threading.local()

    @contextlib.contextmanager
    def cancellable(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Calls of this thread in this block raise Cancelled within moments once ``cancelled()`` is true."""
        before, self._thread.cancelled = self._cancelled, cancelled
        try:
            yield
        finally:
            self._thread.cancelled = before

    @property
    def _cancelled(self) -> Callable[[], bool]:
        return getattr(self._thread, "cancelled", lambda: False)

    def status(self) -> dict[str, Any]:
        """Version, device, memory, models."""
        return self._call("GET", "/v2/status")

    def submit(
        self,
        folder: dict[str, str],
        settings: dict[str, Any] | None,
        device: str | None,
        batch: int | None,
        frames: str | None = None,
        preview: bool = False,
        memory: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Start a job on ``{"path": FOLDER}`` or ``{"upload": ID}``, or on those of its ``frames``, as in ``1-9:2,20``.

        ``settings`` replace those of job.json field by field. ``memory``: offload, quantize and tiling, if chosen.
        """
        body: dict[str, Any] = {**folder, "settings": settings, "device": device, "batch": batch, **memory}
        if frames is not None:
            body["frames"] = frames
        if preview:
            body["preview"] = True
        return self._call("POST", "/v2/jobs", body, SUBMIT_SECONDS)

    def job(self, job_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v2/jobs/{_name(job_id)}")

    def cancel(self, job_id: str) -> dict[str, Any]:
        return self._call("POST", f"/v2/jobs/{_name(job_id)}/cancel")

    def settings(self, job_id: str) -> dict[str, Any]:
        """What the job's result is made with: the content of its ``settings.json``."""
        return self._call("GET", f"/v2/jobs/{_name(job_id)}/settings")

    def check(self, settings: dict[str, Any]) -> dict[str, Any]:
        """``warnings`` about settings, and the ``model`` that they name. Opens no weights."""
        return self._call("POST", "/v2/check", {"settings": settings}, SUBMIT_SECONDS)

    def models(self) -> dict[str, Any]:
        """The models that are ``installed`` there, and those that are ``suggested``."""
        return self._call("GET", "/v2/models", seconds=SUBMIT_SECONDS)

    def offered_model(self, name: str) -> dict[str, Any]:
        """What a download from the hub would be: size, license, memory. Asks the hub."""
        owner, _, model = name.partition("/")
        return self._call("GET", f"/v2/models/hub/{_name(owner)}/{_name(model)}?online=true", seconds=SUBMIT_SECONDS)

    def remove_model(self, name: str) -> dict[str, Any]:
        """Delete a model that was downloaded."""
        owner, _, model = name.partition("/")
        return self._call("DELETE", f"/v2/models/hub/{_name(owner)}/{_name(model)}", seconds=SUBMIT_SECONDS)

    def start_download(self, name: str, license: str) -> dict[str, Any]:  # noqa: A002  the interface's word
        """``license``: the one that the user agreed to."""
        body = {"name": name, "license": license, "online": True}
        return self._call("POST", "/v2/downloads", body, SUBMIT_SECONDS)

    def download(self, download_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v2/downloads/{_name(download_id)}")

    def cancel_download(self, download_id: str) -> dict[str, Any]:
        return self._call("POST", f"/v2/downloads/{_name(download_id)}/cancel")

    def shutdown(self) -> None:
        self._call("POST", "/v2/shutdown")

    def new_upload(self) -> dict[str, Any]:
        """An empty job folder on the server."""
        return self._call("POST", "/v2/uploads")

    def upload(self, upload_id: str) -> dict[str, Any]:
        """What is there of an upload, and the job that works on it."""
        return self._call("GET", f"/v2/uploads/{_name(upload_id)}", seconds=SUBMIT_SECONDS)

    def delete_upload(self, upload_id: str) -> None:
        self._call("DELETE", f"/v2/uploads/{_name(upload_id)}", seconds=SUBMIT_SECONDS)

    def send(self, upload_id: str, name: str, size: int, sha256: bytes, blocks: Iterator[bytes]) -> None:
        """Send one file. ``name``: ``color/FRAME``, ``passes/FRAME`` or ``job.json``; ``blocks``: ``size`` bytes."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "Content-Digest": content_digest(sha256),
        }
        path = f"/v2/uploads/{_name(upload_id)}/{quote(name)}"
        with self._response("PUT", path, blocks, headers, _patience(size, self._cancelled)) as (response, _):
            self._answer("PUT", path, response.status, _whole(response))

    def fetch(
        self,
        path: str,
        target: IO[bytes],
        largest: int,
        have: str | None = None,
        cancelled: Callable[[], None] = lambda: None,
    ) -> Fetched:
        """Write what is at ``path`` to ``target``.

        Args:
            path: below ``/v2``.
            largest: bytes; more are an error before they are read.
            have: the entity tag of what we have.
            cancelled: called between blocks; may raise.

        Raises:
            NotModified: it is what we have.
            Unreachable: what came is not what the answer's digest says.
        """
        headers = {"If-None-Match": f'"{have}"'} if have else {}
        with self._response("GET", path, None, headers, _patience(0, self._cancelled)) as (response, patience):
            if response.status == 304 and have:
                raise NotModified
            if response.status != 200:
                self._answer("GET", path, response.status, _whole(response))
                raise self._foreign("GET", path, response.status, b"")
            left = response.length
            if left is None or left > largest:
                raise BackendError(
                    "{address} answers {path} with {left} bytes: expected at most {largest}",
                    address=self.address,
                    path=path,
                    left=left,
                    largest=largest,
                )
            patience.allow(TRANSFER_SECONDS + left / SLOWEST_BYTES)
            digest = hashlib.sha256()
            while left:
                cancelled()
                block = response.read(min(left, _BLOCK))
                if not block:
                    raise Unreachable(
                        Message("the connection ended {left} bytes before the end of {path}", left=left, path=path)
                    )
                try:
                    target.write(block)
                except OSError as error:
                    raise JobFolderError(
                        "the server's files cannot be saved: {reason}", reason=error.strerror
                    ) from None
                digest.update(block)
                left -= len(block)
            told = response.getheader("Content-Digest")
            if told and told != content_digest(digest.digest()):
                raise Unreachable(Message("{path} was changed in transit", path=path))
            return Fetched(str(response.getheader("ETag") or "").strip('"'), digest.hexdigest())

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float | None = None
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        seconds = seconds or self._request_seconds
        with self._response(method, path, data, headers, Patience(seconds, seconds, self._cancelled)) as (response, _):
            return self._answer(method, path, response.status, _whole(response))

    @contextlib.contextmanager
    def _response(
        self, method: str, path: str, body: Body, headers: dict[str, str], patience: Patience
    ) -> Iterator[tuple[http.client.HTTPResponse, Patience]]:
        """One request's answer, to be read inside of the block. What the connection raises is told in our words."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"} | headers
        host, port = self.address.host, self.address.port
        if self._tls is None:
            connection: http.client.HTTPConnection = PatientConnection(host, port, patience)
        else:
            connection = PatientTlsConnection(host, port, patience, self._tls)
        try:
            # A server that refuses a file may answer and close before it has all of it.
            with broken_pipes_raise(), contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self.address.prefix + path, body, headers)
            with connection.getresponse() as response:
                yield response, patience
        except TimeoutError:
            raise BackendHungError(
                "the backend at {address} did not answer within {seconds:g} s",
                address=self.address,
                seconds=patience.seconds,
            ) from None
        except ssl.SSLError as error:
            raise BackendError(_tls_trouble(self.address, error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                str(error) or type(error).__name__, refused=isinstance(error, ConnectionRefusedError)
            ) from None
        finally:
            connection.close()

    def _answer(self, method: str, path: str, status: int, content: bytes) -> dict[str, Any]:
        try:
            answer = parse_json(content, LARGEST_ANSWER)
        except BadJsonError:
            answer = None
        if not isinstance(answer, dict) or 300 <= status < 400:
            raise self._foreign(method, path, status, content)
        if status < 300:
            return answer
        problem = answer.get("error")
        code, message = (problem.get("code"), problem.get("message")) if isinstance(problem, dict) else (None, None)
        if status == 401:
            raise BackendError(
                "the backend does not accept the token: set the token of the running server in the variable "
                "{token_variable} or in the token file in the preferences",
                token_variable=TOKEN_VARIABLE,
            )
        raise JobError(str(message or f"HTTP {status} for {method} {path}"), str(code or "error"))

    def _foreign(self, method: str, path: str, status: int, content: bytes) -> BackendError:
        return BackendError(
            "the server at {address} is not a Warpnoise backend: expected a JSON object for {method} {path}, got "
            "HTTP {status} and {content!r}",
            address=self.address,
            method=method,
            path=path,
            status=status,
            content=content[:80],
        )


def _whole(response: http.client.HTTPResponse) -> bytes:
    content = response.read(LARGEST_ANSWER)
    if response.length:
        raise Unreachable(Message("the answer lacks {length} bytes, or is too long by as many", length=response.length))
    return content


def _patience(size: int, cancelled: Callable[[], bool]) -> Patience:
    """For a file of ``size`` bytes."""
    return Patience(2 * TRANSFER_SECONDS + size / SLOWEST_BYTES, TRANSFER_SECONDS, cancelled)


def _name(text: str) -> str:
    """A server's name for something, as one part of a path."""
    return quote(text, safe="")


def _tls_trouble(address: Address, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {address} is not accepted: {error.verify_message}. If it is your own, name the file "
            "of the authority that signed it in the variable SSL_CERT_FILE before Blender starts"
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return f"no encrypted connection to {address} ({reason}): if the server speaks plain HTTP, give http:// instead"
