"""A shot from its passes to its stylized frames, or only to its noise.

A frame passes through ``read`` (picture, passes, motion), ``carry`` (the noise) and ``edit`` (the model). ``stylize``
connects these three and the writing with ``work_queues``, and ``made_of`` finds the unfinished frames. With coherence,
``plan`` chooses key frames, and ``segments`` runs between ``carry`` and ``edit``.
"""

from warpnoise.job.warp_options import WarpOptions
from warpnoise.pipeline.accumulate import accumulate_finished, accumulate_folder
from warpnoise.pipeline.movie import write_finished_movie
from warpnoise.pipeline.stylize import Summary, key_frames, stylize, whole_segments
from warpnoise.pipeline.warp import warp

__all__ = [
    "Summary",
    "WarpOptions",
    "accumulate_finished",
    "accumulate_folder",
    "key_frames",
    "stylize",
    "warp",
    "whole_segments",
    "write_finished_movie",
]
