"""Widens a network and keeps its function (Chen et al., "Net2Net", 2016), so that training can continue.

Every new channel is a copy of its neighbor with noise, which no later layer reads yet. So the groups of the
normalization nearly keep their statistics. Where a wider level meets one of the old width, inside two of the decoder's
blocks, groups mix differently than before, which training soon repairs.
"""

from __future__ import annotations

import torch
from diffusers import UNet2DModel
from torch import Tensor

NOISE = 0.5
"""Standard deviation of what sets a new channel apart, relative to the weights that it is a copy of."""

Origins = list[int]
"""For each channel of the wide network the channel of the narrow one that it is or is a copy of."""


def widened(narrow: UNet2DModel, wide: UNet2DModel, seed: int) -> dict[str, Tensor]:
    """Weights for `wide` that do nearly what `narrow` does.

    Inputs that only `wide` has (its last ones) have no effect at first. Raises ValueError if the networks differ in
    more than their inputs and their widths, if a level is narrower, or if the first is not as wide.
    """
    old, new = (tuple(network.config["block_out_channels"]) for network in (narrow, wide))
    if len(old) != len(new) or old[0] != new[0] or any(b < a for a, b in zip(old, new, strict=True)):
        raise ValueError(f"channels {old} cannot become {new}: as many levels, the first the same, none narrower")
    levels = [[i * a // b for i in range(b)] for a, b in zip(old, new, strict=True)]
    weights, shapes = narrow.state_dict(), {name: tensor.shape for name, tensor in wide.state_dict().items()}
    if weights.keys() != shapes.keys():
        raise ValueError("the networks have other layers")
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, tensor in weights.items():
        inner, outer = _channels(name, levels)
        out = tensor if outer is None else _grown(tensor, outer, generator)
        if inner is not None and out.dim() > 1:
            out = out[:, inner] * ~_copies(inner).view(1, -1, *[1] * (out.dim() - 2))
        if name == "conv_in.weight":
            more = torch.zeros(out.shape[0], max(shapes[name][1] - out.shape[1], 0), *out.shape[2:])
            out = torch.cat([out, more], dim=1)
        if out.shape != shapes[name]:
            raise ValueError(f"{name} is {tuple(tensor.shape)}, which cannot become {tuple(shapes[name])}")
        made[name] = out.contiguous()
    return made


def _grown(tensor: Tensor, origins: Origins, generator: torch.Generator) -> Tensor:
    """The tensor with its first dimension widened. Weights of copies get noise; values per channel are copied."""
    out = tensor[origins].clone()
    if tensor.dim() > 1:
        copies = _copies(origins)
        noise = torch.randn(out[copies].shape, generator=generator)
        out[copies] += NOISE * tensor.std() * noise
    return out


def _copies(origins: Origins) -> Tensor:
    """Which channels are copies (bool): those with the same origin as the channel before them."""
    return torch.tensor([i > 0 and origin == origins[i - 1] for i, origin in enumerate(origins)])


def _channels(name: str, levels: list[Origins]) -> tuple[Origins | None, Origins | None]:
    """The origins of the inputs and of the outputs of a layer; None if their number does not change."""
    kind, *rest = name.split(".")
    if kind == "mid_block":
        return _within(name, levels[-1], levels[-1])
    if kind == "down_blocks":
        level = int(rest[0])
        before = levels[max(level - 1, 0)] if rest[1] == "resnets" else levels[level]
        return _within(name, before, levels[level])
    if kind == "up_blocks":
        upwards = levels[::-1]
        block, part, number = int(rest[0]), rest[1], int(rest[2])
        own = upwards[block]
        if part != "resnets":
            return own, own
        # each block has one layer more than the encoder's (here two): the last one's skip is of the level above
        coming = upwards[max(block - 1, 0)] if number == 0 else own
        skip = own if number == 0 else upwards[min(block + 1, len(upwards) - 1)]
        width = max(coming) + 1
        return _within(name, coming + [width + channel for channel in skip], own)
    return None, None  # the first level and what tells time and style


def _within(name: str, inner: Origins, outer: Origins) -> tuple[Origins | None, Origins | None]:
    """`_channels` for a layer in a residual block from `inner` to `outer`."""
    layer = name.split(".")[-2]
    return {
        "norm1": (None, inner),
        "conv1": (inner, outer),
        "time_emb_proj": (None, outer),
        "norm2": (None, outer),
        "conv2": (outer, outer),
        "conv_shortcut": (inner, outer),
    }[layer]
