"""The inputs of an edit besides pictures: the settings that SDEdit reads, and the noise.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from warpnoise.sdedit.adapters import Control, Embedding, IpAdapter, Lora, Reference

if TYPE_CHECKING:
    import torch


class EditSettings(Protocol):
    """The fields of a job's settings that SDEdit reads; docs/architecture.md gives their meaning and ranges."""

    style: str | None
    prompt: str
    negative_prompt: str
    strength: float
    steps: int | None
    guidance: float | None
    texture: float | None
    eta: float
    sampler: str | None

    @property
    def loras(self) -> Sequence[Lora]: ...
    @property
    def controls(self) -> Sequence[Control]: ...
    @property
    def embeddings(self) -> Sequence[Embedding]: ...
    @property
    def ip_adapters(self) -> Sequence[IpAdapter]: ...
    @property
    def references(self) -> Sequence[Reference]: ...
    @property
    def latent_noise(self) -> str: ...
    @property
    def blends(self) -> Mapping[str, tuple[str, float]]: ...
    def largest(self, name: Literal["strength", "texture"], /) -> float | None: ...
    def texts(self, name: Literal["prompt", "negative_prompt"], /) -> tuple[str, ...]: ...


class NoiseMaps(Protocol):
    """``noise(k)`` -> (b, *noise_shape) float32, N(0, 1).

    Map 0 starts, map k is for the k-th stochastic step; where there is texture, the last map is its own.
    """

    def __call__(self, index: int, /) -> torch.Tensor: ...
