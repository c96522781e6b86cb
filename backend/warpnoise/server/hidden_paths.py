"""Clients elsewhere are not told where on the server their files are."""

from __future__ import annotations

import re
from pathlib import Path


class HiddenPaths:
    """Takes the server's own folders out of texts: ``SPOOL/<id>/job/color/0001.png`` becomes ``color/0001.png``."""

    def __init__(self, spool: Path, *others: Path) -> None:
        """``others``: more folders, of models for example; below them, what follows is left."""
        self._job = re.compile(rf"(?:{_either(spool)})[\\/][0-9a-f]{{32}}[\\/]job(?:[\\/]|\b)")
        self._folders = re.compile("|".join(rf"(?:{_either(folder)})(?:[\\/]|\b)" for folder in (spool, *others)))

    def __call__(self, text: str) -> str:
        """``text`` without them."""
        return self._folders.sub("", self._job.sub("", text))


def _either(folder: Path) -> str:
    """A path as it was given and as the system resolves it, the longer one first."""
    given = folder.expanduser().absolute()
    return "|".join(sorted({re.escape(str(path)) for path in (given, given.resolve())}, key=len, reverse=True))
