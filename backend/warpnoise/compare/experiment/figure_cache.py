"""Figures, cached in a file beside the pictures that they measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from warpnoise.errors import JobError, MediaError
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json

T = TypeVar("T")


def remembered(path: Path, digest: str, kind: type[T], make: Callable[[], T]) -> T:
    """What ``make`` gave when the file was written with this digest; otherwise it is made and written now.

    Args:
        digest: of all that ``make`` depends on.
        kind: a dataclass, or anything else that pydantic can check and write as JSON.

    Raises:
        JobError: the file cannot be written.
    """
    figures = TypeAdapter(kind)
    try:
        content = read_json(path, finite=False)
        if content["digest"] == digest:
            return figures.validate_python(content["figures"])
    except (MediaError, ValueError, KeyError, TypeError):
        pass  # not there, or spoiled: figures cost time, not work
    made = make()
    text = json.dumps({"digest": digest, "figures": figures.dump_python(made, mode="json")}, indent=1)
    write_bytes(path, (text + "\n").encode(), error=JobError)
    return made
