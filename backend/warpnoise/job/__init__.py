"""The job folder: all that passes from Blender to the backend. ``docs/architecture.md`` describes its files."""

from warpnoise.job.digests import FrameDigests
from warpnoise.job.names import frame_name
from warpnoise.job.results import KeptResult
from warpnoise.job.schema import SCHEMA_VERSION, Camera, FrameInfo, JobInfo, SceneInfo
from warpnoise.job.settings import Settings
from warpnoise.job.shot import FrameState, Output, OutputName, Shot
from warpnoise.job.subset import chunk_of, frames_between

__all__ = [
    "SCHEMA_VERSION",
    "Camera",
    "FrameDigests",
    "FrameInfo",
    "FrameState",
    "JobInfo",
    "KeptResult",
    "Output",
    "OutputName",
    "SceneInfo",
    "Settings",
    "Shot",
    "chunk_of",
    "frame_name",
    "frames_between",
]
