"""Scene to job folder (docs/architecture.md, "The job folder")."""

from .exporter import export_job
from .options import ExportOptions, ExportProgress, JobSettings

__all__ = ["ExportOptions", "ExportProgress", "JobSettings", "export_job"]
