"""Prompts against what the text encoders read: a prompt is never cut without a word.

The tokenizers alone are loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Literal

import diffusers
from diffusers.loaders.textual_inversion import TextualInversionLoaderMixin

from warpnoise.errors import ModelError, SettingsError
from warpnoise.sdedit.control_files import check_controls
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.embedding_files import embedding_file
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.processors import load_tokenizers
from warpnoise.sdedit.skeleton import pipeline_class

_UNLIMITED = 100_000
"""A tokenizer that sets no limit reports a number far above this one."""
_CLIP_TOKENS = 77


def check_prompts(model: ModelFolder, settings: EditSettings) -> tuple[str, ...]:
    """A warning for each prompt of the shot of which one of several text encoders reads the beginning alone.

    Raises:
        SettingsError: no text encoder of the model reads a prompt to its end.
        ModelError: a tokenizer is damaged; or a textual inversion has a token that is a word of the model's.
    """
    names: tuple[Literal["prompt", "negative_prompt"], ...] = ("prompt", "negative_prompt")
    texts = [(name.replace("_", " "), text) for name in names for text in settings.texts(name)]
    if not any(text for _, text in texts) and not settings.embeddings:
        return ()
    tokenizers = load_tokenizers(model)
    _teach(model, settings, tokenizers)
    warnings = []
    for name, text in texts:
        counts = [
            (part, _tokens(tokenizers[part], text), limit) for part, limit in _limits(model, settings, tokenizers)
        ]
        cutting = [(part, tokens, limit) for part, tokens, limit in counts if tokens > limit]
        if cutting and len(cutting) == len(counts):
            _, tokens, limit = max(cutting, key=lambda count: count[2])
            raise SettingsError(
                f"{name}: it has {tokens} tokens, and the model reads {limit}: shorten it by about {tokens - limit} "
                f"words or syllables{_which(text, texts)}"
            )
        warnings += [
            f"The {name} has {tokens} tokens; the text encoder {part.replace('tokenizer', 'text_encoder')} reads the "
            f"first {limit} of them{_which(text, texts)}."
            for part, tokens, limit in cutting
        ]
    return tuple(warnings)


def _which(text: str, texts: list[tuple[str, str]]) -> str:
    return f' ("{text[:40]}...")' if len(texts) > 2 else ""


def _teach(model: ModelFolder, settings: EditSettings, tokenizers: dict[str, Any]) -> None:
    """Add the words of the textual inversions, each with a token for each of its vectors, as diffusers names them."""
    for setting in settings.embeddings:
        file = embedding_file(model, setting)
        for part, vectors in file.vectors.items():
            tokenizer = tokenizers[part.replace("text_encoder", "tokenizer")]
            if file.token in tokenizer.get_vocab():
                raise ModelError(
                    f"embedding {file.path}: its token {file.token!r} is a word of the model's already: give another "
                    "with token=WORD, or leave it out (--embedding none)"
                )
            tokenizer.add_tokens([file.token, *(f"{file.token}_{index}" for index in range(1, vectors))])


def _tokens(tokenizer: Any, text: str) -> int:
    """How many tokens a text has, with its textual inversions written out."""
    converted = TextualInversionLoaderMixin().maybe_convert_prompt(text, tokenizer)
    return len(tokenizer(converted).input_ids)


def _limits(model: ModelFolder, settings: EditSettings, tokenizers: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """For each tokenizer, how many tokens its text encoder reads."""
    pipeline = pipeline_class(model)
    if kind := check_controls(model, settings.controls):
        assert model.family is not None
        pipeline = getattr(diffusers, model.family.controls[kind])
    default = inspect.signature(pipeline.__call__).parameters.get("max_sequence_length")
    longest = None if default is None else default.default
    for part, tokenizer in tokenizers.items():
        own = int(tokenizer.model_max_length)
        if "CLIP" in type(tokenizer).__name__:
            yield part, min(own, _CLIP_TOKENS if longest is None else own)
        else:
            yield part, min(own, longest or _UNLIMITED)
