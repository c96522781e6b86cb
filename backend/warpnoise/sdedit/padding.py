"""Networks need sizes that are multiples of a number. Other sizes are padded by reflection, and cropped afterwards.

The image and its noise are padded in the same way. So beyond the border the model sees the mirror image of the inside,
including the noise, in every frame.
"""

from __future__ import annotations

import torch


def round_up(size: int, multiple: int) -> int:
    """The smallest multiple of ``multiple`` that is at least ``size``."""
    return -(-size // multiple) * multiple


def pad_to(tensor: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Extend (..., h, w) at the bottom and right to (..., height, width) by reflection about the last pixel's centre.

    As ``numpy.pad(mode="reflect")`` it reflects again where one reflection is not enough, and works down to one pixel.
    """
    old_height, old_width = tensor.shape[-2:]
    if height < old_height or width < old_width:
        raise ValueError(f"cannot pad {old_height} x {old_width} to the smaller size {height} x {width}")
    if height > old_height:
        tensor = tensor.index_select(-2, _reflected(old_height, height, tensor.device))
    if width > old_width:
        tensor = tensor.index_select(-1, _reflected(old_width, width, tensor.device))
    return tensor


def _reflected(size: int, padded: int, device: torch.device) -> torch.Tensor:
    """(padded,) indices 0, 1, ..., size - 1, size - 2, ..., 1, 0, 1, ..."""
    index = torch.arange(padded, device=device) % max(2 * size - 2, 1)
    return torch.minimum(index, (2 * size - 2 - index).abs()) if size > 1 else torch.zeros_like(index)
