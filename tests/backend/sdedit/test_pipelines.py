"""The pipelines of the installed diffusers that fit the project."""

from __future__ import annotations

import inspect
from typing import Any

from warpnoise.sdedit.families import FAMILIES

TAKES_OUR_START = """
AuraFlow Chroma CogView4 Flux Flux2 Flux2Klein HunyuanDiT LatentConsistencyModel Lumina Lumina2 OvisImage PRX
PixArtAlpha PixArtSigma QwenImage Sana StableDiffusion StableDiffusion3 StableDiffusionXL ZImage
"""


def test_which_pipelines_of_diffusers_have_the_needed_shape() -> None:
    """Those that take ``latents``, step through a scheduler, and encode prompts apart can get a row."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    listed = {kind.__name__: kind for kind in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}
    fitting = {name for name, kind in listed.items() if _has_the_needed_shape(kind)}
    families = {family.pipeline for family in FAMILIES.values()}
    assert families & set(listed) <= fitting
    assert fitting >= {f"{name}Pipeline" for name in TAKES_OUR_START.split()} & set(listed)
    assert len(fitting) >= 0.7 * len(listed)
    assert not fitting & {"IFPipeline", "WuerstchenCombinedPipeline", "StableCascadeCombinedPipeline"}


def _has_the_needed_shape(kind: Any) -> bool:
    source = inspect.getsource(kind.__call__)
    parameters = inspect.signature(kind.__call__).parameters
    return "latents" in parameters and "scheduler.step(" in source and hasattr(kind, "encode_prompt")
