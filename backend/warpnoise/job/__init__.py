"""The job folder: all that passes from Blender to the backend. ``docs/architecture.md`` describes its files."""

from warpnoise.job.digests import FrameDigests
from warpnoise.job.folder import FrameState, Job
from warpnoise.job.schema import SCHEMA_VERSION, Camera, FrameInfo, JobInfo, SceneInfo, Settings

__all__ = [
    "SCHEMA_VERSION",
    "Camera",
    "FrameDigests",
    "FrameInfo",
    "FrameState",
    "Job",
    "JobInfo",
    "SceneInfo",
    "Settings",
]
