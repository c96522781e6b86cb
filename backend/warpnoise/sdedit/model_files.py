"""The files of a model in diffusers' layout: a folder for each part, with its configuration and weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from warpnoise.errors import ModelError
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.model_bounds import tensor_shapes
from warpnoise.sdedit.places import resolve

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_SHARD = re.compile(r"-\d{5}-of-(?P<count>\d{5})")
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:\.(?P<variant>[A-Za-z0-9_]+))?(?:-\d{5}-of-\d{5})?\.safetensors", re.ASCII
)


def component(folder: Path, part: str) -> Path:
    """Where a part of a model lies: in a folder of its name, or, in single-model repositories, at the root."""
    return folder / part if (folder / part).is_dir() else folder


def choose_weights(names: Iterable[str], prefer: Sequence[str | None]) -> tuple[list[str], str | None]:
    """The safetensors files of one network among files' names, and their variant.

    Args:
        prefer: variants, the best first: "fp16"; None: the plain files. Others are taken where there is none of these.

    Returns:
        None and no names: there are no such files.
    """
    variants: dict[str | None, list[str]] = {}
    for name in sorted(names):
        if match := _WEIGHTS.fullmatch(name):
            variants.setdefault(match["variant"], []).append(name)
    for variant in (*prefer, *variants):
        if variant in variants:
            return variants[variant], variant
    return [], None


def find_weights(place: Path) -> tuple[list[Path], str | None]:
    """The safetensors files of one part, and their variant ("fp16"; None: the plain ones, which are preferred).

    Raises:
        ModelError: there are none; one of several is missing; or there are only pickles, which can run any program when
            they are loaded.
    """
    names = [file.name for file in place.iterdir()]
    chosen, variant = choose_weights(names, (None, "fp16"))
    if chosen:
        for name in chosen:
            if (shard := _SHARD.search(name)) and len(chosen) != int(shard["count"]):
                raise ModelError(
                    f"{place} has {len(chosen)} of the {int(shard['count'])} files of its weights: its download is "
                    "incomplete. Download the model again."
                )
        return [place / name for name in chosen], variant
    pickles = sorted(name for name in names if name.endswith(PICKLES))
    if pickles:
        raise ModelError(
            f"{place} holds its weights only as a pickle ({pickles[0]}), which can run any program when it is loaded: "
            "get the model in safetensors form, or convert it once where you trust it "
            "(load it with diffusers, then save_pretrained(..., safe_serialization=True))"
        )
    raise ModelError(
        f"{place}: no weights (diffusion_pytorch_model.safetensors or model.safetensors): download the model again"
    )


def check_weights(place: Path) -> None:
    """Whether one part's weights are there and whole, by the files' headers.

    Raises:
        ModelError: as `find_weights`; or a file is broken off or no safetensors file.
    """
    for file in find_weights(place)[0]:
        tensor_shapes(file)


def named_files(settings: EditSettings) -> list[Path]:
    """The files besides the model that the settings name and that affect the result."""
    adapters = [resolve(each.path, "ip_adapter") for each in settings.ip_adapters]
    networks = [resolve(control.path, "control") for control in settings.controls]
    networks += [
        resolve(each.encoder, "ip_adapter") if each.encoder else path.parent / "image_encoder"
        for each, path in zip(settings.ip_adapters, adapters, strict=True)
    ]
    return [
        *(resolve(lora.path, "lora") for lora in settings.loras),
        *(resolve(embedding.path, "embedding") for embedding in settings.embeddings),
        *adapters,
        *(file for folder in networks for file in (folder / "config.json", *find_weights(folder)[0])),
        *(Path(each.image).expanduser() for each in settings.ip_adapters),
        *(Path(reference.path).expanduser() for reference in settings.references),
    ]


def check_safetensors(path: Path, what: str) -> None:
    """Whether a file that the user named is a whole safetensors file, by its header.

    Args:
        what: the setting, for the message.

    Raises:
        ModelError: it is not there, a pickle, or broken off.
    """
    if not path.is_file():
        there = "is a folder, expected a file" if path.is_dir() else "there is no such file"
        raise ModelError(
            f"{what} {path}: {there}. Give the path of a .safetensors file, or its name in the models folder"
        )
    if path.suffix in PICKLES:
        raise ModelError(
            f"{what} {path} is a pickle, which can run any program when it is loaded: get it as a .safetensors file"
        )
    try:
        tensor_shapes(path)
    except ModelError as error:
        raise ModelError(f"{what} is not a complete safetensors file: {error}") from error
