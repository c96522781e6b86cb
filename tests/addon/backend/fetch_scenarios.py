"""What `test_kill_points` does in processes of its own: a job on a server elsewhere, whose result comes back."""

from __future__ import annotations

from pathlib import Path

from warpnoise_addon.backend import connect_backend, run_uploaded_job

from ..fake_server import TOKEN, FakeServer


def fetch_result(folder: Path) -> None:
    """Sends the job folder, runs it, and fetches its frames and movie."""
    server = FakeServer()
    try:
        backend = connect_backend(server.url, TOKEN)
        run_uploaded_job(backend, {"path": str(folder / "job"), "settings": {"strength": 0.5}})
    finally:
        server.close()
