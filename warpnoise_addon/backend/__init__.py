"""The backend process, seen from Blender: finding, starting, watching and talking to it. Imports no bpy.

    locate      which Python has the backend
    process     one running `warpnoise serve`: start, readiness, death, end
    client      the HTTP interface of docs/architecture.md
    versions    whether this add-on and that backend fit
    connection  a Backend: a client, and its process where we started it
    run         one job from its POST to its end

Nothing in here blocks without a time limit, and everything may be called from any thread.
"""

from .connection import Backend, connect_backend, start_backend
from .locate import BackendCommand, find_backend
from .run import JobRequest, JobView, run_job

__all__ = [
    "Backend",
    "BackendCommand",
    "JobRequest",
    "JobView",
    "connect_backend",
    "find_backend",
    "run_job",
    "start_backend",
]
