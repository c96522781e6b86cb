"""Existing frames: reads, checks and converts rendered files for the add-on's exporter.

display_referred  converts display-referred pictures to 16-bit PNG
service           copies multilayer EXR files, and does both in a child process of the exporter
"""

from warpnoise.ingest.service import serve

__all__ = ["serve"]
