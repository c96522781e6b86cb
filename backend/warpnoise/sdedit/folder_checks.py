"""Checks whether Warpnoise supports a model: its family, its parts, and their configurations.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpnoise.errors import ModelError
from warpnoise.sdedit.families import FAMILIES, Family
from warpnoise.sdedit.model_files import ADVICE, MOST_CLASSES, component, read_config
from warpnoise.sdedit.samplers import SCHEDULERS

if TYPE_CHECKING:
    from warpnoise.sdedit.folder import ModelFolder

NO_WEIGHTS = ("Tokenizer", "TokenizerFast", "Processor", "FeatureExtractor", "Scheduler")
"""Ends of the names of classes without weights."""
_NOT_LOADED = ("safety_checker", "feature_extractor")
GEOMETRY_CHANNELS = 4
"""The three components of a normal, and whether there is a surface; see ``Editor.edit``."""
_LARGEST_SIZE = 1 << 20
_MOST_BLOCKS = 16


def check_folder(path: Path) -> None:
    if not path.is_dir():
        raise ModelError(
            f"model {path}: there is no such folder. Give 'default', the path of a diffusers folder or of a file, or "
            "the id of a model that was downloaded: `warpnoise models` lists the installed models"
        )
    if not (path / "model_index.json").is_file() and not (path / "config.json").is_file():
        raise ModelError(f"{path} is not a diffusers model: it has no model_index.json. Choose one of {supported()}")


def check_values_of(folder: ModelFolder) -> None:
    """Raises ModelError: a value in the configuration makes no sense, so that later computations would fail."""
    try:
        sizes = (folder.vae_factor, folder.latent_channels, folder.size_multiple, folder.train_timesteps)
        _ = (folder.guidance, folder.steps, folder.sampler, folder.weighted, folder.is_distilled)
        blocks = folder.network.get("block_out_channels", [1])
        if not (isinstance(blocks, list) and 0 < len(blocks) <= _MOST_BLOCKS and all(size > 0 for size in blocks)):
            raise ValueError(f"block_out_channels {str(blocks)[:40]}")
        if not all(0 < size <= _LARGEST_SIZE for size in sizes):
            raise ValueError("a size of 0, below, or far too large")
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        raise ModelError(
            f"{folder.path}: its configuration holds a value that no such model has ({str(error)[:200]}). "
            "Download the model again."
        ) from None


def check_channels(folder: ModelFolder) -> None:
    if folder.family is None:
        _check_channels_without_family(folder)
        return
    expected = folder.latent_channels * (folder.family.cell**2 if folder.family.cell > 1 else 1)
    got = folder.network.get("in_channels", expected)
    if got != expected:
        kind = "U-Net" if "unet" in folder.parts else "transformer"
        raise ModelError(
            f"{folder.path}: expected a {kind} of {expected} channels in, for the VAE's latents, got {got}: "
            "inpainting, depth and InstructPix2Pix models are not supported"
        )


def _check_channels_without_family(folder: ModelFolder) -> None:
    one = folder.latent_channels
    got = (folder.network.get("in_channels", 3), folder.network.get("out_channels", 3))
    learned = str(folder.scheduler.get("variance_type", "")).startswith("learned")
    out = 2 * one if learned else one
    if got[0] not in (one, 2 * one, 2 * one + GEOMETRY_CHANNELS) or got[1] != out:
        what = "the VAE's latents" if folder.vae else "red, green, blue"
        raise ModelError(
            f"{folder.path}: expected a U-Net of {one} channels in ({what}; {2 * one} if it is given the frame too; "
            f"{2 * one + GEOMETRY_CHANNELS} if its geometry as well) and {out} out, got {got[0]} and {got[1]}: "
            "choose a model of RGB images"
        )


def count_classes(path: Path, unet: dict[str, Any]) -> int | None:
    if unet.get("class_embed_type") is not None:
        raise ModelError(
            f"{path}: class_embed_type {str(unet['class_embed_type'])[:40]!r} is not supported: "
            "expected a table of embeddings (num_class_embeds, class_embed_type null)"
        )
    classes = unet.get("num_class_embeds")
    if classes is None:
        return None
    if isinstance(classes, bool) or not isinstance(classes, int) or not 0 < classes <= MOST_CLASSES:
        raise ModelError(
            f"{path}: num_class_embeds is {repr(classes)[:40]}; expected a number from 1 to {MOST_CLASSES}."
        )
    return classes


def read_scheduler(path: Path) -> dict[str, Any]:
    config = read_config(component(path, "scheduler") / "scheduler_config.json")
    name = config.get("_class_name")
    if name not in SCHEDULERS:
        raise ModelError(
            f"{path}: its scheduler is {str(name)[:80]}, whose noise schedule is not supported: "
            f"expected one of {', '.join(sorted(SCHEDULERS))}"
        )
    return config


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
