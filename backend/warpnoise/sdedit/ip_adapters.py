"""IP-Adapters (Ye et al. 2023) transfer the look of a picture, through attention layers beside those of the text.

The check compares a file's header with the network's layers, which diffusers would otherwise pair silently, and with
the image encoder's configuration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from warpnoise.errors import ModelError
from warpnoise.sdedit.adapters import Adapters, unsuitable
from warpnoise.sdedit.edit_settings import IpAdapter
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import loading, skeleton
from warpnoise.sdedit.model_files import check_weights, image_encoder, named_tensors, read_config
from warpnoise.sdedit.parts import load_network
from warpnoise.sdedit.places import resolve
from warpnoise.sdedit.reference_pictures import read_reference

_PROJECTIONS = ("image_proj.", "ip_adapter_proj_model.")
_LAYERS = ("ip_adapter.", "double_blocks.")
_NAMES = {"ip_adapter_double_stream_k_proj": "to_k_ip", "ip_adapter_double_stream_v_proj": "to_v_ip", "processor.": ""}
"""Parts of names in FLUX.1's published files, and diffusers' own."""
_KEYS = re.compile(r"\D*(\d+)\..*(?:to_k_ip|ip_adapter_double_stream_k_proj)\.weight")


class IpAdapters(Adapters):
    """The IP-Adapters of one pipeline, each with one picture."""

    def __init__(self, folder: ModelFolder, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(folder, pipeline, device, dtype)
        self._pictures: dict[str, Image.Image] = {}
        self._encoded: dict[tuple[int, str], Any] = {}

    def apply(self, settings: Sequence[IpAdapter]) -> bool:
        """Have the pipeline show these pictures to the network, and return whether its parts changed.

        Raises:
            SettingsError, ModelError: as `check_ip_adapters`.
        """
        changed = self._replace(tuple(check_ip_adapters(self.folder, settings)))
        pictures = {setting.image: read_reference(setting.image, "ip_adapter") for setting in settings}
        if changed or pictures != self._pictures:
            self._pictures = pictures
            self._encoded.clear()
        if settings:
            self.pipeline.set_ip_adapter_scale([setting.weight for setting in settings])
        return changed

    def call(self, settings: Sequence[IpAdapter]) -> dict[str, Any]:
        """The keywords of the pipeline's call."""
        return {"ip_adapter_image": [self._pictures[setting.image] for setting in settings]} if settings else {}

    def remember(self, pipeline: Any) -> None:
        """Have a pipeline of these parts encode each picture once, not in every batch."""
        encode = type(pipeline).encode_image.__get__(pipeline)

        def encode_once(image: Any, *args: Any, **keywords: Any) -> Any:
            if not isinstance(image, Image.Image):
                return encode(image, *args, **keywords)
            key = id(image), repr((args, sorted(keywords.items())))
            if key not in self._encoded:
                self._encoded[key] = encode(image, *args, **keywords)
            return self._encoded[key]

        pipeline.encode_image = encode_once

    def _load(self, wanted: tuple[tuple[Path, Path], ...]) -> None:
        if not wanted:
            return
        paths = [path for path, _ in wanted]
        network = load_network(wanted[0][1], CLIPVisionModelWithProjection, self.device, self.dtype)
        size = network.config.image_size
        processor = CLIPImageProcessor(size=size, crop_size=size)
        self.pipeline.register_modules(image_encoder=network, feature_extractor=processor)
        with loading(f"ip_adapter {paths[0]} cannot be loaded", "it is for another base"):
            names = [path.name for path in paths]
            self.pipeline.load_ip_adapter([_read(path) for path in paths], subfolder="", weight_name=names)

    def _unload(self) -> None:
        if getattr(self.pipeline, "image_encoder", None) is not None:
            self.pipeline.unload_ip_adapter()
        self.pipeline.register_modules(image_encoder=None, feature_extractor=None)


def check_ip_adapters(model: ModelFolder, settings: Sequence[IpAdapter]) -> list[tuple[Path, Path]]:
    """Each adapter's file and the folder of its image encoder.

    Raises:
        SettingsError: as `read_reference`, for their pictures.
        ModelError: no such file; a pickle, no IP-Adapter, one for another base; its encoder is missing; or two adapters
            need different encoders.
    """
    files = [_checked(model, setting) for setting in settings]
    for setting in settings:
        read_reference(setting.image, "ip_adapter")
    if len({encoder for _, encoder in files}) > 1:
        raise ModelError(
            "ip_adapters: they need different image encoders, and a model has one: choose adapters of one encoder"
        )
    return files


def _checked(model: ModelFolder, setting: IpAdapter) -> tuple[Path, Path]:
    path, encoder = resolve(setting.path, "ip_adapter"), image_encoder(setting)
    shapes = named_tensors(path, "ip_adapter")
    keys = {int(found[1]): shape for name, shape in shapes.items() if (found := _KEYS.fullmatch(name))}
    inner = {name.partition(".")[2]: shape for name, shape in shapes.items() if name.startswith(_PROJECTIONS)}
    if not keys or not inner:
        raise unsuitable("ip_adapter", path, "is not an IP-Adapter: it has no layers named image_proj and ip_adapter")
    layers, expected = [shape for _, shape in sorted(keys.items())], _layers_of(model)
    if layers != expected:
        what = f"it has {_described(layers)}, and the model has {_described(expected)}"
        raise unsuitable("ip_adapter", path, f"was made for another base than {model.name}: {what}")
    if "unet" not in model.parts and "proj.weight" not in inner:
        assert model.family is not None
        raise unsuitable("ip_adapter", path, f"is not a plain one, and {model.family.title} takes only these")
    _check_encoder(path, encoder, inner)
    return path, encoder


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


def _layers_of(model: ModelFolder) -> list[tuple[int, ...]]:
    """The shapes of the model's attention to text, layer by layer."""
    network: Any = skeleton(model, model.network_part)
    if model.network_part == "unet":
        names = [name.removesuffix(".processor") for name in network.attn_processors if ".attn2." in name]
        return [tuple(network.get_submodule(name).to_k.weight.shape) for name in names]
    width = network.config.num_attention_heads * network.config.attention_head_dim
    return [(width, network.config.joint_attention_dim)] * network.config.num_layers


def _described(layers: list[tuple[int, ...]]) -> str:
    widths = sorted({shape[-1] for shape in layers})
    count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    return f"{count} of attention to vectors of {' and '.join(map(str, widths))} numbers"


def _read(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """A file's weights with the names of diffusers."""
    found: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, tensor in load_file(path).items():
        name = key.partition(".")[2]
        if key.startswith(_PROJECTIONS):
            found["image_proj"][name] = tensor
        elif key.startswith(_LAYERS):
            for theirs, ours in _NAMES.items():
                name = name.replace(theirs, ours)
            found["ip_adapter"][name] = tensor
    return found
