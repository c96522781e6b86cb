"""Checks whether IP-Adapters fit a model, by their headers and configurations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warpnoise.errors import ModelError, SettingsError
from warpnoise.sdedit.adapters import IpAdapter
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_bounds import read_config, tensor_shapes
from warpnoise.sdedit.model_files import check_safetensors, check_weights
from warpnoise.sdedit.places import resolve
from warpnoise.sdedit.reference_pictures import read_reference

_PROJECTIONS = ("image_proj.", "ip_adapter_proj_model.")
_KEYS = re.compile(r"\D*(\d+)\..*(?:to_k_ip|ip_adapter_double_stream_k_proj)\.weight")
_LEAVE_OUT = "leave it out (--ip-adapter none)"


@dataclass(frozen=True)
class IpAdapterFile:
    """A checked file and the folder of its image encoder."""

    path: Path
    encoder: Path


def _ip_adapter_file(model: ModelFolder, setting: IpAdapter) -> IpAdapterFile:
    """An IP-Adapter that fits the model and its image encoder.

    Raises:
        SettingsError: the model takes none.
        ModelError: no such file, a pickle, no IP-Adapter, one for another base, or its encoder is missing.
    """
    path = resolve(setting.path, "ip_adapter")
    if model.family is None or not model.family.ip_adapters:
        title = "a pixel model" if model.family is None else model.family.title
        raise SettingsError(
            f"ip_adapter {path}: the model {model.name} is {title}, which takes no IP-Adapter: {_LEAVE_OUT}"
        )
    check_safetensors(path, "ip_adapter")
    shapes = tensor_shapes(path)
    keys = {int(found[1]): shape for name, shape in shapes.items() if (found := _KEYS.fullmatch(name))}
    inner = {name.partition(".")[2]: shape for name, shape in shapes.items() if name.startswith(_PROJECTIONS)}
    if not keys or not inner:
        raise ModelError(f"ip_adapter {path} is not an IP-Adapter: it has no layers named image_proj and ip_adapter")
    _check_layers(model, path, [shape for _, shape in sorted(keys.items())])
    if "unet" not in model.parts and "proj.weight" not in inner:
        raise ModelError(f"ip_adapter {path} is not a plain one, and {model.family.title} takes only these")
    encoder = resolve(setting.encoder, "ip_adapter") if setting.encoder else path.parent / "image_encoder"
    _check_encoder(path, encoder, inner)
    return IpAdapterFile(path, encoder)


def check_ip_adapters(model: ModelFolder, settings: Sequence[IpAdapter]) -> list[IpAdapterFile]:
    """Those of the settings, and their pictures. Raises as `read_reference`; also if they need
    different image encoders."""
    files = [_ip_adapter_file(model, setting) for setting in settings]
    for setting in settings:
        read_reference(setting.image, "ip_adapter")
    if len({file.encoder for file in files}) > 1:
        raise ModelError(
            "ip_adapters: they need different image encoders, and a model has one: choose adapters of one encoder"
        )
    return files


def _check_encoder(path: Path, encoder: Path, projection: dict[str, tuple[int, ...]]) -> None:
    if not (encoder / "config.json").is_file():
        raise ModelError(
            f"ip_adapter {path}: its image encoder is not in {encoder}: download the folder image_encoder that "
            "belongs to the adapter, and name it as the encoder"
        )
    config = read_config(encoder / "config.json")
    check_weights(encoder)
    if "proj_in.weight" in projection:  # the Plus kind reads the encoder's last but one layer
        expected, got = projection["proj_in.weight"], config.get("hidden_size")
    elif "proj.weight" in projection:
        expected, got = projection["proj.weight"], config.get("projection_dim")
    else:
        raise ModelError(
            f"ip_adapter {path} is of a kind that is not supported, such as FaceID: choose a plain or Plus one"
        )
    if len(expected) != 2 or expected[1] != got:
        raise ModelError(
            f"ip_adapter {path} was made for another image encoder than {encoder}: it reads {expected[-1]} "
            f"numbers, and the encoder gives {got}. Give the folder that belongs to it as the encoder"
        )


def _check_layers(model: ModelFolder, path: Path, layers: list[tuple[int, ...]]) -> None:
    """Raises ModelError: the layers are not those of this model's attention, which diffusers would pair without a
    word."""
    from warpnoise.sdedit.skeleton import skeleton

    network: Any = skeleton(model, model.network_part)
    if model.network_part == "unet":
        names = [name.removesuffix(".processor") for name in network.attn_processors if ".attn2." in name]
        expected = [tuple(network.get_submodule(name).to_k.weight.shape) for name in names]
    else:
        width = network.config.num_attention_heads * network.config.attention_head_dim
        expected = [(width, network.config.joint_attention_dim)] * network.config.num_layers
    if layers != expected:
        raise ModelError(
            f"ip_adapter {path} was made for another base than {model.name}: it has {_described(layers)}, and the "
            f"model has {_described(expected)}. Choose one made for this model, or {_LEAVE_OUT}"
        )


def _described(layers: list[tuple[int, ...]]) -> str:
    widths = sorted({shape[-1] for shape in layers})
    count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    return f"{count} of attention to vectors of {' and '.join(map(str, widths))} numbers"
