"""A record tells what a finished picture or movie was made of, and which bytes it has."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from warpnoise.errors import JobError
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json
from warpnoise.media.validation import StrictModel, validated

log = logging.getLogger(__name__)


class Record(StrictModel):
    """The content of a record file."""

    made_of: str = Field(min_length=1)
    """A digest of all inputs, taken when they were read."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the file's bytes."""
    preview: bool = False
    """A preview made the picture, in a batch of one: a run over the shot makes it again."""


def read_record(path: Path, *, warn: Callable[[str], None] = log.warning) -> Record | None:
    """The record in a file; None: there is none, or it is damaged, which costs time only and goes to ``warn``."""
    try:
        content = read_json(path, error=JobError, missing=None)
        return None if content is None else validated(Record, content, str(path), JobError)
    except JobError as damage:
        warn(f"{damage} Warpnoise makes its picture again.")
        return None


def write_record(path: Path, record: Record) -> None:
    """Raises JobError when the file cannot be written."""
    write_bytes(path, f"{record.model_dump_json(exclude_defaults=True)}\n".encode(), error=JobError)
