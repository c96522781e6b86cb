"""The add-on's version: the manifest's, which is the one place that states it."""

import tomllib
from pathlib import Path

MANIFEST = Path(__file__).parents[1] / "blender_manifest.toml"
VERSION: str = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["version"]
