"""Warpnoise: image diffusion on rendered animations, with noise carried exactly along the scene's motion."""

import os
from importlib.metadata import version

__version__ = version("warpnoise")

# torch reads it at its first tensor: large ones then lie on Linux's huge pages, where that leaves it to programs.
# The default network at 768 pixels is 1.5 times as fast (benchmarks/environment.py).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
