"""Models in one file, ``.safetensors`` or GGUF: the network alone, or a whole pipeline, as most checkpoints are shared.

A whole file needs nothing else: the configurations and tokenizers of its family are in the package. What a file lacks
comes from a base folder, which is said once, in a small file beside it (``warpnoise models FILE --base FOLDER`` writes
it): ``NAME.gguf.json`` with ``{"base": "FOLDER"}``, relative to the file or absolute.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warpnoise.errors import MissingBaseError, ModelError
from warpnoise.media.atomic import write_bytes
from warpnoise.sdedit.model_bounds import read_config, tensor_shapes
from warpnoise.sdedit.model_files import PICKLES, check_safetensors
from warpnoise.sdedit.network_kinds import PREFIX as _NETWORK
from warpnoise.sdedit.network_kinds import NetworkKind, check_quantization, gguf_shapes, network_kind
from warpnoise.sdedit.places import resolve

SUFFIXES = (".safetensors", ".gguf")
CONFIGS = Path(__file__).parents[1] / "models" / "configs"
"""A diffusers folder without weights and tokenizers for each kind of whole file."""

_Shapes = Mapping[str, tuple[int, ...]]

_CLIP_L, _CLIP_G, _T5 = (f"text_encoders.{name}.transformer." for name in ("clip_l", "clip_g", "t5xxl"))
_PREFIXES = {
    "sd15": {"text_encoder": "cond_stage_model.transformer."},
    "sd21": {"text_encoder": "cond_stage_model.model."},
    "sdxl": {
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
    "sdxl-refiner": {"text_encoder_2": "conditioner.embedders.0.model."},
    "sd3": {"text_encoder": _CLIP_L, "text_encoder_2": _CLIP_G, "text_encoder_3": _T5},
    "sd35-medium": {"text_encoder": _CLIP_L, "text_encoder_2": _CLIP_G, "text_encoder_3": _T5},
    "sd35-large": {"text_encoder": _CLIP_L, "text_encoder_2": _CLIP_G, "text_encoder_3": _T5},
    "flux-dev": {"text_encoder": _CLIP_L, "text_encoder_2": _T5},
    "flux-schnell": {"text_encoder": _CLIP_L, "text_encoder_2": _T5},
}
"""How the names of each part's tensors begin, by the name of the configuration."""
VAE = ("first_stage_model.", "vae.")
_ADAPTER = re.compile(r"lora|hada_w\d|lokr_w\d", re.IGNORECASE)
"""In names of tensors of a LoRA, a LoHa or a LoKr."""
_ENCODER = re.compile(r"text_encoders\.\w+\.transformer\.")
"""How names of a text encoder's tensors begin in whole files of other families. The rest is as its makers name them."""
_VAES = {"Chroma": VAE, "Z-Image": VAE}
"""How names of an autoencoder's tensors begin, for families of whose autoencoder diffusers knows the layout."""
_OPTIONAL = frozenset({"text_encoder_3"})
"""Parts that a pipeline does without: T5 in Stable Diffusion 3."""

_TRAILING = {"timestep_spacing": "trailing"}
_DISTILLED: Mapping[str, Mapping[str, Any]] = {
    "turbo": {"_class_name": "EulerAncestralDiscreteScheduler", **_TRAILING},
    "lightning|hyper|dmd": {"_class_name": "EulerDiscreteScheduler", **_TRAILING},
    "lcm": {"_class_name": "LCMScheduler"},
}
"""Words in names of models that were distilled to a few steps, which nothing else says of many; and their schedulers,
of Stable Diffusion in one file."""


