"""A shot from its passes to its stylized frames, or to its noise alone.

A frame goes through ``read`` (picture, passes, motion), ``carry`` (the noise), ``edit`` (the model).
``stylize`` connects the three and the writing with ``work_queues``; ``made_of`` finds the unfinished frames.
If colours are carried, ``plan`` chooses key frames, and ``segments`` runs between ``carry`` and ``edit``.
"""

from warpnoise.pipeline.accumulate import accumulate_finished, accumulate_folder
from warpnoise.pipeline.movie import write_finished_movie
from warpnoise.pipeline.stylize import Summary, key_frames, stylize, whole_segments
from warpnoise.pipeline.warp import WarpOptions, warp

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
