"""Warpnoise: image diffusion on rendered animations, with noise carried exactly along the scene's motion."""

__version__ = "0.1.0"
