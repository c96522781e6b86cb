"""``model_index.json``: the parts of a model, and its family.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from typing import Any

from warpnoise.errors import ModelError
from warpnoise.sdedit.families import FAMILIES, Family
from warpnoise.sdedit.model_bounds import ADVICE

NO_WEIGHTS = ("Tokenizer", "TokenizerFast", "Processor", "FeatureExtractor", "Scheduler")
"""Ends of the names of classes without weights."""
_NOT_LOADED = ("safety_checker", "feature_extractor")


def family_of(
    where: object, index: dict[str, Any], index_name: str = "model_index.json"
) -> tuple[dict[str, tuple[str, str]], Family | None]:
    """The parts and the family of a model, of the object in ``model_index.json``.

    Args:
        where: names the model in messages.
        index_name: "config.json": the object is the network's own, of a repository that holds no more than a network
            and its scheduler.

    Returns:
        (library, class) of each part that is loaded; and the family, None for a pixel model.

    Raises:
        ModelError: not one that Warpnoise runs.
    """
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str | None):
        raise ModelError(f"{where}: its _class_name is {str(pipeline)[:60]}; expected a name. {ADVICE}")
    if index_name == "config.json":
        index = {"unet": ["diffusers", pipeline], "scheduler": ["diffusers", "Scheduler"]}
        pipeline = None
    parts = {
        key: (str(value[0]), str(value[1]))
        for key, value in index.items()
        if isinstance(value, list) and len(value) == 2 and value[1] and key not in _NOT_LOADED
    }
    kinds = {part: kind for part, (_, kind) in parts.items()}
    if kinds.get("unet") == "UNet2DModel" and set(kinds) <= {"unet", "scheduler", "vae"}:
        return parts, None
    if pipeline in FAMILIES:
        return parts, FAMILIES[pipeline]
    if "controlnet" in kinds:
        raise ModelError(
            f"{where} is a {pipeline}, which holds a ControlNet. Give the model that it controls as the model, and "
            f"{where}/controlnet as a control"
        )
    if "ControlNet" in str(kinds.get("unet")):
        raise ModelError(f"{where} is a ControlNet: choose the model that it controls, and add {where} as a control")
    what = str(pipeline or kinds.get("unet") or "model without a name")[:80]
    raise ModelError(f"{where} is a {what}, which is not supported. Choose one of {supported()}")


def supported() -> str:
    """The families, for messages."""
    titles = [family.title for family in FAMILIES.values()]
    first = "pixel models (a UNet2DModel and a scheduler, with or without a VAE)"
    return f"{first}, {', '.join(titles[:-1])} or {titles[-1]}"
