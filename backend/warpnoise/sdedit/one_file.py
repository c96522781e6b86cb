"""Models in one file: a ``.safetensors`` or GGUF file with the network that denoises, for a base folder with the rest.

Which base a file is for is said once, in a small file beside it (``warpnoise models FILE --base FOLDER`` writes it):
``NAME.gguf.json`` with ``{"base": "FOLDER"}``, relative to the file or absolute.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

import json
from pathlib import Path

from warpnoise.errors import ModelError
from warpnoise.media.atomic import write_bytes
from warpnoise.sdedit.model_bounds import read_config, tensor_shapes
from warpnoise.sdedit.model_files import PICKLES, check_safetensors

SUFFIXES = (".safetensors", ".gguf")
_WHOLE = ("first_stage_model.", "cond_stage_model.", "conditioner.", "vae.", "text_encoders.")
"""Beginnings of names in checkpoints that hold a whole pipeline."""


def base_of(path: Path) -> Path:
    """The folder with the parts that a one-file model lacks.

    Raises:
        ModelError: the file is a pickle, broken, a LoRA, or holds a whole pipeline; or its base is not said.
    """
    check_file(path)
    note = _note(path)
    if not note.is_file():
        raise ModelError(
            f"model {path} is one file, with the network alone. Say once which diffusers folder has its text encoders, "
            f"autoencoder and configuration: warpnoise models {path} --base FOLDER"
        )
    base = read_config(note).get("base")
    if not isinstance(base, str) or not base:
        raise ModelError(
            f'{note}: expected {{"base": "FOLDER"}}: write it again with warpnoise models {path} --base FOLDER'
        )
    return (path.parent / Path(base).expanduser()).resolve()


def set_base(path: Path, base: Path) -> None:
    """Note which base a file is for. Raises ModelError for what is no such file, and where it cannot be written."""
    check_file(path)
    content = json.dumps({"base": str(base.expanduser().resolve())}, indent=1) + "\n"
    write_bytes(_note(path), content.encode(), error=ModelError)


def check_file(path: Path) -> None:
    """Whether a file can be the network of a model. Raises ModelError."""
    if path.suffix in PICKLES:
        raise ModelError(
            f"model {path} is a pickle, which can run any program when it is loaded: get it as a .safetensors file"
        )
    if path.suffix not in SUFFIXES:
        raise ModelError(f"model {path} is a file, expected a folder, a .safetensors or a .gguf file")
    if path.suffix == ".gguf":
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"model {path} is no GGUF file: download it again")
        return
    check_safetensors(path, "model")
    names = list(tensor_shapes(path))
    if any("lora" in name.lower() for name in names):
        raise ModelError(f"model {path} is a LoRA: give the model that it was made for, and this file as a LoRA")
    if any(name.startswith(_WHOLE) for name in names):
        raise ModelError(
            f"model {path} holds a whole pipeline in one file. Make a folder of it, once: docs/models.md says how"
        )


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")
