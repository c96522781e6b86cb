"""Existing frames: reads, checks and converts rendered files for the add-on's exporter.

pictures  converts display-referred pictures to 16-bit PNG
passes    checks and copies multilayer EXR files
service   does both in a child process of the exporter
"""

from warpnoise.ingest.service import serve

__all__ = ["serve"]
