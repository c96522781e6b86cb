"""What all of the add-on's tests share. They run in a bpy wheel, or in Blender through ``run_in_blender.py``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
