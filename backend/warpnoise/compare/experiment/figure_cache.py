"""Figures that are kept in a file beside what they were made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from warpnoise.errors import JobError, MediaError
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json

T = TypeVar("T")


def remembered(
    path: Path, digest: str, parse: Callable[[Mapping[str, Any]], T], make: Callable[[], dict[str, Any]]
) -> T:
    """``parse`` of what ``make`` gave when the file was written with this digest; otherwise it is made and written now.

    Args:
        digest: of all that ``make`` depends on.
        parse: raises KeyError, TypeError, ValueError or AttributeError for what it cannot understand.

    Raises:
        JobError: the file cannot be written.
    """
    try:
        content = read_json(path, finite=False)
        if content["digest"] == digest:
            return parse(content["figures"])
    except (MediaError, ValueError, KeyError, TypeError, AttributeError):
        pass  # not there, or spoiled: figures cost time, not work
    figures = make()
    text = json.dumps({"digest": digest, "figures": figures}, indent=1)
    write_bytes(path, (text + "\n").encode(), error=JobError)
    return parse(figures)
