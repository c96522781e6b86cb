"""Warpnoise: image diffusion on rendered animations, with noise carried exactly along the scene's motion."""

import os
from importlib.metadata import version

__version__ = version("warpnoise")

# torch reads it at its first tensor: large ones then lie on Linux's huge pages, where that leaves it to programs.
# The default network at 768 pixels is 1.5 times as fast (benchmarks/environment.py).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# libgomp, Linux's OpenMP, reads it when torch is imported: so many times a thread that waits looks again before it
# sleeps. By default it is 15 times as often, and torch takes twice the time while other programs use the cores.
# OMP_WAIT_POLICY=PASSIVE, which sleeps at once, slows torch down where none does (benchmarks/environment.py).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
