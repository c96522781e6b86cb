"""The files of a model in diffusers' layout: one folder a part, each with its configuration and weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from warpnoise.errors import ModelError
from warpnoise.sdedit.editor import EditSettings

_LONGEST_HEADER = 100_000_000
"""Bytes; the limit of safetensors itself."""

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def component(folder: Path, part: str) -> Path:
    """Where a part of a model lies: in a folder of its name, or, in single-model repositories, at the root."""
    return folder / part if (folder / part).is_dir() else folder


def find_weights(place: Path) -> tuple[list[Path], str | None]:
    """The safetensors files of one part, and their variant ("fp16"; None: the plain ones, which are preferred).

    Raises:
        ModelError: there are none, or only pickles, which can run any program when they are loaded.
    """
    found = sorted(place.glob("*.safetensors"))
    names = [file for file in found if file.name.startswith(("diffusion_pytorch_model", "model"))]
    plain = [file for file in names if file.stem.count(".") == 0]
    if plain:
        return plain, None
    if names:
        variant = names[0].stem.split(".")[1].split("-")[0]
        return [file for file in names if f".{variant}" in file.name], variant
    pickles = sorted(file.name for file in place.iterdir() if file.suffix in PICKLES)
    if pickles:
        raise ModelError(
            f"{place} holds its weights only as a pickle ({pickles[0]}), which can run any program when it is loaded: "
            "get the model in safetensors form, or convert it once where you trust it "
            "(load it with diffusers, then save_pretrained(..., safe_serialization=True))"
        )
    raise ModelError(
        f"{place}: no weights (diffusion_pytorch_model.safetensors or model.safetensors): download the model again"
    )


def named_files(settings: EditSettings) -> list[Path]:
    """The files beside the model that the settings name, and that decide what is painted."""
    controls = [Path(control.path).expanduser() for control in settings.controls]
    networks = [file for folder in controls for file in (folder / "config.json", *find_weights(folder)[0])]
    return [*(Path(lora.path).expanduser() for lora in settings.loras), *networks]


def check_safetensors(path: Path, what: str) -> None:
    """Whether a file that the user named is a whole safetensors file, by its header.

    Args:
        what: the setting, for the message.

    Raises:
        ModelError: it is not there, a pickle, or broken off.
    """
    if not path.is_file():
        raise ModelError(f"{what} {path}: there is no such file")
    if path.suffix in PICKLES:
        raise ModelError(
            f"{what} {path} is a pickle, which can run any program when it is loaded: get it as a .safetensors file"
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
                raise ValueError("its header has a length that cannot be")
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        if max(ends, default=0) != size - 8 - length:
            raise ValueError(f"it has {size - 8 - length} bytes of weights, and announces {max(ends, default=0)}")
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ModelError(f"{what} {path} is no whole safetensors file ({error}): download it again") from error


def read_json(path: Path) -> dict[str, Any]:
    """An object out of a JSON file. Raises ModelError where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing: this is not a complete diffusers model; download it again") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}): download the model again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object, got {type(content).__name__}: download the model again")
    return content
