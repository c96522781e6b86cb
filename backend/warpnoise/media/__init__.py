"""EXR, PNG and movie files: read with clear errors, written whole or not at all.

Import the module of a format (``from warpnoise.media import png``), because each one loads a different library.
"""
