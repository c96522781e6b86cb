"""A backend of the standard library that speaks docs/architecture.md's interface and misbehaves on demand.

    python fake_backend.py MODE serve --announce --exit-with-parent --port 0

Its jobs "stylize" by copying JOB/color/* to JOB/results/ink-00000000/frames/*, a frame at a time. MODE is one of MODES.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODES = {
    "good": "does what it should",
    "slow": "takes a second a frame, cancels at once",
    "old": "speaks an older interface",
    "new": "speaks a newer interface",
    "schema": "wants a newer job folder",
    "mute": "never says that it is ready",
    "broken": "ends before it is ready",
    "dies": "ends after the first frame",
    "hangs": "answers nothing any more after the first frame",
    "stalls": "answers, but its job makes no progress",
    "deaf": "does not stop a cancelled job",
    "fails": "the job fails after the first frame",
    "refuses": "does not take the job",
    "empty": "has no model of its own",
    "foreign": "answers with something that is not JSON",
}
MODE = sys.argv[1]
TOKEN = os.environ.get("WARPNOISE_TOKEN", "")
assert not TOKEN or TOKEN not in " ".join(sys.argv), "the token must not be in a command line"
SECONDS_A_FRAME = {"slow": 1.0, "deaf": 1.0}.get(MODE, 0.15)
RESULT = "ink-00000000"
JOBS: dict[str, dict] = {}
DOWNLOADS: dict[str, dict] = {}
INSTALLED = [
    {"name": "default", "title": "Default", "source": "default", "size": 9, "takes": ["strength"], "error": None},
    {"name": "/models/sd15", "title": "sd15", "source": "folder", "size": 4 * 10**9, "license": None,
     "takes": ["prompt", "strength", "loras"], "error": None},
    {"name": "/models/broken", "title": "broken", "source": "folder", "size": 5, "error": "It has no weights."},
    {"name": "/models/half.gguf", "title": "half", "source": "file", "size": 5, "error": "It lacks parts.",
     "error_code": "base", "base": "someone/turbo"},
]  # fmt: skip
SUGGESTED = {
    "name": "someone/turbo", "title": "Turbo", "description": "Quick.", "kind": "model", "family": "A Family",
    "size": 6_938_000_000, "memory": None, "license": "openrail++", "license_url": "https://example.org",
    "gated": False, "installed": False,
}  # fmt: skip
OFFER = {
    "kind": "controlnet", "family": "ControlNet for A Family", "license": "mit", "license_url": "https://example.org",
    "gated": False, "size": 8 * 10**9, "to_download": 8 * 10**9, "memory": 10**9, "free": 10**12, "installed": False,
}  # fmt: skip
CANCELLED: set[str] = set()
HANGING = threading.Event()


def new_job(path: str) -> dict:
    frames = sorted(p.name for p in (Path(path) / "color").glob("*.png"))
    return {
        "id": f"job{len(JOBS)}", "path": path, "state": "running", "stage": "loading", "frames_done": 0,
        "frames_total": len(frames), "frames_kept": 0, "step": 0, "steps_total": 2, "seconds_left": None,
        "seconds_since_progress": 0.0, "newest_frame": None, "result": None, "warnings": [], "error": None,
    }  # fmt: skip


def work(job: dict) -> None:
    folder = Path(job["path"])
    result = folder / "results" / RESULT
    for part in ("frames", "records", "leases"):
        (result / part).mkdir(parents=True, exist_ok=True)
    settings = json.loads((folder / "request.json").read_text())["settings"] or {}
    content = {"schema": 2, "settings": settings, "model": {"name": "default", "digest": "00"}}
    (result / "settings.json").write_text(json.dumps(content))
    (folder / "current.json").write_text(json.dumps({"result": RESULT}))
    job["result"] = RESULT
    job["stage"] = "stylizing"
    for source in sorted((folder / "color").glob("*.png")):
        for _ in range(10):
            time.sleep(SECONDS_A_FRAME / 10)
            if job["id"] in CANCELLED and MODE != "deaf":
                job["state"] = "cancelled"
                return
        shutil.copy(source, result / f"{source.name}.part")
        (result / f"{source.name}.part").replace(result / "frames" / source.name)
        job["frames_done"] += 1
        job["newest_frame"] = int(source.stem)
        job["seconds_left"] = (job["frames_total"] - job["frames_done"]) * SECONDS_A_FRAME
        if MODE == "dies":
            print(f"the fake device is on fire, and says its token {TOKEN}", file=sys.stderr, flush=True)
            os._exit(70)
        if MODE == "hangs":
            HANGING.set()
        if MODE == "stalls":
            job["seconds_since_progress"] = 1e6
            return
        if MODE == "fails":
            job.update(state="failed", error={"code": "model", "message": "the weights are sour"})
            return
    job.update(state="done", stage="finished", seconds_left=0.0)
    if MODE == "good":
        job["warnings"].append("a warning of the fake backend")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_call()

    do_POST = do_DELETE = do_GET

    def handle_call(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if HANGING.is_set():
            time.sleep(3600)
        if MODE == "foreign":
            self.answer(200, b"<html>a router's login page</html>")
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.problem(401, "token", "wrong token")
        elif self.path == "/v2/status":
            self.answer(200, status())
        elif self.path == "/v2/check":
            self.check(json.loads(body)["settings"].get("model", "default"))
        elif self.path == "/v2/models/base":
            self.set_base(**json.loads(body))
        elif self.path == "/v2/models":
            self.answer(200, {"installed": INSTALLED, "suggested": [SUGGESTED]})
        elif self.path.endswith("?online=true"):
            self.answer(200, OFFER | {"name": "/".join(self.path.partition("?")[0].split("/")[4:])})
        elif self.path.startswith("/v2/models/hub/"):
            INSTALLED[:] = [model for model in INSTALLED if model["source"] != "hub"]
            self.answer(200, {"removed": SUGGESTED["name"]})
        elif self.path.startswith("/v2/downloads"):
            self.download(json.loads(body or b"{}"))
        elif self.path == "/v2/jobs":
            self.submit(json.loads(body))
        elif self.path.endswith("/cancel"):
            CANCELLED.add(self.path.split("/")[3])
            self.answer(202, JOBS[self.path.split("/")[3]])
        elif self.path == "/v2/shutdown":
            self.answer(202, {})
            os._exit(0)
        elif self.path.split("/")[-1] in JOBS:
            self.answer(200, JOBS[self.path.split("/")[-1]])
        else:
            self.problem(404, "not_found", self.path)

    def check(self, model: str) -> None:
        if MODE == "empty" if model == "default" else not Path(model).exists():
            return self.problem(400, "model", f"model {model}: there is no such folder")
        return self.answer(200, {"warnings": []})

    def set_base(self, model: str, base: str) -> None:
        entry = next(entry for entry in INSTALLED if entry["name"] == model)
        if base != SUGGESTED["name"]:
            return self.problem(400, "model", f"base {base}: there is no such folder")
        del entry["error_code"]
        entry["error"] = None
        return self.answer(200, entry)

    def download(self, request: dict) -> None:
        """Each time that it is asked for a quarter more has come; a slow one stays at half."""
        words = self.path.split("/")
        if len(words) == 3:
            if request["license"] not in ("openrail++", "mit") or not request["online"]:
                return self.problem(400, "license", "Read its license and agree to it first.")
            DOWNLOADS["1"] = {"id": "1", "name": request["name"], "state": "running", "bytes_done": 0,
                              "bytes_total": 8 * 10**9, "seconds_left": None, "error": None}  # fmt: skip
            return self.answer(201, DOWNLOADS["1"])
        now = DOWNLOADS[words[3]]
        limit = 4 * 10**9 if now["name"].endswith("slow") else 8 * 10**9
        now["bytes_done"] = min(now["bytes_done"] + 2 * 10**9, limit)
        if words[-1] == "cancel":
            now["state"] = "cancelled"
        elif now["bytes_done"] == now["bytes_total"]:
            now["state"] = "done"
            INSTALLED.append(SUGGESTED | {"source": "hub"})
        return self.answer(200, now)

    def submit(self, request: dict) -> None:
        if MODE == "refuses":
            return self.problem(400, "settings", "strength: expected (0, 1], got 2.0")
        if not (Path(request["path"]) / "job.json").is_file():
            return self.problem(400, "job", f"{request['path']} holds no job.json")
        job = new_job(request["path"])
        JOBS[job["id"]] = job
        (Path(request["path"]) / "request.json").write_text(json.dumps(request), encoding="utf-8")
        threading.Thread(target=work, args=(job,), daemon=True).start()
        return self.answer(201, job)

    def problem(self, code: int, kind: str, message: str) -> None:
        self.answer(code, {"error": {"code": kind, "message": message}})

    def answer(self, code: int, content: object) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def interface() -> int:
    return {"old": 1, "new": 3}.get(MODE, 2)


def status() -> dict:
    models = [{"name": "default", "styles": ["ink", "pastel"], "prompt": False}] if MODE != "empty" else []
    return {
        "version": "0.1.0", "interface": interface(), "job_schema": 3 if MODE == "schema" else 2, "device": "cpu",
        "device_name": "a fake device", "memory_total": 8 * 2**30, "memory_free": 4 * 2**30, "models": models,
        "torch": "2.9.0+cpu",
    }  # fmt: skip


def ingest() -> None:
    """Existing frames, by the last digits of their names, as they are."""
    folders: dict[str, Path] = {}
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, object] = {}
        if "check" in request:
            folders = {
                kind: Path(request["check"][kind]["folder"]) for kind in ("color", "passes") if request["check"][kind]
            }
            missing = [folder for folder in folders.values() if not folder.is_dir()]
            answer = (
                {"error": f"There is no folder '{missing[0]}'."} if missing else {"alpha": False, "scene_linear": False}
            )
        else:
            kind = "color" if "color" in request else "passes"
            shutil.copy(next(folders[kind].glob(f"*{request[kind]:04d}.*")), request["target"])
            answer = {"scene_linear": None}
        print(json.dumps(answer), flush=True)


def main() -> None:
    if sys.argv[-1] == "ingest":
        return ingest()
    if MODE == "broken":
        print("ImportError: libtorch_cpu.so is missing", file=sys.stderr)
        raise SystemExit(1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("some library's greeting", flush=True)
    if MODE != "mute":
        line = {"warpnoise": "0.1.0", "interface": interface(), "host": "127.0.0.1", "port": server.server_address[1]}
        print(json.dumps(line), flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
