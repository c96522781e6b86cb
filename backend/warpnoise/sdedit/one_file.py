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
from typing import Any, NamedTuple

from warpnoise.errors import MissingBaseError, ModelError
from warpnoise.media.atomic import write_bytes
from warpnoise.sdedit.families import Family
from warpnoise.sdedit.model_files import PICKLES, named_tensors, read_config
from warpnoise.sdedit.places import resolve

SUFFIXES = (".safetensors", ".gguf")
CONFIGS = Path(__file__).parents[1] / "models" / "configs"
"""A diffusers folder without weights and tokenizers for each kind of whole file."""

_Shapes = Mapping[str, tuple[int, ...]]

PREFIX = "model.diffusion_model."
"""The start of the names of a network's tensors, in most shared files."""


class NetworkKind(NamedTuple):
    """``family``: the start of the titles of the families that take the network. ``base``: a model of the hub that has
    the parts which the file lacks."""

    family: str
    base: str


_KINDS: tuple[tuple[tuple[str, ...], NetworkKind], ...] = (
    (
        ("single_stream_modulation.lin.", "single_stream_modulation.linear."),
        NetworkKind("FLUX.2", "black-forest-labs/FLUX.2-klein-4B"),
    ),
    (("distilled_guidance_layer.",), NetworkKind("Chroma", "lodestones/Chroma1-HD")),
    (
        ("double_blocks.0.img_attn.", "single_transformer_blocks.0.norm.linear."),
        NetworkKind("FLUX.1", "black-forest-labs/FLUX.1-schnell"),
    ),
    (("layers.0.adaLN_modulation.0.",), NetworkKind("Z-Image", "Tongyi-MAI/Z-Image-Turbo")),
    (("transformer_blocks.0.img_mod.",), NetworkKind("Qwen-Image", "Qwen/Qwen-Image")),
    (
        ("joint_blocks.0.", "transformer_blocks.0.norm1_context."),
        NetworkKind("Stable Diffusion 3", "stabilityai/stable-diffusion-3.5-medium"),
    ),
    (
        ("input_blocks.0.0.", "down_blocks.0.resnets.0."),
        NetworkKind("Stable Diffusion", "stabilityai/stable-diffusion-xl-base-1.0"),
    ),
)
"""Starts of names, in the family's own layout and in diffusers'. The first match counts."""
_FOREIGN = ("scaled_fp8", ".scale_weight", ".weight_scale", ".comfy_quant", ".qweight", ".absmax", ".proj_down")
"""Starts or ends of names of weights that another program has quantized: without its scales they are noise."""
_NOT_MODELS = (
    (
        re.compile(r"lora|hada_w\d|lokr_w\d", re.IGNORECASE),
        "a LoRA",
        "it was made for",
        "this file as a LoRA",
    ),  # also LoHa and LoKr
    (
        re.compile(r"^(control_model|controlnet_cond_embedding)\."),
        "a ControlNet",
        "it controls",
        "a folder as a control",
    ),
    (re.compile(r"^ip_adapter\."), "an IP-Adapter", "it was made for", "this file as an IP-Adapter"),
)
"""Names of tensors in other files; what these are, their model, and what to add to it."""

