"""Scene to job folder (docs/architecture.md, "The job folder")."""

from .export_options import ExportedFrame, ExportOptions
from .exporter import export_job

__all__ = ["ExportOptions", "ExportedFrame", "export_job"]
