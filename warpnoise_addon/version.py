"""The add-on's version, read from the manifest, which is the only place that holds it."""

import tomllib
from pathlib import Path

MANIFEST = Path(__file__).parents[1] / "blender_manifest.toml"
VERSION: str = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["version"]
