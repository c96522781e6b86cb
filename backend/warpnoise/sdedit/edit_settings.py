"""The settings that SDEdit reads, and the form in which it takes noise.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from warpnoise.media.validation import StrictModel, setting

if TYPE_CHECKING:
    import torch


class Lora(StrictModel):
    """A LoRA file and its weight."""

    path: str = setting(..., "File", "A .safetensors file", min_length=1, subtype="FILE_PATH")
    weight: float = setting(
        1.0,
        "Weight",
        "How strongly it acts: 1 is as trained, 0 is off",
        ge=-10,
        le=10,
        soft_min=0,
        soft_max=2,
        animatable=True,
    )


class Control(StrictModel):
    """A ControlNet: its input picture, its weight, and the steps in which it acts."""

    path: str = setting(
        ..., "Folder", "The folder of a diffusers ControlNet for the model", min_length=1, subtype="DIR_PATH"
    )
    input: Literal["depth", "normals", "lines", "color"] = setting(
        "depth",
        "Input",
        "The picture of the scene that the ControlNet gets",
        labels={
            "depth": {
                "label": "Depth",
                "description": "Depth, with near surfaces in white. Scaled once for the whole shot.",
            },
            "normals": {"label": "Normals", "description": "The directions in which surfaces face."},
            "lines": {"label": "Lines", "description": "Edges of objects, creases and silhouettes."},
            "color": {"label": "Color", "description": "The frame itself."},
        },
    )
    weight: float = setting(1.0, "Weight", "How strongly it acts", ge=0, le=10, soft_max=2, animatable=True)
    start: float = setting(0.0, "Start", "Where it starts, as a fraction of the steps", ge=0, le=1)
    end: float = setting(1.0, "End", "Where it ends, as a fraction of the steps", ge=0, le=1)


class Embedding(StrictModel):
    """A textual inversion (Gal et al. 2022), and its word in the prompt."""

    path: str = setting(..., "File", "A .safetensors file", min_length=1, subtype="FILE_PATH")
    token: str = setting(
        "",
        "Token",
        "The word to use in the prompt. Empty: the word in the file, or else the file's name",
        max_length=200,
    )


class IpAdapter(StrictModel):
    """An IP-Adapter (Ye et al. 2023), the picture that it shows the model, and how strongly it acts."""

    path: str = setting(..., "File", "A .safetensors file", min_length=1, subtype="FILE_PATH")
    image: str = setting(
        ..., "Picture", "The picture whose look the adapter transfers", min_length=1, subtype="FILE_PATH"
    )
    weight: float = setting(1.0, "Weight", "How strongly it acts", ge=0, le=10, soft_max=2, animatable=True)
    encoder: str = setting(
        "", "Encoder", "The folder of the image encoder. Empty: image_encoder beside the file", subtype="DIR_PATH"
    )


class Reference(StrictModel):
    """A picture that an editing model gets in addition to the render."""

    path: str = setting(..., "Picture", "A picture", min_length=1, subtype="FILE_PATH")


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


NoiseMaps = Callable[[int], "torch.Tensor"]
"""k -> noise map k, (b, *noise_shape) float32, N(0, 1).

Map 0 starts, map k is for the k-th stochastic step. If there is texture, the last map is for it.
"""
