"""The families of text-to-image models, one row each.

diffusers' own pipeline handles the differences between families: text encoders, guidance, positions, ControlNets. A row
only says how to call the pipeline. To add a family, add a row (docs/models.md). No other module names families.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Pack = Callable[[Any, Any], Any]
"""(pipeline, latents (b, c, h, w)) -> the same values in another layout."""


def _as_they_are(pipeline: Any, latents: Any) -> Any:
    return latents


def _cells_to_tokens(pipeline: Any, latents: Any) -> Any:
    """2 x 2 latents to one token of 4 c values: (b, h w / 4, 4 c)."""
    return pipeline._pack_latents(latents, *latents.shape)


def _cells_to_channels(pipeline: Any, latents: Any) -> Any:
    """2 x 2 latents to 4 c channels: (b, 4 c, h / 2, w / 2)."""
    return pipeline._patchify_latents(latents)


def _cells_to_flat_tokens(pipeline: Any, latents: Any) -> Any:
    return pipeline._pack_latents(pipeline._patchify_latents(latents))


@dataclass(frozen=True)
class Family:
    """How a pipeline of diffusers is called.

    ``pipeline``: its class. ``guidance``: the scale where the settings give none, the pipeline's own default.
    ``steps``: likewise, of the whole schedule; ``distilled_steps``: of models that were distilled to a few.
    ``guidance_keyword``: what the pipeline calls that scale.
    ``negative_prompt``: whether it takes one. ``layout``: latents as the scheduler's ``step`` sees them.
    ``start_layout``: latents as the keyword ``latents`` takes them; None: as ``layout``. ``cell``: latents on a side of
    one token, where packing makes tokens. ``half``: the half precision in which the family does not overflow.
    ``float32_latents``: the pipeline keeps its latents in float32, whatever the weights are. ``size_multiple``: of
    width and height in pixels, that the pipeline insists on. ``options``: more keywords of the call.
    ``start_as_image``: an image-to-image form that must be given ``image`` too. ``reference_limit``: for models that
    edit, how many pictures the keyword ``image`` takes, of which the render is the first. ``bounded_references``: the
    pipeline refuses references, the render too, that are small or narrow. ``one_at_a_time``: the pipeline cannot take a
    batch of frames, or is given references that are one frame's. ``controls``: classes of ControlNets, and the pipeline
    that takes each. ``embeddings``: whether it takes textual inversions. ``ip_adapters``: whether it takes IP-Adapters.
    ``attention``: whether the network has self-attentions that can see other tokens through diffusers' public
    processors; the others attend to text and picture jointly.
    """

    title: str
    pipeline: str
    guidance: float
    steps: int = 20
    distilled_steps: int = 4
    guidance_keyword: str = "guidance_scale"
    negative_prompt: bool = True
    layout: Pack = _as_they_are
    start_layout: Pack | None = None
    cell: int = 1
    half: Literal["float16", "bfloat16"] = "bfloat16"
    float32_latents: bool = False
    size_multiple: int = 8
    options: dict[str, Any] = field(default_factory=dict)
    start_as_image: bool = False
    reference_limit: int = 0
    bounded_references: bool = False
    one_at_a_time: bool = False
    controls: dict[str, str] = field(default_factory=dict)
    embeddings: bool = False
    ip_adapters: bool = False
    attention: bool = False


_ADAPTED: dict[str, Any] = {"embeddings": True, "ip_adapters": True}
_UNET: dict[str, Any] = {**_ADAPTED, "half": "float16", "attention": True}
_TOKENS: dict[str, Any] = {"layout": _cells_to_tokens, "cell": 2}
_FLUX_2: dict[str, Any] = {
    "guidance": 4.0,
    "steps": 28,
    "negative_prompt": False,
    "layout": _cells_to_flat_tokens,
    "start_layout": _cells_to_channels,
    "cell": 2,
    "reference_limit": 4,
    "bounded_references": True,
    "one_at_a_time": True,
}
_QWEN: dict[str, Any] = {"guidance": 4.0, "guidance_keyword": "true_cfg_scale", **_TOKENS}
_ANY_SIZE: dict[str, Any] = {"use_resolution_binning": False, "clean_caption": False}

FAMILIES: dict[str, Family] = {
    family.pipeline: family
    for family in (
        Family(
            "Stable Diffusion 1.x, 2.x",
            "StableDiffusionPipeline",
            7.5,
            controls={"ControlNetModel": "StableDiffusionControlNetPipeline"},
            **_UNET,
        ),
        Family(
            "Latent Consistency (Stable Diffusion)",
            "LatentConsistencyModelPipeline",
            8.5,
            steps=4,
            negative_prompt=False,
            **_UNET,
        ),
        Family(
            "Stable Diffusion XL",
            "StableDiffusionXLPipeline",
            5.0,
            controls={
                "ControlNetModel": "StableDiffusionXLControlNetPipeline",
                "ControlNetUnionModel": "StableDiffusionXLControlNetUnionPipeline",
            },
            **_UNET,
        ),
        Family(
            "Stable Diffusion XL refiner",
            "StableDiffusionXLImg2ImgPipeline",
            5.0,
            options={"strength": 1.0},
            start_as_image=True,
            **_UNET,
        ),
        Family(
            "Stable Diffusion 3, 3.5",
            "StableDiffusion3Pipeline",
            7.0,
            steps=28,
            controls={"SD3ControlNetModel": "StableDiffusion3ControlNetPipeline"},
        ),
        Family(
            "FLUX.1",
            "FluxPipeline",
            3.5,
            steps=28,
            negative_prompt=False,
            controls={"FluxControlNetModel": "FluxControlNetPipeline"},
            **_TOKENS,
            **_ADAPTED,
        ),
        Family(
            "FLUX.1 Kontext",
            "FluxKontextPipeline",
            3.5,
            steps=28,
            negative_prompt=False,
            options={"_auto_resize": False},
            one_at_a_time=True,
            reference_limit=1,
            **_TOKENS,
            **_ADAPTED,
        ),
        Family("FLUX.2", "Flux2Pipeline", **_FLUX_2),
        Family("FLUX.2 klein", "Flux2KleinPipeline", **_FLUX_2),
        Family(
            "Qwen-Image",
            "QwenImagePipeline",
            controls={"QwenImageControlNetModel": "QwenImageControlNetPipeline"},
            **_QWEN,
        ),
        Family("Qwen-Image-Edit", "QwenImageEditPipeline", one_at_a_time=True, reference_limit=1, **_QWEN),
        Family("Qwen-Image-Edit-Plus", "QwenImageEditPlusPipeline", one_at_a_time=True, reference_limit=3, **_QWEN),
        Family(
            "Z-Image",
            "ZImagePipeline",
            5.0,
            distilled_steps=8,
            float32_latents=True,
            controls={"ZImageControlNetModel": "ZImageControlNetPipeline"},
        ),
        Family("Chroma", "ChromaPipeline", 5.0, **_TOKENS),
        Family(
            "Sana",
            "SanaPipeline",
            4.5,
            float32_latents=True,
            size_multiple=32,
            options={**_ANY_SIZE, "complex_human_instruction": None},
        ),
        Family("PixArt-alpha", "PixArtAlphaPipeline", 4.5, options=_ANY_SIZE, attention=True),
        Family("PixArt-sigma", "PixArtSigmaPipeline", 4.5, options=_ANY_SIZE, attention=True),
        Family("Lumina 2", "Lumina2Pipeline", 4.0, steps=30),
        Family("AuraFlow", "AuraFlowPipeline", 3.5),
        Family(
            "PRX in pixel space",
            "PRXPixelPipeline",
            4.0,
            steps=28,
            options={"use_resolution_binning": False},
            one_at_a_time=True,
        ),
    )
}


def controlled_family(kind: object) -> str | None:
    """The title of the family that a class of ControlNets is for."""
    return next((family.title for family in FAMILIES.values() if kind in family.controls), None)
