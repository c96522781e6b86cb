"""Imported once by the process that the others are forked from: it stylizes, so that they find everything loaded."""

from __future__ import annotations

import tempfile
from pathlib import Path

from . import run_scenarios as scenarios

with tempfile.TemporaryDirectory() as _folder:
    _shot = Path(_folder) / "work"
    scenarios.make_shot(_shot)
    scenarios.stylize_ink(_shot)
