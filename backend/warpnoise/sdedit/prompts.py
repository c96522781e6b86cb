"""Prompts: encodes each one once, and interpolates between them over the shot."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

_REMEMBERED = 16


class PromptCache:
    """Takes the place of a pipeline's ``encode_prompt``: every batch of a job asks for the same few prompts.

    ``blends``: for ``prompt`` and ``negative_prompt``: a text that it turns into, and that text's share, 0 to 1. The
    answer then is interpolated between what both texts are encoded to.
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
        """Forget everything, since what encodes has changed."""
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
    """``text`` in the place of each text of a prompt; None stays."""
    if isinstance(value, list | tuple):
        return [_replaced(item, text) for item in value]
    return text if isinstance(value, str) else value


def interpolated(a: Any, b: Any, share: float) -> Any:
    """Between two encodings, ``share`` of b: embeddings linearly, token by token; masks of tokens united.

    The shorter of two sequences is continued with zeros. Of positions and other whole numbers the longer one is taken.
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
    """With zeros behind, where ``like`` is longer."""
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
