"""Scene to job folder (docs/architecture.md, "The job folder")."""

from .exporter import export_job
from .options import ExportedFrame, ExportOptions

__all__ = ["ExportOptions", "ExportedFrame", "export_job"]
