"""The HTTP interface, version 2 (docs/architecture.md), with the standard library.

Each request has its own connection: requests are rare or large, and a kept connection to a process that was killed
fails in odd ways. Proxies are not used and redirects are not followed, because the token is for one server.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..bounded_json import BadJsonError, parse_json
from ..child import never
from ..errors import BackendError, BackendHungError, JobError, Message, from_backend
from .locate import TOKEN_VARIABLE, Address
from .patience import Patience, broken_pipes_raise

REQUEST_SECONDS = 5.0
"""How long one answer may take. The backend computes in a separate thread and answers at once."""
WORK_SECONDS = 60.0
"""How long an answer that needs work may take: the backend opens every frame's header before it queues a job."""
TRANSFER_SECONDS = 20.0
"""How long a file's transfer may stand still, and how long a server may take to put a file on its disk."""
SLOWEST_BYTES = 50_000
"""A second. A transfer that is slower over its whole length is given up."""
LARGEST_ANSWER = 16 * 2**20
_BLOCK = 1 << 18

Body = Iterator[bytes] | bytes | None


class Unreachable(Exception):
    """The connection broke. ``refused``: no process listens at the address."""

    def __init__(self, message: str, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class NotModified(Exception):
    """The file has not changed since it was fetched."""


@dataclass(frozen=True)
class Fetched:
    """``tag``: the file's entity tag; "" if there is none. ``sha256``: of its bytes, in hexadecimal digits."""

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

    def call(
        self,
        method: str,
        *parts: str,
        query: str = "",
        body: dict[str, Any] | None = None,
        seconds: float | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> dict[str, Any]:
        """The answer of one call.

        Args:
            parts: of the path below ``/v2``, not quoted yet.
            seconds: how long it may take; None: as long as what the backend answers at once.
        """
        path = path_of(*parts) + query
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        seconds = seconds or self._request_seconds
        with self._response(method, path, data, headers, Patience(seconds, seconds, cancelled)) as response:
            return self._answer(method, path, response.status, _whole(response))

    def send(
        self,
        parts: tuple[str, ...],
        size: int,
        sha256: bytes,
        blocks: Iterator[bytes],
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """Send a file of ``size`` bytes to the path of ``parts``."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "Content-Digest": content_digest(sha256),
        }
        path, patience = path_of(*parts), _patience(size, cancelled)
        with self._response("PUT", path, blocks, headers, patience) as response:
            self._answer("PUT", path, response.status, _whole(response))

    def fetch(
        self,
        parts: tuple[str, ...],
        save: Callable[[bytes], object],
        largest: int,
        have: str | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Fetched:
        """Pass the file at the path of ``parts`` to ``save``, block by block.

        Args:
            largest: the largest size in bytes. A larger file is an error before it is read.
            have: the entity tag of the file that was fetched before.

        Raises:
            NotModified: the file still has the tag ``have``.
            Unreachable: the connection broke, or the bytes differ from the answer's digest.
            The exceptions of ``save``, except OSError, which counts as the connection's.
        """
        path, patience = path_of(*parts), _patience(0, cancelled)
        headers = {"If-None-Match": f'"{have}"'} if have else {}
        with self._response("GET", path, None, headers, patience) as response:
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
                block = response.read(min(left, _BLOCK))
                if not block:
                    raise Unreachable(
                        Message("the connection ended {left} bytes before the end of {path}", left=left, path=path)
                    )
                save(block)
                digest.update(block)
                left -= len(block)
            told = response.getheader("Content-Digest")
            if told and told != content_digest(digest.digest()):
                raise Unreachable(Message("{path} was changed in transit", path=path))
            return Fetched(str(response.getheader("ETag") or "").strip('"'), digest.hexdigest())

    @contextlib.contextmanager
    def _response(
        self, method: str, path: str, body: Body, headers: dict[str, str], patience: Patience
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to one request, read inside the block. Raises Unreachable, BackendHungError, BackendError."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"} | headers
        host, port = self.address.host, self.address.port
        connection: http.client.HTTPConnection = (
            http.client.HTTPConnection(host, port)
            if self._tls is None
            else http.client.HTTPSConnection(host, port, context=self._tls)
        )
        try:
            with patience.connected(connection):
                # A server that refuses a file may answer and close the connection before it has the whole file.
                with broken_pipes_raise(), contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, self.address.prefix + path, body, headers)
                with connection.getresponse() as response:
                    yield response
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
        told = str(message or f"HTTP {status} for {method} {path}")
        raise JobError(from_backend(told), str(code or "error"))

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


def path_of(*parts: str) -> str:
    """``/v2/PART/PART``: a server's names may hold anything."""
    return "/".join(["/v2", *(quote(part, safe="") for part in parts)])


def _tls_trouble(address: Address, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Message(
            "the certificate of {address} is not accepted: {reason}. If it is your own, name the file "
            "of the authority that signed it in the variable SSL_CERT_FILE before Blender starts",
            address=address,
            reason=error.verify_message,
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return Message(
        "no encrypted connection to {address} ({reason}): if the server speaks plain HTTP, give http:// instead",
        address=address,
        reason=reason,
    )