_CLIP_L, _CLIP_G, _T5 = (f"text_encoders.{name}.transformer." for name in ("clip_l", "clip_g", "t5xxl"))
_SD3 = {"text_encoder": _CLIP_L, "text_encoder_2": _CLIP_G, "text_encoder_3": _T5}
_FLUX = {"text_encoder": _CLIP_L, "text_encoder_2": _T5}
_PREFIXES = {
    "sd15": {"text_encoder": "cond_stage_model.transformer."},
    "sd21": {"text_encoder": "cond_stage_model.model."},
    "sdxl": {
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
    "sdxl-refiner": {"text_encoder_2": "conditioner.embedders.0.model."},
    "sd3": _SD3,
    "sd35-medium": _SD3,
    "sd35-large": _SD3,
    "flux-dev": _FLUX,
    "flux-schnell": _FLUX,
}
"""The start of the names of each part's tensors, by the name of the configuration."""
VAE = ("first_stage_model.", "vae.")
_ENCODER = re.compile(r"text_encoders\.\w+\.transformer\.")
"""The start of names of a text encoder's tensors in whole files of other families. Its makers chose the rest."""
_VAES = {"Chroma": VAE, "Z-Image": VAE}
"""The start of names of an autoencoder's tensors, for families whose autoencoder diffusers can read."""
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
    """The content of a file, and where the rest of the model is.

    ``folder``: has the configurations, and the weights of other parts. ``parts``: the parts whose weights are in the
    file besides the network's, each with the start of its tensors' names, or "" where diffusers finds them.
    ``left_out``: parts that the pipeline does without. ``scheduler``: entries that replace the folder's, if the file's
    name says that the model was distilled to a few steps. ``network``: the kind of the network, if it is known.
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

    def check_base(self, family: Family | None) -> None:
        """Raises MissingBaseError: the file's network is not of its base's family."""
        if family is None:
            problem = f"model {self.path}: its base {self.folder} is a pixel model, which comes as a folder only"
            raise _no_base(self.path, f"{problem}: name another")
        if self.network is not None and not family.title.startswith(self.network.family):
            problem = f"is a network of {self.network.family}, but its base {self.folder} is a model of {family.title}"
            raise _no_base(self.path, f"model {self.path} {problem}: name another", self.network)


def read_one_file(path: Path) -> OneFile:
    """The description of a model in one file.

    Raises:
        ModelError: the file is a pickle, damaged, a LoRA, or of no known kind; or it lacks parts and names no base.
    """
    shapes = _model_shapes(path)
    kind, network = _kind(path, shapes), network_kind(shapes)
    parts = _parts(kind, network, shapes)
    if (base := _noted_base(path)) is not None:
        return OneFile(path, base, parts, network=network)
    if kind is None:
        what = f"with a network of {network.family}" if network else "with a network of no family that is recognized"
        such = f" such as {network.base}" if network else ""
        missing = [*(part for part in ("text_encoder", "vae") if part not in parts), "tokenizer", "configuration"]
        problem = (
            f"model {path} is one file, {what}. It takes {_listed(missing)} from a base, which is not named yet: a "
            f"diffusers folder of the family, or a downloaded model{such}. Name it"
        )
        raise _no_base(path, problem, network)
    absent = {"vae", *_PREFIXES[kind]} - set(parts)
    if missing := sorted(absent - _OPTIONAL):
        problem = f"model {path} lacks {_listed(missing)}. Name a diffusers folder that has these parts"
        raise _no_base(path, problem, network)
    tokenizers = {name.replace("text_encoder", "tokenizer") for name in absent}
    word = distilled_word(path.name) if kind in ("sd15", "sdxl") else None
    scheduler = None if word is None else _DISTILLED[word]
    return OneFile(path, CONFIGS / kind, parts, frozenset(absent | tokenizers), scheduler)


def set_base(path: Path, base: str | os.PathLike[str]) -> None:
    """Write the note that names a file's base: a folder, or what else `places.resolve` takes.

    Raises:
        ModelError: no such file, no such base, or the note cannot be written.
    """
    if path.is_dir():
        raise ModelError(f"model {path} is a folder, which needs no base: leave it out, or name a file")
    _model_shapes(path)
    folder = resolve(base, "model").resolve()
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"base {base} is not a diffusers folder: it has no model_index.json. Name another")
    content = json.dumps({"base": str(folder)}, indent=1) + "\n"
    write_bytes(_note(path), content.encode(), error=ModelError)


def network_kind(shapes: _Shapes) -> NetworkKind | None:
    """The kind of a network; None: no known one."""
    plain = [name.removeprefix(PREFIX) for name in shapes]
    return next((kind for marks, kind in _KINDS if any(name.startswith(marks) for name in plain)), None)


def distilled_word(name: str) -> str | None:
    """The word in a model's name that says that it was distilled to a few steps: a key of ``_DISTILLED``."""
    words = re.sub(r"[^a-z]+", " ", name.lower())
    return next((word for word in _DISTILLED if re.search(rf"\b(?:sdxl)?(?:{word})", words)), None)


def _model_shapes(path: Path) -> _Shapes:
    """The tensors' shapes of a file that can be a model. Raises ModelError for any other."""
    if path.suffix not in (*SUFFIXES, *PICKLES):
        raise ModelError(f"model {path} is a file, expected a folder, a .safetensors or a .gguf file")
    if path.suffix == ".gguf":
        return _gguf_shapes(path)
    shapes = named_tensors(path, "model")
    if any(name.startswith(_FOREIGN) or name.endswith(_FOREIGN) for name in shapes):
        raise ModelError(
            f"model {path} has weights that another program has quantized (scaled fp8, int4, nf4). Get it in 16 bits "
            "or as a .gguf file"
        )
    for names, what, model, addition in _NOT_MODELS:
        if any(names.search(name) for name in shapes):
            raise ModelError(f"model {path} is {what}: choose the model that {model}, and add {addition}")
    if 1 <= len(shapes) <= 2 and all(len(shape) <= 2 and "." not in name for name, shape in shapes.items()):
        raise ModelError(
            f"model {path} is a textual inversion: choose the model that it was made for, and add this file as one"
        )
    return shapes


def _gguf_shapes(path: Path) -> _Shapes:
    """Names and shapes of the tensors in a GGUF file. The reader compares their sizes with the file's.

    Raises:
        ModelError: not a complete GGUF file.
    """
    import gguf

    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"model {path} is not a GGUF file: download it again")
        tensors = gguf.GGUFReader(path).tensors
        return {str(each.name): tuple(int(side) for side in reversed(each.shape)) for each in tensors}
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror}. Check its permissions.") from error
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, TypeError) as error:
        raise ModelError(f"model {path} is damaged or incomplete ({str(error)[:100]}): download it again") from error


