"""Prompts: encoded once each, and never cut without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from warpnoise.errors import SettingsError

_REMEMBERED = 16
_UNLIMITED = 100_000
"""Tokenizers without a limit of their own give a number far above it."""


class PromptCache:
    """Takes the place of a pipeline's ``encode_prompt``: every batch of a job asks for the same one or two prompts."""

    def __init__(self, encode: Callable[..., Any]) -> None:
        self._encode = encode
        self._known: dict[str, Any] = {}

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        if not _is_plain([args, keywords]):  # pictures go in too
            return self._encode(*args, **keywords)
        key = repr((args, sorted(keywords.items())))
        if key not in self._known:
            while len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            # Copies, as some pipelines change the lists that they are given or get back.
            self._known[key] = self._encode(*map(_copied, args), **{k: _copied(v) for k, v in keywords.items()})
        return _copied(self._known[key])

    def clear(self) -> None:
        """Forget everything, since what encodes has changed."""
        self._known.clear()


def _is_plain(value: Any) -> bool:
    """Whether equal representations mean equal values."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | torch.device | torch.dtype)


def _copied(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_copied, value))
    return list(value) if isinstance(value, list) else value


def check_length(pipeline: Any, longest: int | None, **prompts: str) -> None:
    """Refuse a prompt that no text encoder of the model reads to its end.

    Args:
        longest: the pipeline's ``max_sequence_length``, where it has one.
        prompts: by their names.

    Raises:
        SettingsError: it is too long.
    """
    for name, text in prompts.items():
        counts = [(len(tokenizer(text).input_ids), limit) for tokenizer, limit in _tokenizers(pipeline, longest)]
        if counts and all(tokens > limit for tokens, limit in counts):
            tokens, limit = max(counts, key=lambda pair: pair[1])
            raise SettingsError(
                f"{name.replace('_', ' ')}: it has {tokens} tokens, and the model reads {limit}: shorten it by about "
                f"{tokens - limit} words or syllables"
            )


def _tokenizers(pipeline: Any, longest: int | None) -> Iterator[tuple[Any, int]]:
    for name, part in pipeline.components.items():
        if name.startswith("tokenizer") and part is not None:
            limit = min(int(part.model_max_length), longest or _UNLIMITED)
            if "CLIP" in type(part).__name__:
                limit = min(int(part.model_max_length), 77 if longest is None else int(part.model_max_length))
            yield part, limit