@dataclass(frozen=True)
class OneFile:
    """What a file holds, and where the rest is.

    ``folder``: with the configurations, and with the weights of other parts. ``parts``: those whose weights are taken
    from the file beside the network's, and how the names of their tensors begin, where that is not left to diffusers.
    ``network``: the kind of the network, if it is known.
    ``left_out``: parts that the pipeline does without. ``scheduler``: entries that replace the folder's, of a file that
    was distilled to a few steps, by its name.
    """

    path: Path
    folder: Path
    parts: Mapping[str, str]
    left_out: frozenset[str] = frozenset()
    scheduler: Mapping[str, Any] | None = None
    network: NetworkKind | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the package has the rest."""
        return self.folder.parent == CONFIGS


def read_one_file(path: Path) -> OneFile:
    """What a one-file model is.

    Raises:
        ModelError: the file is a pickle, broken, a LoRA, or of no known kind; or parts are missing and its base is not
            said.
    """
    shapes = check_file(path)
    try:
        kind = _kind(shapes)
    except ModelError as error:
        raise ModelError(f"model {path} {error}") from None
    network = network_kind(shapes)
    parts = _parts_for_a_base(network, shapes) if kind is None else _parts(kind, shapes)
    base = _noted_base(path)
    if base is not None:
        return OneFile(path, base, parts, network=network)
    if kind is None:
        what = f"with a network of {network.family}" if network else "with a network of no family that is recognized"
        such = f" such as {network.base}" if network else ""
        lacking = [part for part in ("text_encoder", "vae") if part not in parts]
        raise MissingBaseError(
            f"model {path} is one file, {what}. It takes {_listed([*lacking, 'tokenizer', 'configuration'])} from a "
            f"base, which is not named yet: a diffusers folder of the family, or a downloaded model{such}. Name it "
            f"with: warpnoise models {path} --base FOLDER",
            network.base if network else "",
        )
    absent = {"vae", *_PREFIXES[kind]} - set(parts)
    if missing := sorted(absent - _OPTIONAL):
        raise MissingBaseError(
            f"model {path} lacks {_listed(missing)}. Name a diffusers folder that has these parts: "
            f"warpnoise models {path} --base FOLDER",
            network.base if network else "",
        )
    tokenizers = {name.replace("text_encoder", "tokenizer") for name in absent}
    return OneFile(path, CONFIGS / kind, parts, frozenset(absent | tokenizers), _distilled(kind, path.name))


def set_base(path: Path, base: str | os.PathLike[str]) -> None:
    """Note which base a file is for: a folder, or what else `places.resolve` takes.

    Raises:
        ModelError: no such file, no such base, or the note cannot be written.
    """
    if path.is_dir():
        raise ModelError(f"model {path} is a folder, which needs no base: leave it out, or name a file")
    check_file(path)
    folder = resolve(base, "model").resolve()
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"base {base} is not a diffusers folder: it has no model_index.json. Name another")
    content = json.dumps({"base": str(folder)}, indent=1) + "\n"
    write_bytes(_note(path), content.encode(), error=ModelError)


def check_file(path: Path) -> _Shapes:
    """Whether a file can be a model. Its tensors' shapes. Raises ModelError."""
    if path.suffix in PICKLES:
        raise ModelError(
            f"model {path} is a pickle, which can run any program when it is loaded: get it as a .safetensors file"
        )
    if path.suffix not in SUFFIXES:
        raise ModelError(f"model {path} is a file, expected a folder, a .safetensors or a .gguf file")
    if path.suffix == ".gguf":
        return gguf_shapes(path)
    check_safetensors(path, "model")
    shapes = tensor_shapes(path)
    check_quantization(path, shapes)
    if any(_ADAPTER.search(name) for name in shapes):
        raise ModelError(f"model {path} is a LoRA: choose the model that it was made for, and add this file as a LoRA")
    if any(name.startswith(("control_model.", "controlnet_cond_embedding.")) for name in shapes):
        raise ModelError(
            f"model {path} is a ControlNet: choose the model that it controls, and add a folder as a control"
        )
    if any(name.startswith("ip_adapter.") for name in shapes):
        raise ModelError(
            f"model {path} is an IP-Adapter: choose the model that it was made for, and add this file as an IP-Adapter"
        )
    if 1 <= len(shapes) <= 2 and all(len(shape) <= 2 and "." not in name for name, shape in shapes.items()):
        raise ModelError(
            f"model {path} is a textual inversion: choose the model that it was made for, and add this file as one"
        )
    return shapes


