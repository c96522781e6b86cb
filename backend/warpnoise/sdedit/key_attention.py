"""Attention to a key frame: a frame's self-attention also sees the tokens of the key frame.

First, the finished key frame runs through the network, noised to the level of each step, and the tokens that enter each
self-attention are stored. In the frame's own steps, they are added to the frame's tokens as keys and values (as in
cross-frame attention, Khachatryan et al. 2023). This needs only diffusers' public interface, because the processor of a
self-attention accepts other tokens as ``encoder_hidden_states``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

_SELF_ATTENTION = "attn1.processor"
"""How the names of self-attentions end in U-Nets; in transformers that attend to text and picture jointly there are
none."""


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """``picture``: (1, 3, h, w) float32 in [0, 1], finished. ``noise``: (1, *noise_shape) float32, map 0 of its noise.
    ``strength``: of the attention to it, in [0, 1]."""

    picture: torch.Tensor
    noise: torch.Tensor
    strength: float


@dataclass
class KeyTokens:
    """The tokens that entered each self-attention, in the order of steps and layers."""

    entered: list[torch.Tensor] = field(default_factory=list)
    _next: int = 0

    @contextmanager
    def recorded(self, network: Any) -> Iterator[None]:
        """Stores the tokens that enter the self-attention layers, within a ``with`` block."""
        self.entered.clear()
        with _processors(network, lambda inner: _Recorder(inner, self)):
            yield

    @contextmanager
    def seen(self, network: Any, strength: float) -> Iterator[None]:
        """Within it, each self-attention goes ``strength``, in [0, 1], of the way to the one that sees both."""
        self._next = 0
        with _processors(network, lambda inner: _Reader(inner, self, strength)):
            yield

    def take(self) -> torch.Tensor:
        """The tokens of the next self-attention."""
        self._next += 1
        return self.entered[self._next - 1]


@contextmanager
def _processors(network: Any, wrap: Any) -> Iterator[None]:
    own = dict(network.attn_processors)
    network.set_attn_processor({name: wrap(p) if name.endswith(_SELF_ATTENTION) else p for name, p in own.items()})
    try:
        yield
    finally:
        network.set_attn_processor(own)


class _Recorder:
    def __init__(self, inner: Any, tokens: KeyTokens) -> None:
        self._inner, self._tokens = inner, tokens

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *args: Any, **keywords: Any) -> Any:
        self._tokens.entered.append(hidden_states)
        return self._inner(attn, hidden_states, *args, **keywords)


class _Reader:
    def __init__(self, inner: Any, tokens: KeyTokens, strength: float) -> None:
        self._inner, self._tokens, self._strength = inner, tokens, strength

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: Any = None, *args: Any, **keywords: Any
    ) -> Any:
        alone = self._inner(attn, hidden_states, encoder_hidden_states, *args, **keywords)
        both = torch.cat([hidden_states, self._tokens.take()], dim=1)
        return alone + self._strength * (self._inner(attn, hidden_states, both, *args, **keywords) - alone)
