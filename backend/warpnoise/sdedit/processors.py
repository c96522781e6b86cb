"""Tokenizers, and the processors of published pipelines without their video parts, which need torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet
from warpnoise.sdedit.model_files import component
from warpnoise.sdedit.one_file import CONFIGS

TOKENIZERS = CONFIGS.parent / "tokenizers"
_CLIP_PADDING = "!"
"""What the second CLIP of Stable Diffusion XL and 3 pads with; the first pads with the end of the text."""
_WORDS = {"tokenizer.json", "tokenizer.model", "spiece.model", "vocab.txt", "tekken.json"}
"""Files any of which holds all of a tokenizer's words; others have vocab.json and merges.txt."""
_SHOWN_PICTURES = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor")


class _PictureProcessor(transformers.Qwen2VLProcessor):
    """Of text and pictures."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template)  # type: ignore[no-untyped-call]


def load_tokenizers(folder: ModelFolder) -> dict[str, Any]:
    """The tokenizer of each part that is one; the package has those of a whole file's family.

    Raises:
        ModelError: one is damaged or incomplete.
    """
    loaded = {}
    for part, (_, kind) in folder.parts.items():
        if not part.startswith("tokenizer"):
            continue
        if folder.own_tokenizers:
            clip = kind.startswith("CLIP")
            options = {"pad_token": _CLIP_PADDING} if clip and part == "tokenizer_2" else {}
            loaded[part] = _tokenizer(getattr(transformers, kind), TOKENIZERS / ("clip" if clip else "t5"), **options)
        else:  # the part may be a whole processor, of which the pipeline uses the tokenizer alone
            named = None if kind.endswith("Processor") else getattr(transformers, kind, None)
            loaded[part] = _tokenizer(named or transformers.AutoTokenizer, component(folder.path, part))
    return loaded


def load_processors(folder: ModelFolder) -> dict[str, Any]:
    """The processors that are shown pictures, of Qwen2-VL's or Qwen2.5-VL's. Raises ModelError, likewise."""
    return {
        part: _PictureProcessor(
            _loaded(transformers.Qwen2VLImageProcessorPil, component(folder.path, part)),
            _tokenizer(transformers.AutoTokenizer, component(folder.path, part)),
        )
        for part, (_, kind) in folder.parts.items()
        if kind in _SHOWN_PICTURES
    }


def _tokenizer(kind: Any, place: Path, **options: Any) -> Any:
    """transformers gives a tokenizer without words, and no error, where the files with them are missing."""
    names = {file.name for file in place.iterdir()}
    if not (names & _WORDS or {"vocab.json", "merges.txt"} <= names):
        raise ModelError(f"{place} lacks the tokenizer's words: its download is incomplete. Download the model again.")
    return _loaded(kind, place, **options)


def _loaded(kind: Any, place: Path, **options: Any) -> Any:
    try:
        with quiet():
            return kind.from_pretrained(str(place), local_files_only=True, **options)
    except LIBRARY_ERRORS as error:
        raise ModelError(f"{place} cannot be loaded ({first_line(error)}): download the model again") from error
