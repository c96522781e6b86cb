"""Attention to a key frame: a frame's self-attention also sees the tokens of the key frame.

First, the finished key frame runs through the network, noised to the level of each step, and the tokens that enter each
self-attention are stored. In the frame's own steps, they are added to the frame's tokens as keys and values (as in
cross-frame attention, Khachatryan et al. 2023). This needs only diffusers' public interface, because the processor of a
self-attention accepts other tokens as ``encoder_hidden_states``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

_SELF_ATTENTION = "attn1.processor"
"""The end of the names of self-attentions. Transformers that attend to text and picture jointly have none."""

Processor = Callable[..., Any]
"""Of an attention layer in diffusers."""


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

    def recorded(self, network: Any) -> AbstractContextManager[None]:
        """Stores the tokens that enter the self-attention layers, within a ``with`` block."""
        self.entered.clear()

        def wrap(processor: Processor) -> Processor:
            def record(attn: Any, hidden_states: torch.Tensor, *args: Any, **keywords: Any) -> Any:
                self.entered.append(hidden_states)
                return processor(attn, hidden_states, *args, **keywords)

            return record

        return _self_attention(network, wrap)

    def seen(self, network: Any, strength: float) -> AbstractContextManager[None]:
        """Within a ``with`` block, interpolates each self-attention toward one that sees both frames' tokens.

        ``strength``: the share of the latter, in [0, 1].
        """
        tokens = iter(self.entered)

        def wrap(processor: Processor) -> Processor:
            def read(
                attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: Any = None, *args: Any, **keywords: Any
            ) -> Any:
                alone = processor(attn, hidden_states, encoder_hidden_states, *args, **keywords)
                both = torch.cat([hidden_states, next(tokens)], dim=1)
                return alone + strength * (processor(attn, hidden_states, both, *args, **keywords) - alone)

            return read

        return _self_attention(network, wrap)


@contextmanager
def _self_attention(network: Any, wrap: Callable[[Processor], Processor]) -> Iterator[None]:
    own = dict(network.attn_processors)
    network.set_attn_processor({name: wrap(p) if name.endswith(_SELF_ATTENTION) else p for name, p in own.items()})
    try:
        yield
    finally:
        network.set_attn_processor(own)