def _kind(shapes: _Shapes) -> str | None:
    """The configuration of a file with more than a network; None: it has no more, or is of another family.

    Raises:
        ModelError: a kind of U-Net that does not run.
    """

    def has(*beginnings: str) -> bool:
        return any(name.startswith(beginnings) for name in shapes)

    def network(name: str) -> tuple[int, ...] | None:
        return shapes.get(_NETWORK + name)

    if not has(_NETWORK) or not has(*VAE, "cond_stage_model.", "conditioner.", "text_encoders."):
        return None
    if first := network("input_blocks.0.0.weight"):
        if first[1:2] != (4,):
            raise ModelError("is an inpainting, depth or InstructPix2Pix model, which is not supported")
        if has("conditioner.embedders.1."):
            return "sdxl"
        if has("conditioner.embedders.0.model."):
            return "sdxl-refiner"
        if has("cond_stage_model."):
            return "sd15" if has("cond_stage_model.transformer.") else "sd21"
        width = (network("input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight") or (0,))[-1]
        return {768: "sd15", 1024: "sd21", 2048: "sdxl", 1280: "sdxl-refiner"}.get(width)
    if has(f"{_NETWORK}joint_blocks.0."):
        if has(f"{_NETWORK}joint_blocks.0.x_block.attn2."):
            return "sd35-medium"
        return "sd35-large" if has(f"{_NETWORK}joint_blocks.37.") else "sd3"
    if (found := network_kind(shapes)) is not None and found.family == "FLUX.1":
        return "flux-dev" if has(f"{_NETWORK}guidance_in.") else "flux-schnell"
    return None


def _parts(kind: str, shapes: _Shapes) -> dict[str, str]:
    """Those of a whole file beside its network."""
    found = {part: begin for part, begin in _PREFIXES[kind].items() if any(name.startswith(begin) for name in shapes)}
    if any(name.startswith(VAE) for name in shapes):
        found["vae"] = ""
    return found


def _parts_for_a_base(network: NetworkKind | None, shapes: _Shapes) -> dict[str, str]:
    """The same of a file whose configuration the package does not have."""
    if network is None or not any(name.startswith(_NETWORK) for name in shapes):
        return {}
    found = {}
    encoders = {begin[0] for name in shapes if (begin := _ENCODER.match(name))}
    if len(encoders) == 1:
        (found["text_encoder"],) = encoders
    if any(name.startswith(_VAES.get(network.family, ())) for name in shapes):
        found["vae"] = ""
    return found


def distilled_word(name: str) -> str | None:
    """The word in a model's name that says that it was distilled to a few steps: a key of ``_DISTILLED``."""
    words = re.sub(r"[^a-z]+", " ", name.lower())
    return next((word for word in _DISTILLED if re.search(rf"\b(?:sdxl)?(?:{word})", words)), None)


def _distilled(kind: str, name: str) -> Mapping[str, Any] | None:
    word = distilled_word(name) if kind in ("sd15", "sdxl") else None
    return None if word is None else _DISTILLED[word]


def _noted_base(path: Path) -> Path | None:
    note = _note(path)
    if not note.is_file():
        return None
    base = read_config(note).get("base")
    if not isinstance(base, str) or not base:
        raise MissingBaseError(
            f'{note}: expected {{"base": "FOLDER"}}: write it again with warpnoise models {path} --base FOLDER'
        )
    folder = (path.parent / Path(base).expanduser()).resolve()
    if not (folder / "model_index.json").is_file():
        raise MissingBaseError(
            f"model {path}: its base {folder} is not a diffusers folder, or no longer there: name another with "
            f"warpnoise models {path} --base FOLDER"
        )
    return folder


def _listed(parts: list[str]) -> str:
    names = [f"its {part.replace('_', ' ')}".replace("vae", "autoencoder") for part in parts]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")
