"""Scene to job folder (docs/architecture.md, "The job folder")."""

from .exporter import export_job
from .options import ExportOptions, ExportProgress

__all__ = ["ExportOptions", "ExportProgress", "export_job"]
