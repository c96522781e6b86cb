"""A job from its passes to its stylized frames, or to its noise alone."""

from warpnoise.pipeline.progress import Progress, Stage
from warpnoise.pipeline.stylize import Summary, stylize
from warpnoise.pipeline.warp import WarpOptions, warp

__all__ = ["Progress", "Stage", "Summary", "WarpOptions", "stylize", "warp"]
