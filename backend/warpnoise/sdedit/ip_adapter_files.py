"""IP-Adapters against the model, by their files' headers and configurations.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from warpnoise.errors import ModelError, SettingsError
from warpnoise.sdedit.adapters import IpAdapter
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_bounds import read_config, tensor_shapes
from warpnoise.sdedit.model_files import check_safetensors, find_weights
from warpnoise.sdedit.places import resolve

_PROJECTIONS = ("image_proj.", "ip_adapter_proj_model.")
_KEYS = ("to_k_ip.weight", "ip_adapter_double_stream_k_proj.weight")


@dataclass(frozen=True)
class IpAdapterFile:
    """A checked file and the folder of its image encoder."""

    path: Path
    encoder: Path


def ip_adapter_file(model: ModelFolder, setting: IpAdapter) -> IpAdapterFile:
    """An IP-Adapter that fits the model and its image encoder.

    Raises:
        SettingsError: the model takes none.
        ModelError: no such file, a pickle, no IP-Adapter, one for another base, or its encoder is missing.
    """
    path = resolve(setting.path, "ip_adapter")
    if model.family is None or not model.family.ip_adapters:
        title = "a pixel model" if model.family is None else model.family.title
        raise SettingsError(f"ip_adapter {path}: the model {model.name} is {title}, which takes no IP-Adapter")
    check_safetensors(path, "ip_adapter")
    shapes = tensor_shapes(path)
    keys = [shape for name, shape in shapes.items() if name.endswith(_KEYS) and len(shape) == 2]
    inner = {name.partition(".")[2]: shape for name, shape in shapes.items() if name.startswith(_PROJECTIONS)}
    if not keys or not inner:
        raise ModelError(f"ip_adapter {path} is no IP-Adapter: it has no layers named image_proj and ip_adapter")
    width = model.network.get("cross_attention_dim", model.network.get("joint_attention_dim"))
    if any(shape[1] != width for shape in keys):
        other = next(shape[1] for shape in keys if shape[1] != width)
        raise ModelError(
            f"ip_adapter {path} was made for another base than {model.name}: it adds to attention of {other} numbers, "
            f"and the model's has {width}"
        )
    if "unet" not in model.parts and "proj.weight" not in inner:
        raise ModelError(f"ip_adapter {path} is not of the plain kind, the only one that {model.family.title} takes")
    encoder = resolve(setting.encoder, "ip_adapter") if setting.encoder else path.parent / "image_encoder"
    _check_encoder(path, encoder, inner)
    return IpAdapterFile(path, encoder)


def _check_encoder(path: Path, encoder: Path, projection: dict[str, tuple[int, ...]]) -> None:
    if not (encoder / "config.json").is_file():
        raise ModelError(
            f"ip_adapter {path}: its image encoder is not in {encoder}: get the folder image_encoder that belongs to "
            "it, and give it as the encoder"
        )
    config = read_config(encoder / "config.json")
    find_weights(encoder)
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
            f"numbers, and the encoder gives {got}"
        )
