"""Warpnoise's nodes for ComfyUI: a rendered shot, and the noise that its motion carries, for any model.

Put this folder into ComfyUI's ``custom_nodes`` and install the package ``warpnoise`` into ComfyUI's Python.
"""

from .accumulate import WarpnoiseAccumulate
from .noise import WarpnoiseNoise, WarpnoiseSteps
from .shot import WarpnoiseShot

NODE_CLASS_MAPPINGS = {
    node.__name__: node for node in (WarpnoiseShot, WarpnoiseNoise, WarpnoiseSteps, WarpnoiseAccumulate)
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "WarpnoiseShot": "Warpnoise Shot",
    "WarpnoiseNoise": "Warpnoise Noise",
    "WarpnoiseSteps": "Warpnoise Stochastic Steps",
    "WarpnoiseAccumulate": "Warpnoise Accumulate",
}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
