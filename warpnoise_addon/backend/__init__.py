"""The backend process, seen from Blender: finds, starts, watches and talks to it. Imports no bpy.

    locate            finds the Python that has the backend; the address of one that someone else runs
    client            the HTTP interface of docs/architecture.md
    patience          time limits of a request
    answers           checks whether an answer has the interface's shape, and compatible versions
    connection        a Backend: a client, and its process (`warpnoise serve`) if we started it
    poll              one job, from its POST to its end
    remote            the same on a remote server, and fetches the result
    upload            sends the job folder
    picture_transfer  checks pictures that are received, and removes metadata from those that are sent

Every call has a time limit, and can be made from any thread.
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
