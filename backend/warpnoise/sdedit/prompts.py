"""Prompts: compares their lengths with what the text encoders read, encodes each once, interpolates over the shot."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import diffusers
import torch
from diffusers.loaders.textual_inversion import TextualInversionLoaderMixin

from warpnoise.errors import ModelError, SettingsError
from warpnoise.sdedit.controls import check_controls
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.embeddings import embedding_file, tokenizer_of
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import pipeline_class
from warpnoise.sdedit.parts import load_tokenizers

_REMEMBERED = 16
_UNLIMITED = 100_000
"""A tokenizer without a limit reports a number far above this one."""
_CLIP_TOKENS = 77


class PromptCache:
    """Replaces a pipeline's ``encode_prompt``, because every batch of a job encodes the same few prompts.

    ``blends``: for ``prompt`` and ``negative_prompt``: the next text, and its share, 0 to 1. The result is then
    interpolated between the encodings of both texts.
    """

    def __init__(self, encode: Callable[..., Any]) -> None:
        self._encode = encode
        self._signature = inspect.signature(encode)
        self._known: dict[str, Any] = {}
        self.blends: Mapping[str, tuple[str, float]] = {}

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        bound = self._signature.bind(*args, **keywords)
        return self._blended(bound, list(self.blends.items()))

    def clear(self) -> None:
        """Forget all encodings, because the text encoders have changed."""
        self._known.clear()

    def _blended(self, bound: inspect.BoundArguments, blends: list[tuple[str, tuple[str, float]]]) -> Any:
        if not blends:
            return self._encoded(*bound.args, **bound.kwargs)
        (name, (text, share)), *others = blends
        then = self._signature.bind(*bound.args, **bound.kwargs)
        for key, value in then.arguments.items():
            if key == name or re.fullmatch(rf"{name}_\d", key):  # some families have a prompt for each text encoder
                then.arguments[key] = _replaced(value, text)
        return interpolated(self._blended(bound, others), self._blended(then, others), share)

    def _encoded(self, *args: Any, **keywords: Any) -> Any:
        if not _is_plain([args, keywords]):  # pictures go in too
            return self._encode(*args, **keywords)
        key = repr((args, sorted(keywords.items())))
        if key not in self._known:
            while len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            # Copies, as some pipelines change the lists that they are given or get back.
            self._known[key] = self._encode(*map(_copied, args), **{k: _copied(v) for k, v in keywords.items()})
        return _copied(self._known[key])


def _replaced(value: Any, text: str) -> Any:
    """A prompt with each text replaced by ``text``; None stays."""
    if isinstance(value, list | tuple):
        return [_replaced(item, text) for item in value]
    return text if isinstance(value, str) else value


def interpolated(a: Any, b: Any, share: float) -> Any:
    """Interpolates between two encodings, with ``share`` of b: embeddings linearly, token by token; masks by union.

    The shorter of two sequences is extended with zeros. For positions and other whole numbers, the longer one counts.
    """
    if isinstance(a, list | tuple):
        return type(a)(interpolated(one, other, share) for one, other in zip(a, b, strict=True))
    if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
        return None if a is None or b is None else a  # no mask: all tokens are read
    a, b = _padded(a, b), _padded(b, a)
    if a.is_floating_point():
        return torch.lerp(a.float(), b.float(), share).to(a.dtype)
    return torch.maximum(a, b) if a.dtype != torch.bool else a | b


def _padded(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The tensor, extended by zeros to the size of ``like`` where that is longer."""
    missing = [max(theirs - ours, 0) for ours, theirs in zip(tensor.shape, like.shape, strict=True)]
    return torch.nn.functional.pad(tensor, [amount for one in reversed(missing) for amount in (0, one)])


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


def check_prompts(model: ModelFolder, settings: EditSettings) -> tuple[str, ...]:
    """A warning for each prompt of the shot that one of several text encoders reads only in part.

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
    """Add the words of the textual inversions, with a token for each vector, named as diffusers does."""
    for setting in settings.embeddings:
        file = embedding_file(model, setting)
        for part, vectors in file.vectors.items():
            tokenizer = tokenizers[tokenizer_of(part)]
            if file.token in tokenizer.get_vocab():
                raise ModelError(
                    f"embedding {file.path}: its token {file.token!r} is a word of the model's already: give another "
                    "with token=WORD, or leave it out (--embedding none)"
                )
            tokenizer.add_tokens([file.token, *(f"{file.token}_{index}" for index in range(1, vectors))])


def _tokens(tokenizer: Any, text: str) -> int:
    """The number of tokens of a text, with its textual inversions written out."""
    converted = TextualInversionLoaderMixin().maybe_convert_prompt(text, tokenizer)
    return len(tokenizer(converted).input_ids)


def _limits(model: ModelFolder, settings: EditSettings, tokenizers: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """For each tokenizer, the number of tokens that its text encoder reads."""
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
