"""Tokenizers and processors of published pipelines, without what they have for video: that needs torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from warpnoise.errors import ModelError
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet


class _PictureProcessor(transformers.Qwen2VLProcessor):
    """Of text and pictures."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template)  # type: ignore[no-untyped-call]


def load_tokenizer(place: Path) -> Any:
    """The tokenizer of a folder that may hold a whole processor.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    return _loaded(transformers.AutoTokenizer, place)


def load_processor(place: Path) -> Any:
    """The processor of text and pictures in a folder of Qwen2-VL's or Qwen2.5-VL's. Raises ModelError, likewise."""
    return _PictureProcessor(_loaded(transformers.Qwen2VLImageProcessorPil, place), load_tokenizer(place))


def _loaded(kind: Any, place: Path) -> Any:
    try:
        with quiet():
            return kind.from_pretrained(str(place), local_files_only=True)
    except LIBRARY_ERRORS as error:
        raise ModelError(f"{place} cannot be loaded ({first_line(error)}): download the model again") from error
