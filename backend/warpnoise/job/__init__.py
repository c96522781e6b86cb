"""The job folder: a shot, which passes from Blender to the backend, and its results. See ``docs/architecture.md``."""

from warpnoise.job.frame_ranges import chunk_of, frame_name, frames_text, parse_frames, select_frames
from warpnoise.job.result import RESULTS, ModelInfo, Result, ResultInfo
from warpnoise.job.schema import SCHEMA_VERSION, Camera, FrameInfo, JobInfo, SceneInfo
from warpnoise.job.settings import Settings
from warpnoise.job.shot import FrameState, Shot

__all__ = [
    "RESULTS",
    "SCHEMA_VERSION",
    "Camera",
    "FrameInfo",
    "FrameState",
    "JobInfo",
    "ModelInfo",
    "Result",
    "ResultInfo",
    "SceneInfo",
    "Settings",
    "Shot",
    "chunk_of",
    "frame_name",
    "frames_text",
    "parse_frames",
    "select_frames",
]
