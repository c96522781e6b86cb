"""The motion of a picture from one frame to the next, which is the input of every noise method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion from an old frame to a new one, both of h x w pixels.

    In pixel coordinates, x points right and y points down, and (0, 0) is the centre of the top left pixel. Arrays may
    be NumPy arrays or torch tensors on any device. Motion stores torch tensors.

    Args:
        forward: (h, w, 2). ``forward[y, x]`` is the displacement, in pixels, of the surface point visible at old pixel
            (x, y), from the old frame to the new one. NaN or infinite: unknown.
        backward: (h, w, 2). ``backward[y, x]`` is the displacement, in pixels, of the surface point visible at new
            pixel (x, y), from the new frame to the old one. NaN or infinite: unknown.
        surface_old, surface_new: (h, w) integers. The surface that each pixel of the old and the new frame shows, such
            as the bits of a Cryptomatte hash. 0 is the background. By default, everything is one surface.
        depth_old, depth_new: (h, w). The projective depth d of each pixel, which is larger for nearer points. With z
            the distance along the camera's axis, it is 1 / z for a perspective camera (0 on the background), and -z for
            an orthographic one.
        transforms: {surface: (4, 4)}. The motion of each rigid surface, which is valid even while the surface is
            occluded or out of the frame: ``T @ (x, y, d, 1) ~ (x', y', d', 1)`` up to a factor, which is positive in
            front of the camera. Transforms need both depths.

    Raises:
        ValueError: an array has a wrong shape or type, or one of a pair is missing.
    """

    forward: Tensor
    backward: Tensor
    surface_old: Tensor | None = field(default=None, kw_only=True)
    surface_new: Tensor | None = field(default=None, kw_only=True)
    depth_old: Tensor | None = field(default=None, kw_only=True)
    depth_new: Tensor | None = field(default=None, kw_only=True)
    transforms: Mapping[int, Any] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        forward = _vectors("forward", self.forward)
        size = (int(forward.shape[0]), int(forward.shape[1]))
        arrays: dict[str, Tensor | None] = {
            "forward": forward,
            "backward": _vectors("backward", self.backward),
        }
        for kind, read in (("surface", _surfaces), ("depth", _depths)):
            names = (f"{kind}_old", f"{kind}_new")
            given = [getattr(self, name) is not None for name in names]
            if any(given) and not all(given):
                missing = names[given.index(False)]
                raise ValueError(f"{missing} is missing: {names[0]} and {names[1]} are given both or not at all")
            for name in names:
                arrays[name] = read(name, getattr(self, name)) if all(given) else None
        for name, array in arrays.items():
            if array is not None and tuple(array.shape[:2]) != size:
                raise ValueError(f"{name} has shape {tuple(array.shape)}, but forward has {size[0]} x {size[1]} pixels")
            object.__setattr__(self, name, array)
        object.__setattr__(self, "transforms", self._transforms())

    def _transforms(self) -> dict[int, np.ndarray[Any, Any]]:
        if not self.transforms:
            return {}
        if self.depth_old is None:
            raise ValueError("transforms are given, but depth_old and depth_new are missing: a transform needs them")
        result = {}
        for surface, matrix in self.transforms.items():
            matrix = np.asarray(matrix, dtype=np.float64)
            if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
                raise ValueError(
                    f"transforms[{surface}] must be a finite (4, 4) matrix, got shape {matrix.shape}: {matrix}"
                )
            result[_int32(int(surface))] = matrix
        return result

    @property
    def size(self) -> tuple[int, int]:
        """(h, w), pixels."""
        return int(self.forward.shape[0]), int(self.forward.shape[1])


def _array(name: str, value: Any, expected: str) -> Tensor:
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be {expected} of numpy or torch, got {type(value).__name__}: {error}") from None


def _vectors(name: str, value: Any) -> Tensor:
    array = _array(name, value, "an (h, w, 2) float array")
    if array.ndim != 3 or array.shape[2] != 2 or 0 in array.shape:
        raise ValueError(f"{name} must have shape (h, w, 2), got {tuple(array.shape)}")
    if not array.is_floating_point():
        raise ValueError(f"{name} must be an array of floats (pixels), got {array.dtype}")
    return array.to(torch.float32).contiguous()


def _depths(name: str, value: Any) -> Tensor:
    array = _array(name, value, "an (h, w) float array")
    if array.ndim != 2 or not array.is_floating_point():
        raise ValueError(f"{name} must be an (h, w) array of floats, got shape {tuple(array.shape)}, {array.dtype}")
    return array.to(torch.float32).contiguous()


def _surfaces(name: str, value: Any) -> Tensor:
    if isinstance(value, np.ndarray) and value.dtype == np.uint32:
        value = value.view(np.int32)
    array = _array(name, value, "an (h, w) integer array")
    if array.ndim != 2 or array.is_floating_point() or array.is_complex() or array.dtype == torch.bool:
        raise ValueError(f"{name} must be an (h, w) array of integers, got shape {tuple(array.shape)}, {array.dtype}")
    return array.to(torch.int32).contiguous()


def _int32(value: int) -> int:
    """The 32 bits of a surface's number as a signed integer, as they stand in an int32 array."""
    return (value + 2**31) % 2**32 - 2**31