def _kind(path: Path, shapes: _Shapes) -> str | None:
    """The configuration of a file with more than a network; None: it has only a network, or another family.

    Raises:
        ModelError: a kind of U-Net that is not supported.
    """

    def has(*starts: str) -> bool:
        return _has(shapes, *starts)

    if not has(PREFIX) or not has(*VAE, "cond_stage_model.", "conditioner.", "text_encoders."):
        return None
    if first := shapes.get(f"{PREFIX}input_blocks.0.0.weight"):
        if first[1:2] != (4,):
            raise ModelError(f"model {path} is an inpainting, depth or InstructPix2Pix model, which is not supported")
        if has("conditioner.embedders.1."):
            return "sdxl"
        if has("conditioner.embedders.0.model."):
            return "sdxl-refiner"
        if has("cond_stage_model."):
            return "sd15" if has("cond_stage_model.transformer.") else "sd21"
        text = shapes.get(f"{PREFIX}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight") or (0,)
        return {768: "sd15", 1024: "sd21", 2048: "sdxl", 1280: "sdxl-refiner"}.get(text[-1])
    if has(f"{PREFIX}joint_blocks.0."):
        if has(f"{PREFIX}joint_blocks.0.x_block.attn2."):
            return "sd35-medium"
        return "sd35-large" if has(f"{PREFIX}joint_blocks.37.") else "sd3"
    if (found := network_kind(shapes)) is not None and found.family == "FLUX.1":
        return "flux-dev" if has(f"{PREFIX}guidance_in.") else "flux-schnell"
    return None


def _parts(kind: str | None, network: NetworkKind | None, shapes: _Shapes) -> dict[str, str]:
    """The parts in a file besides its network, each with the start of its tensors' names."""
    starts: Mapping[str, str] = {}
    vae: tuple[str, ...] = ()
    if kind is not None:
        starts, vae = _PREFIXES[kind], VAE
    elif network is not None and _has(shapes, PREFIX):
        encoders = {start[0] for name in shapes if (start := _ENCODER.match(name))}
        starts = {"text_encoder": encoders.pop()} if len(encoders) == 1 else {}
        vae = _VAES.get(network.family, ())
    found = {part: start for part, start in starts.items() if _has(shapes, start)}
    return found | ({"vae": ""} if _has(shapes, *vae) else {})


def _has(shapes: _Shapes, *starts: str) -> bool:
    return any(name.startswith(starts) for name in shapes)


def _noted_base(path: Path) -> Path | None:
    note = _note(path)
    if not note.is_file():
        return None
    base = read_config(note).get("base")
    if not isinstance(base, str) or not base:
        raise _no_base(path, f'{note}: expected {{"base": "FOLDER"}}: write it again')
    folder = (path.parent / Path(base).expanduser()).resolve()
    if not (folder / "model_index.json").is_file():
        problem = f"model {path}: its base {folder} is not a diffusers folder, or no longer there"
        raise _no_base(path, f"{problem}: name another")
    return folder


def _no_base(path: Path, problem: str, network: NetworkKind | None = None) -> MissingBaseError:
    """``problem``: ends with what the command does."""
    return MissingBaseError(f"{problem} with: warpnoise models {path} --base FOLDER", network.base if network else "")


def _listed(parts: list[str]) -> str:
    names = [f"its {part.replace('_', ' ')}".replace("vae", "autoencoder") for part in parts]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")
