"""A server elsewhere, in a thread: it takes uploads, "stylizes" by giving the colour frames back, and can misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from warpnoise_addon.backend.patience import broken_pipes_raise

TOKEN = "a-token-for-the-tests-0123456789"
MOVIE = b"\0\0\0\x18ftypisom"


class FakeServer:
    """``files``: what was sent, for each upload. ``frame``, when set, replaces what a frame's call answers."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.puts: list[str] = []
        self.jobs: dict[str, dict] = {}
        self.sent_jobs: list[dict] = []
        self.checked: list[dict] = []
        self.running: dict[str, str] = {}
        self.before: Callable[[str, str], tuple[int, str] | None] = lambda method, path: None
        """Asked before each call; an error's status and code to answer with, or None."""
        self.frame: Callable[[int], tuple[bytes, dict[str, str]]] | None = None
        self.movie: bytes | None = MOVIE
        self.uploads: dict | None = {"largest_file": 1 << 30, "days": 7}
        self.hold = threading.Event()
        """While it is clear, jobs stay running after the first frame."""
        self.hold.set()
        fake = self

        class Handler(_Handler):
            server_of = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        # Its connections' threads inherit this: the server is another program, whose signals are not Blender's.
        with broken_pipes_raise():
            self._server.serve_forever(0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def frames(self, upload: str) -> list[int]:
        return sorted(int(Path(name).stem) for name in self.files[upload] if name.startswith("color/"))

    def view(self, job_id: str) -> dict:
        job = self.jobs[job_id]
        frames = self.frames(job["upload"])
        if job["state"] == "running":
            job["done"] = min(job["done"] + 1, len(frames)) if self.hold.is_set() else 1
            job["state"] = "done" if job["done"] == len(frames) and self.hold.is_set() else "running"
        over = job["state"] != "running"
        if over:
            self.running.pop(job["upload"], None)
        return {
            "id": job_id, "path": "../../etc", "state": job["state"], "stage": "finished" if over else "stylizing",
            "frames_done": job["done"], "frames_total": len(frames), "frames_kept": 0, "step": 0, "steps_total": 1,
            "seconds_left": None, "seconds_since_progress": 0.0, "newest_frame": frames[job["done"] - 1],
            "result": "ink-00000000", "warnings": [], "error": None,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    server_of: FakeServer
    protocol_version = "HTTP/1.1"
    timeout = 10

    def log_message(self, *args: object) -> None:
        pass

    def handle_call(self) -> None:
        fake, path = self.server_of, self.path
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.problem(401, "token")
        if refusal := fake.before(self.command, path):
            return self.problem(*refusal)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = path.strip("/").split("/")[1:]
        if path == "/v2/status":
            return self.answer(status(fake.uploads))
        if path == "/v2/check":
            fake.checked.append(json.loads(body))
            model = fake.checked[-1]["settings"].get("model", "default")
            return self.answer({"warnings": []}) if model == "default" else self.problem(400, "model")
        if parts[0] == "uploads":
            return self.uploads(parts[1:], body)
        if path == "/v2/jobs":
            request = json.loads(body)
            job_id = f"job{len(fake.jobs)}"
            fake.sent_jobs.append(request)
            fake.jobs[job_id] = {"upload": request["upload"], "state": "running", "done": 0}
            fake.running[request["upload"]] = job_id
            return self.answer(fake.view(job_id), 201)
        if parts[-1] == "cancel":
            fake.jobs[parts[1]]["state"] = "cancelled"
            return self.answer(fake.view(parts[1]), 202)
        if len(parts) == 2:
            return self.answer(fake.view(parts[1]))
        return self.result(parts)

    do_GET = do_POST = do_PUT = do_DELETE = handle_call

    def uploads(self, parts: list[str], body: bytes) -> None:
        fake = self.server_of
        if not parts:
            fake.files[f"{len(fake.files):032x}"] = {}
            return self.answer({"id": list(fake.files)[-1], "files": {}}, 201)
        if parts[0] not in fake.files:
            return self.problem(404, "not_found")
        if self.command == "DELETE":
            del fake.files[parts[0]]
            return self.answer({})
        if self.command == "GET":
            files = {
                name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in fake.files[parts[0]].items()
            }
            return self.answer({"id": parts[0], "files": files, "job": fake.running.get(parts[0])})
        sent = self.headers["Content-Digest"].removeprefix("sha-256=:").removesuffix(":")
        assert base64.b64decode(sent) == hashlib.sha256(body).digest()
        name = parts[1]
        if len(parts) == 3:
            name = f"{parts[1]}/{int(parts[2]):04d}.{'png' if parts[1] == 'color' else 'exr'}"
        fake.puts.append(name)
        fake.files[parts[0]][name] = body
        return self.answer({}, 201)

    def result(self, parts: list[str]) -> None:
        fake = self.server_of
        if parts[-1] == "settings":
            settings = fake.sent_jobs[-1]["settings"] or {}
            return self.answer({"schema": 2, "settings": settings, "model": {"name": "default", "digest": "00"}})
        if parts[-1] == "movie":
            return self.problem(404, "not_found") if fake.movie is None else self.answer(fake.movie)
        frame = int(parts[-1])
        if fake.frame is not None:
            data, headers = fake.frame(frame)
            return self.answer(data, headers=headers)
        data = fake.files[fake.jobs[parts[1]]["upload"]][f"color/{frame:04d}.png"]
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        if self.headers.get("If-None-Match") == tag:
            return self.answer(b"", 304, {"ETag": tag})
        return self.answer(data, headers={"ETag": tag})

    def problem(self, status: int, code: str) -> None:
        self.close_connection = True
        self.answer({"error": {"code": code, "message": f"the fake server says {code}"}}, status)

    def answer(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def status(uploads: dict | None) -> dict:
    """The answer of ``GET /v2/status``."""
    return {
        "version": "0.1.0", "interface": 2, "job_schema": 2, "device": "cuda", "device_name": "a fake GPU",
        "memory_total": 8 * 2**30, "memory_free": 4 * 2**30, "uploads": uploads,
        "models": [{"name": "default", "styles": ["ink"], "prompt": False}],
    }  # fmt: skip
