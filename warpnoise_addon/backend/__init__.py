"""The backend process, seen from Blender: finding, starting, watching and talking to it. Imports no bpy.

    locate      which Python has the backend
    address     where one listens that somebody else runs
    process     one running `warpnoise serve`: start, readiness, death, end
    client      the HTTP interface of docs/architecture.md
    patience    a limit of silence and a deadline for each request
    answers     whether an answer has the interface's shape
    versions    whether this add-on and that backend fit
    connection  a Backend: a client, and its process where we started it
    poll        one job from its POST to its end
    remote      the same with a server elsewhere:
    upload        the job folder on its way there
    download      the result on its way back
    sent_picture  what of a picture is sent
    received_png  whether what came is a picture of the right size

Nothing in here blocks without a time limit, and everything may be called from any thread.
"""

from .answers import Job
from .connection import Backend, connect_backend, start_backend
from .locate import BackendCommand, find_backend
from .poll import JobRequest, run_job
from .remote import run_uploaded_job

__all__ = [
    "Backend",
    "BackendCommand",
    "Job",
    "JobRequest",
    "connect_backend",
    "find_backend",
    "run_job",
    "run_uploaded_job",
    "start_backend",
]
