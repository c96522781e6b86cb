"""The files of a model in diffusers' layout: a folder for each part, with its configuration and weights.

What the files claim is checked before it is believed. A configuration of a few bytes can request a billion layers, so
its values are limited by their names, and the size of the network is compared with the headers of the weights' files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from warpnoise.errors import ModelError
from warpnoise.media.json_file import read_object
from warpnoise.sdedit.edit_settings import EditSettings, IpAdapter
from warpnoise.sdedit.places import resolve

ADVICE: Final = "Download the model again."
LARGEST_CONFIG: Final = 4 << 20
"""Bytes."""
MOST_CLASSES: Final = 100_000
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_SHARD = re.compile(r"-\d{5}-of-(?P<count>\d{5})")
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:\.(?P<variant>[A-Za-z0-9_]+))?(?:-\d{5}-of-\d{5})?\.safetensors", re.ASCII
)
_LONGEST_LIST = 4096
_LARGEST_NUMBER = 1 << 40
_LIMITS = (
    (re.compile(r"layers|depth|num_blocks|blocks_per"), 512),
    (re.compile(r"timesteps"), 1_000_000),
    (re.compile(r"channels|size|dim|heads|groups|classes|class_embeds|factor|embeddings|latents|rank"), 1 << 21),
)
"""Patterns of names, and the largest whole number that such a value may have. The first match counts."""


def component(folder: Path, part: str) -> Path:
    """Where a part of a model lies: in a folder of its name, or, in single-model repositories, at the root."""
    return folder / part if (folder / part).is_dir() else folder


def read_config(path: Path, missing: str = "this is not a complete diffusers model") -> dict[str, Any]:
    """The object in a model's JSON file, its values checked.

    Args:
        missing: what it means that there is no such file.

    Raises:
        ModelError: missing, not JSON, not an object, or a value that no model has.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing: {missing}. {ADVICE}")
    config = read_object(path, error=ModelError, advice=ADVICE, largest=LARGEST_CONFIG, finite=False)
    check_config(path, config)
    return config


def check_config(where: object, config: dict[str, Any]) -> None:
    """Raises ModelError for a value that no model has; ``where`` names the configuration."""
    for name, value in _values(config):
        if isinstance(value, list) and len(value) > _LONGEST_LIST:
            expected = f"has {len(value)} values; expected at most {_LONGEST_LIST}"
            raise ModelError(f"{where}: {name[:60]} {expected}. {ADVICE}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        limit = next((most for names, most in _LIMITS if names.search(name)), math.inf)
        if isinstance(value, int):
            limit = min(limit, _LARGEST_NUMBER)
        if not abs(value) <= limit:
            raise ModelError(f"{where}: {name[:60]} is {str(value)[:40]}; expected at most {limit}. {ADVICE}")


def _values(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no object, with the key that it belongs to; a list after its items."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, key)
        return
    if isinstance(value, list):
        for item in value:
            yield from _values(item, name)
    yield name, value


def choose_weights(names: Iterable[str], prefer: Sequence[str | None]) -> tuple[list[str], str | None]:
    """The safetensors files of one network among files' names, and their variant.

    Args:
        prefer: variants, the best first: "fp16"; None: the plain files. If there is none of these, others are taken.

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
    for name in chosen:
        if (shard := _SHARD.search(name)) and len(chosen) != int(shard["count"]):
            raise ModelError(
                f"{place} has {len(chosen)} of the {int(shard['count'])} files of its weights: its download is "
                f"incomplete. {ADVICE}"
            )
    if chosen:
        return [place / name for name in chosen], variant
    if pickle := min((name for name in names if name.endswith(PICKLES)), default=None):
        raise ModelError(
            f"{place} holds its weights only as a pickle ({pickle}), which can run any program when it is loaded: "
            "get the model in safetensors form, or convert it once where you trust it "
            "(load it with diffusers, then save_pretrained(..., safe_serialization=True))"
        )
    raise ModelError(
        f"{place}: no weights (diffusion_pytorch_model.safetensors or model.safetensors): download the model again"
    )


def check_weights(place: Path, needed: int = 0) -> None:
    """Check by the files' headers that one part's weights are complete.

    Args:
        needed: the number of weights that a network of this configuration has; 0: not known. Libraries would create
            what the files lack, of any size, before they report it. Only they can compare names: old files differ.

    Raises:
        ModelError: as `find_weights`; a file is incomplete or not a safetensors file; or the network is far larger.
    """
    found = sum(math.prod(shape) for file in find_weights(place)[0] for shape in tensor_shapes(file).values())
    if needed > 1.1 * found + 1000:
        raise ModelError(
            f"{place}: its config.json asks for {needed} numbers, and its weights hold {found}: they are of another "
            f"model. {ADVICE}"
        )


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file, by its header, which must agree with the file's size.

    Raises:
        ModelError: not a complete safetensors file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. Check its permissions.") from error
    except SafetensorError as error:
        reason = str(error).removeprefix("Error while deserializing header: ")[:200]
        raise ModelError(f"{path} is not a complete safetensors file ({reason}). {ADVICE}") from error


def named_tensors(path: Path, what: str) -> dict[str, tuple[int, ...]]:
    """`tensor_shapes` of a file that the user named.

    Args:
        what: the setting, for the message.

    Raises:
        ModelError: it does not exist, is a pickle, or is not a complete safetensors file.
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
        return tensor_shapes(path)
    except ModelError as error:
        raise ModelError(f"{what} {error}") from error


def image_encoder(adapter: IpAdapter) -> Path:
    """The folder of an IP-Adapter's image encoder."""
    if adapter.encoder:
        return resolve(adapter.encoder, "ip_adapter")
    return resolve(adapter.path, "ip_adapter").parent / "image_encoder"


def named_files(settings: EditSettings) -> list[Path]:
    """The files besides the model that the settings name and that affect the result."""
    networks = [resolve(control.path, "control") for control in settings.controls]
    networks += map(image_encoder, settings.ip_adapters)
    return [
        *(resolve(lora.path, "lora") for lora in settings.loras),
        *(resolve(embedding.path, "embedding") for embedding in settings.embeddings),
        *(resolve(adapter.path, "ip_adapter") for adapter in settings.ip_adapters),
        *(file for folder in networks for file in (folder / "config.json", *find_weights(folder)[0])),
        *(Path(adapter.image).expanduser() for adapter in settings.ip_adapters),
        *(Path(reference.path).expanduser() for reference in settings.references),
    ]
