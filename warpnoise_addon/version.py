"""The add-on's version, which the manifest holds, and its name in Blender."""

import tomllib
from pathlib import Path

MANIFEST = Path(__file__).parents[1] / "blender_manifest.toml"
VERSION: str = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["version"]
ADDON = __package__.rpartition(".warpnoise_addon")[0] or __package__
"""The extension's name (`bl_ext.user_default.warpnoise`), or this package's."""
