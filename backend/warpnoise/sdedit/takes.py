"""Which settings a model has. Interfaces hide the others."""

from __future__ import annotations

from warpnoise.sdedit.folder import ModelFolder

_OF_TEXT = frozenset(
    ("prompt", "negative_prompt", "loras", "controls", "embeddings", "ip_adapters", "references", "attention")
)

_SELF_ATTENTION = (
    "StableDiffusionPipeline",
    "LatentConsistencyModelPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "PixArtAlphaPipeline",
    "PixArtSigmaPipeline",
)
"""Whose networks have self-attentions that can see other tokens through diffusers' public processors. The others attend
to text and picture jointly."""


def unused_settings(model: ModelFolder) -> frozenset[str]:
    """Names of the settings that do nothing with a model, or that it refuses."""
    unused = set() if model.styles else {"style"}
    if "vae" not in model.parts:
        unused.add("latent_noise")
    if model.family is None:
        unused |= _OF_TEXT | (set() if model.sheet.null_class is not None else {"guidance"})
        return frozenset(unused - ({"latent_noise"} if "vae" in model.parts else set()))
    family = model.family
    if not family.negative_prompt:
        unused.add("negative_prompt")
    if not family.controls:
        unused.add("controls")
    if not family.ip_adapters:
        unused.add("ip_adapters")
    if not family.embeddings:
        unused.add("embeddings")
    if family.pipeline not in _SELF_ATTENTION:
        unused.add("attention")
    if model.references == 0:
        unused.add("references")
    return frozenset(unused)
