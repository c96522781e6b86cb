"""Finds the family of the network in a file by the names of its tensors.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from warpnoise.errors import ModelError

PREFIX = "model.diffusion_model."
"""What the names of a network's tensors begin with in most shared files."""


class NetworkKind(NamedTuple):
    """``family``: how the titles of the families that take the network begin. ``base``: a model of the hub that has the
    parts which the file lacks."""

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
"""Beginnings of names, of the family's own layout and of diffusers'. The first that fits counts."""
_FOREIGN = ("scaled_fp8", ".scale_weight", ".weight_scale", ".comfy_quant", ".qweight", ".absmax", ".proj_down")
"""Marks of weights that another program has quantized: without its scales they are noise."""


def network_kind(names: Iterable[str]) -> NetworkKind | None:
    """The kind of a network; None: no known one."""
    plain = [name.removeprefix(PREFIX) for name in names]
    return next((kind for marks, kind in _KINDS if any(name.startswith(marks) for name in plain)), None)


def check_quantization(path: Path, names: Iterable[str]) -> None:
    """Raises ModelError: another program has quantized the weights of a safetensors file."""
    if any(name.startswith(_FOREIGN) or name.endswith(_FOREIGN) for name in names):
        raise ModelError(
            f"model {path} has weights that another program has quantized (scaled fp8, int4, nf4). Get it in 16 bits "
            "or as a .gguf file"
        )


def gguf_shapes(path: Path) -> Mapping[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a GGUF file, whose sizes are compared with the file's.

    Raises:
        ModelError: no whole GGUF file.
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
