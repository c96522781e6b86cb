"""Loads a model's parts, and the pipeline that consists of them, from safetensors files in the folder only.

Processors are loaded without the parts for video, which need torchvision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from warpnoise.errors import ModelError
from warpnoise.sdedit.file_parts import load_file_parts
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import empty_network, loading, part_class, pipeline_class, placed
from warpnoise.sdedit.memory import place
from warpnoise.sdedit.memory_plan import MemoryPlan, is_quantized_part
from warpnoise.sdedit.model_files import check_weights, component, find_weights, read_config
from warpnoise.sdedit.one_file import CONFIGS
from warpnoise.sdedit.quantize import quantize_network

_ON_THE_DEVICE = MemoryPlan()
TOKENIZERS = CONFIGS.parent / "tokenizers"
_CLIP_PADDING = "!"
"""The padding of the second CLIP in Stable Diffusion XL and 3. The first pads with the end of the text."""
_WORDS = {"tokenizer.json", "tokenizer.model", "spiece.model", "vocab.txt", "tekken.json"}
"""Files that each hold all of a tokenizer's words. Other tokenizers have vocab.json and merges.txt."""
_SHOWN_PICTURES = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor")


class _PictureProcessor(transformers.Qwen2VLProcessor):
    """Processes text and pictures, and no videos."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template)  # type: ignore[no-untyped-call]


def load_network(place: Path, kind: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """A network of diffusers or transformers from its folder, ready for inference.

    Raises:
        ModelError: the weights are missing, pickled, damaged or do not fit the configuration.
    """
    _, variant = find_weights(place)
    config = read_config(place / "config.json")
    with loading(f"{place} cannot be loaded as a {kind.__name__}"):
        if "quantization_config" not in config:  # quantized weights are packed
            check_weights(place, sum(weight.numel() for weight in empty_network(place, kind).parameters()))
        model, found = kind.from_pretrained(
            str(place),
            use_safetensors=True,
            local_files_only=True,
            variant=variant,
            torch_dtype=dtype,
            output_loading_info=True,
        )
    if missing := sorted(found["missing_keys"]):
        raise ModelError(
            f"{place}: its weights have no tensor {missing[0]}, which its config.json asks for. "
            "Download the model again."
        )
    return placed(model, device).eval().requires_grad_(False)


def load_pipeline(
    folder: ModelFolder, device: torch.device, dtype: torch.dtype, memory: MemoryPlan = _ON_THE_DEVICE
) -> Any:
    """The pipeline of a folder that is of one of the ``FAMILIES``.

    Autoencoders are in float32 on every device: in half precision some overflow, and they are a small part of the work.

    Raises:
        ModelError: a part is missing, damaged, or of a library that is not known.
    """
    assert folder.family is not None
    waiting = device if memory.offload == "none" else torch.device("cpu")
    loaded = {}
    places = dict.fromkeys(folder.parts, waiting)
    quantized = [part for part in folder.weighted if memory.quantize != "none" and is_quantized_part(part)]
    places.update(dict.fromkeys(quantized, torch.device("cpu")))
    if folder.file is not None:
        loaded.update(load_file_parts(folder, folder.file, places, dtype))
    for part in folder.weighted:
        if part not in loaded:
            precision = torch.float32 if part == "vae" else dtype
            loaded[part] = load_network(component(folder.path, part), part_class(folder, part), places[part], precision)
        if part in quantized:
            quantize_network(loaded[part], memory.quantize, dtype)
            loaded[part].to(waiting)
    kind = pipeline_class(folder)
    named = [part for part, value in folder.index.items() if isinstance(value, list) and any(value)]
    unused = [part for part in named if part not in folder.parts]
    # diffusers would load published processors with their part for video, which needs torchvision.
    text = {**load_tokenizers(folder), **load_processors(folder)}
    processors = [part for part in text if folder.parts[part][1].endswith("Processor")]
    loaded.update({part: reader for part, reader in text.items() if part not in processors})
    left_out: dict[str, Any] = dict.fromkeys([*unused, *processors])
    if "requires_safety_checker" in folder.index:
        left_out["requires_safety_checker"] = False
    with loading(f"{folder.path} cannot be loaded as a {kind.__name__}"):
        pipeline = kind.from_pretrained(str(folder.path), local_files_only=True, **loaded, **left_out)
    pipeline.register_modules(**{part: text[part] for part in processors})
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, memory, device)
    return pipeline


def load_tokenizers(folder: ModelFolder) -> dict[str, Any]:
    """The tokenizers among the parts. For a whole file, they come from the package.

    Raises:
        ModelError: one is damaged or incomplete.
    """
    loaded = {}
    for part, (_, kind) in folder.parts.items():
        if not part.startswith("tokenizer"):
            continue
        if folder.own_tokenizers:
            clip = kind.startswith("CLIP")
            options = {"pad_token": _CLIP_PADDING} if clip and part == "tokenizer_2" else {}
            loaded[part] = _tokenizer(getattr(transformers, kind), TOKENIZERS / ("clip" if clip else "t5"), **options)
        else:  # the part may be a processor, of which the pipeline uses only the tokenizer
            named = None if kind.endswith("Processor") else getattr(transformers, kind, None)
            loaded[part] = _tokenizer(named or transformers.AutoTokenizer, component(folder.path, part))
    return loaded


def load_processors(folder: ModelFolder) -> dict[str, Any]:
    """The processors that take pictures, Qwen2-VL's and Qwen2.5-VL's. Raises ModelError, as ``load_tokenizers``."""
    return {
        part: _PictureProcessor(
            _loaded(transformers.Qwen2VLImageProcessorPil, component(folder.path, part)),
            _tokenizer(transformers.AutoTokenizer, component(folder.path, part)),
        )
        for part, (_, kind) in folder.parts.items()
        if kind in _SHOWN_PICTURES
    }


def _tokenizer(kind: Any, place: Path, **options: Any) -> Any:
    """Raises ModelError for a folder without words, for which transformers would return an empty tokenizer."""
    names = {file.name for file in place.iterdir()}
    if not (names & _WORDS or {"vocab.json", "merges.txt"} <= names):
        raise ModelError(f"{place} lacks the tokenizer's words: its download is incomplete. Download the model again.")
    return _loaded(kind, place, **options)


def _loaded(kind: Any, place: Path, **options: Any) -> Any:
    with loading(f"{place} cannot be loaded"):
        return kind.from_pretrained(str(place), local_files_only=True, **options)
