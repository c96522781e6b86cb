"""State where the project lives, in what is built: `python -m tools.project_urls https://HOST/OWNER/NAME`.

The repository itself names no address: a fork's builds then point to the fork.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def add_urls(address: str, root: Path = ROOT) -> None:
    """Write the address into ``pyproject.toml`` and ``blender_manifest.toml``, once.

    Raises:
        ValueError: not an https address.
    """
    if not re.fullmatch(r"https://[\w.-]+/[\w./-]+", address):
        raise ValueError(f"expected https://HOST/OWNER/NAME, got {address!r}")
    urls = f'[project.urls]\nHomepage = "{address}"\nIssues = "{address}/issues"\nChangelog = "{address}/releases"\n\n'
    _insert(root / "pyproject.toml", "[project.scripts]\n", urls)
    _insert(root / "blender_manifest.toml", 'type = "add-on"\n', f'website = "{address}"\n')


def _insert(path: Path, before: str, text: str) -> None:
    content = path.read_text(encoding="utf-8")
    if content.count(before) != 1:
        raise ValueError(f"{path} has {content.count(before)} lines {before.strip()!r}: expected one")
    if text not in content:
        path.write_text(content.replace(before, text + before), encoding="utf-8")


if __name__ == "__main__":
    add_urls(sys.argv[1])
