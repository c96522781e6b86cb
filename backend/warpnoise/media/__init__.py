"""EXR, PNG and movie files: read with clear errors, written whole or not at all.

Import the format's module (``from warpnoise.media import png``): each one brings a library of its own.
"""
