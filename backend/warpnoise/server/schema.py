"""Requests and answers of the HTTP interface, version 2 (docs/architecture.md)."""

from __future__ import annotations

import secrets
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from warpnoise.progress import Progress
from warpnoise.sdedit.memory_plan import MemoryOptions, Offload, Quantize, Tiling

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Body(BaseModel):
    """The body of a request. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ModelOptions(Body):
    """How a model uses the machine. The last three: `warpnoise.sdedit.memory_plan.MemoryOptions`."""

    device: str | None = None
    offload: Offload | None = None
    quantize: Quantize | None = None
    tiling: Tiling = "auto"

    @property
    def memory(self) -> MemoryOptions:
        return MemoryOptions(self.offload, self.quantize, self.tiling)


class NewJob(ModelOptions):
    """The body of ``POST /v2/jobs``."""

    path: str | None = Field(default=None, min_length=1)
    """A job folder of this machine; or ``upload``: one that was sent (see `warpnoise.server.uploads`)."""
    upload: str | None = None
    settings: dict[str, Any] | None = None
    """Replace those of job.json field by field, for this run."""
    batch: int | None = Field(default=None, ge=1)
    frames: str | None = Field(default=None, max_length=100_000)
    """Only these frames, as in ``1-9:2,20`` (`warpnoise.job.parse_frames`)."""
    preview: bool = False
    """No movie is made, and the result does not become the current one."""

    @model_validator(mode="after")
    def _one_folder(self) -> NewJob:
        if (self.path is None) == (self.upload is None):
            raise ValueError("expected either `path` or `upload`")
        return self


class SettingsToCheck(ModelOptions):
    """The body of ``POST /v2/check``. ``size``: width and height of the frames in pixels, if they are known."""

    settings: dict[str, Any]
    size: tuple[int, int] | None = None


class Problem(BaseModel):
    """An error: ``code`` is a WarpnoiseError's, or "request", "token", "not_found", "internal"."""

    code: str
    message: str


class TaskView(BaseModel):
    """The common fields of jobs and downloads."""

    id: str = Field(default_factory=lambda: secrets.token_hex(8))
    state: State
    error: Problem | None = None
    seconds_left: float | None = None


class JobView(TaskView, Progress):
    """A job, as every call that answers with one shows it."""

    path: str
    seconds_since_progress: float = 0.0


class DownloadView(TaskView):
    """A download, as every call that answers with one shows it; ``bytes_done`` counts what earlier tries left."""

    name: str
    bytes_done: int
    bytes_total: int
    file: str | None = None


class ModelView(BaseModel):
    name: str
    styles: list[str]
    prompt: bool
    takes: list[str] = []
    """Names of the settings that act with it."""


class FileView(BaseModel):
    """A file that was sent. ``sha256`` in hexadecimal."""

    size: int
    sha256: str


class UploadView(BaseModel):
    """A job folder that is sent: its files so far, and the job that is queued or running on it."""

    id: str
    files: dict[str, FileView]
    job: str | None = None


class UploadLimits(BaseModel):
    """An upload is deleted ``days`` after its last call. ``largest_file``, ``total``: in bytes, of one file and of all
    uploads together. Clients do not see the total."""

    days: float = 7.0
    total: int | None = Field(default=None, exclude=True)
    largest_file: int = 4 << 30  # a frame of 8K with forty 32-bit channels


class StatusView(BaseModel):
    """The answer of ``GET /v2/status``; memory in bytes. ``uploads``: null where job folders cannot be sent."""

    version: str
    interface: int
    job_schema: int
    device: str
    device_name: str
    memory_total: int
    memory_free: int
    memory: str = ""
    """What fits, for people."""
    torch: str = ""
    """PyTorch's version with its build, such as ``2.9.0+cpu``."""
    models: list[ModelView]
    uploads: UploadLimits | None = None
