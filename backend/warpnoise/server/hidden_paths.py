"""Clients elsewhere are not told where on the server its files are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi.responses import JSONResponse

import warpnoise
from warpnoise.sdedit.places import hugging_face_cache, models_folder


def without_paths(spool: Path) -> type[JSONResponse]:
    """A class of answers whose texts lack the server's own folders: uploads, models, caches, and the program.

    ``SPOOL/<id>/job/color/0001.png`` becomes ``color/0001.png``, and ``MODELS/ink/unet`` becomes ``ink/unet``.
    """
    job = rf"(?:{_either(spool)})[\\/][0-9a-f]{{32}}[\\/]job"
    folders = (spool, models_folder(), hugging_face_cache(), Path(warpnoise.__file__).parent)
    hidden = re.compile("|".join(rf"(?:{place})(?:[\\/]|\b)" for place in (job, *map(_either, folders))))

    class Answer(JSONResponse):
        def render(self, content: Any) -> bytes:
            return super().render(_each_text(content, hidden))

    return Answer


def _each_text(value: Any, hidden: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return hidden.sub("", value)
    if isinstance(value, dict):
        return {key: _each_text(item, hidden) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, hidden) for item in value]
    return value


def _either(folder: Path) -> str:
    """A path as it was given and as the system resolves it, the longer one first."""
    given = folder.expanduser().absolute()
    return "|".join(sorted({re.escape(str(path)) for path in (given, given.resolve())}, key=len, reverse=True))
