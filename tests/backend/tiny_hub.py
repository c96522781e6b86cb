"""A hub on the loopback that hands out folders as repositories, and can be told to do it badly."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """A folder as a repository. ``card``, ``gated`` and ``revision`` are what the hub says of it."""

    folder: Path
    card: dict[str, Any] = field(default_factory=lambda: {"license": "apache-2.0"})
    gated: bool = False
    revision: str = REVISION


class TinyHub:
    """``change``: what the API says passes through it. ``fault``: (name, content) of a file -> what is sent instead.
    ``asked``: each request for a file, with its Range."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.change: Callable[[dict[str, Any]], Any] = lambda info: info
        self.fault: Callable[[str, bytes], bytes] = lambda name, content: content
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub._answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A client that hangs up is no news.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path.split("?")[0]).strip("/")
        if path.startswith("api/models/"):
            name = "/".join(path.split("/")[2:4])
            if name not in self.repositories:
                self._send(request, 404, b"{}", {"X-Error-Code": "RepoNotFound"})
                return
            info = json.dumps(self.change(self._info(name))).encode()
            self._send(request, 200, info)
            return
        owner, name, _, _, *rest = path.split("/")
        self._send_file(request, self.repositories[f"{owner}/{name}"], "/".join(rest))

    def _info(self, name: str) -> dict[str, Any]:
        repository = self.repositories[name]
        files = []
        for file in sorted(repository.folder.rglob("*")):
            if file.is_file():
                data = file.read_bytes()
                entry: dict[str, Any] = {
                    "rfilename": file.relative_to(repository.folder).as_posix(),
                    "size": len(data),
                    "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
                }
                if file.suffix == ".safetensors":
                    entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
                files.append(entry)
        return {
            "id": name,
            "sha": repository.revision,
            "gated": "manual" if repository.gated else False,
            "cardData": repository.card,
            "siblings": files,
        }

    def _send_file(self, request: BaseHTTPRequestHandler, repository: Repository, name: str) -> None:
        if repository.gated:
            self._send(request, 403, b"", {"X-Error-Code": "GatedRepo"})
            return
        wanted = request.headers.get("Range")
        self.asked.append((name, wanted))
        content = (repository.folder / name).read_bytes()
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        headers = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        sent = self.fault(name, content)[begin:]
        size = len(content) - begin if len(sent) < len(content) - begin else len(sent)
        self._send(request, 206 if begin else 200, sent, headers, size)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        size: int | None = None,
    ) -> None:
        request.send_response(status)
        for key, value in {"Content-Length": str(len(body) if size is None else size), **(headers or {})}.items():
            request.send_header(key, value)
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = True
