"""Print a version's section of CHANGELOG.md, or the unreleased one: `python tools/changelog.py 0.2.0`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def section(version: str, text: str) -> str:
    """The lines below the heading ``## [version]``; those below ``## [Unreleased]`` where there is none.

    Raises:
        ValueError: neither is there.
    """
    for name in (version, "Unreleased"):
        if match := re.search(rf"^## \[{re.escape(name)}\][^\n]*\n(.*?)(?=^## \[|\Z)", text, re.S | re.M):
            return match[1].strip() + "\n"
    raise ValueError(f"the changelog has no section [{version}] or [Unreleased]")


if __name__ == "__main__":
    print(section(sys.argv[1], CHANGELOG.read_text(encoding="utf-8")), end="")
