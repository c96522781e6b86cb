"""IP-Adapters (Ye et al. 2023) transfer the look of a picture, through attention layers beside those of the text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from warpnoise.errors import ModelError
from warpnoise.sdedit.adapters import IpAdapter
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.ip_adapter_files import IpAdapterFile, check_ip_adapters
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet
from warpnoise.sdedit.lora_files import read_tensors
from warpnoise.sdedit.parts import load_network
from warpnoise.sdedit.reference_pictures import read_reference


class IpAdapters:
    """The IP-Adapters of one pipeline, one picture each. They stay loaded until others are asked for."""

    def __init__(self, folder: ModelFolder, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        self._folder, self._pipeline, self._device, self._dtype = folder, pipeline, device, dtype
        self._loaded: list[IpAdapterFile] = []
        self._pictures: dict[str, Image.Image] = {}
        self._known: dict[tuple[int, str], Any] = {}

    def apply(self, settings: Sequence[IpAdapter]) -> bool:
        """Have the pipeline show these pictures to the network; whether its parts changed.

        Raises:
            SettingsError, ModelError: as `check_ip_adapters`.
        """
        files = check_ip_adapters(self._folder, settings)
        pictures = {setting.image: read_reference(setting.image, "ip_adapter") for setting in settings}
        if pictures != self._pictures:
            self._pictures = pictures
            self._known.clear()
        changed = files != self._loaded
        if changed:
            self._unload()
            if files:
                self._load(files)
        if files:
            self._pipeline.set_ip_adapter_scale([setting.weight for setting in settings])
        return changed

    def call(self, settings: Sequence[IpAdapter]) -> dict[str, Any]:
        """The keywords of the pipeline's call."""
        if not settings:
            return {}
        return {"ip_adapter_image": [self._pictures[setting.image] for setting in settings]}

    def remember(self, pipeline: Any) -> None:
        """Have a pipeline of these parts encode each picture once, not in every batch."""
        encode = type(pipeline).encode_image.__get__(pipeline)

        def encode_once(image: Any, *args: Any, **keywords: Any) -> Any:
            if not isinstance(image, Image.Image):
                return encode(image, *args, **keywords)
            key = id(image), repr((args, sorted(keywords.items())))
            if key not in self._known:
                self._known[key] = encode(image, *args, **keywords)
            return self._known[key]

        pipeline.encode_image = encode_once

    def _load(self, files: list[IpAdapterFile]) -> None:
        network = load_network(files[0].encoder, CLIPVisionModelWithProjection, self._device, self._dtype)
        size = network.config.image_size
        processor = CLIPImageProcessor(size=size, crop_size=size)
        self._pipeline.register_modules(image_encoder=network, feature_extractor=processor)
        try:
            weights = [_read(file.path) for file in files]
            with quiet():
                self._pipeline.load_ip_adapter(weights, subfolder="", weight_name=[file.path.name for file in files])
        except LIBRARY_ERRORS as error:
            self._unload()
            raise ModelError(
                f"ip_adapter {files[0].path} cannot be loaded ({first_line(error)}): it is for another base"
            ) from error
        self._loaded = files

    def _unload(self) -> None:
        if self._loaded:
            self._pipeline.unload_ip_adapter()
        self._pipeline.register_modules(image_encoder=None, feature_extractor=None)
        self._loaded = []
        self._known.clear()


def _read(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """A file's weights with the names of diffusers."""
    found: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, tensor in read_tensors(path).items():
        group, _, name = key.partition(".")
        if group in ("image_proj", "ip_adapter_proj_model"):
            found["image_proj"][name] = tensor
        elif group in ("ip_adapter", "double_blocks"):
            name = name.replace("ip_adapter_double_stream_k_proj", "to_k_ip").replace("processor.", "")
            found["ip_adapter"][name.replace("ip_adapter_double_stream_v_proj", "to_v_ip")] = tensor
    return found
