"""Existing frames: files that were rendered before, read, checked and converted for the add-on's exporter.

numbered  which file is which frame
pictures  display-referred pictures, to 16-bit PNG
service   multilayer EXR files, copied; and a child process of the exporter, which does both
"""

from warpnoise.ingest.service import serve

__all__ = ["serve"]
