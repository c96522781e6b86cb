"""The motion of a picture from one frame to the next, which is the input of every noise method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = Tensor | npt.NDArray[Any]


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

    if TYPE_CHECKING:  # the arguments may be NumPy arrays; the fields are tensors

        def __init__(
            self,
            forward: Array,
            backward: Array,
            *,
            surface_old: Array | None = None,
            surface_new: Array | None = None,
            depth_old: Array | None = None,
            depth_new: Array | None = None,
            transforms: Mapping[int, Any] | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        for name in ("forward", "backward"):
            self._check(name, torch.float32, 2)
        for kind, dtype in (("surface", torch.int32), ("depth", torch.float32)):
            pair = (f"{kind}_old", f"{kind}_new")
            missing = [name for name in pair if getattr(self, name) is None]
            if len(missing) == 1:
                raise ValueError(f"{missing[0]} is missing: {pair[0]} and {pair[1]} are given both or not at all")
            for name in () if missing else pair:
                self._check(name, dtype)
        if not isinstance(self.transforms, Mapping | None):
            raise ValueError(f"transforms must be {{surface: matrix}}, got {type(self.transforms).__name__}")
        if self.transforms and self.depth_old is None:
            raise ValueError("transforms are given, but depth_old and depth_new are missing: a transform needs them")
        transforms = {}
        for surface, values in (self.transforms or {}).items():
            if not isinstance(surface, (int, np.integer)):
                raise ValueError(f"a surface in transforms must be an integer, got {surface!r}")
            matrix = np.asarray(values, dtype=np.float64)
            if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
                raise ValueError(
                    f"transforms[{surface}] must be a finite (4, 4) matrix, got shape {matrix.shape}: {matrix}"
                )
            transforms[(int(surface) + 2**31) % 2**32 - 2**31] = matrix  # the same 32 bits as in an int32 array
        object.__setattr__(self, "transforms", transforms)

    def _check(self, name: str, dtype: torch.dtype, *parts: int) -> None:
        """Replaces an array of shape (h, w), or (h, w, parts), by a tensor, after its shape and type are checked."""
        value, floats = getattr(self, name), dtype.is_floating_point
        shape = ", ".join(("h", "w", *map(str, parts)))
        expected = f"{name} must be an ({shape}) array of {'floats' if floats else 'integers'}"
        if isinstance(value, np.ndarray):
            value = np.ascontiguousarray(value)  # torch takes no negative strides
            value = value.view(np.int32) if value.dtype == np.uint32 and not floats else value
        try:
            array = torch.as_tensor(value).detach()
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{expected}, got {type(value).__name__}: {error}") from None
        integers = not (array.is_floating_point() or array.is_complex() or array.dtype == torch.bool)
        of_kind = array.is_floating_point() if floats else integers
        if array.ndim < 2 or array.shape[2:] != parts or 0 in array.shape or not of_kind:
            raise ValueError(f"{expected}, got shape {tuple(array.shape)}, {array.dtype}")
        object.__setattr__(self, name, array.to(dtype).contiguous())
        if array.shape[:2] != self.size:
            raise ValueError(
                f"{name} has shape {tuple(array.shape)}, but forward has {self.size[0]} x {self.size[1]} pixels"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(h, w), pixels."""
        return int(self.forward.shape[0]), int(self.forward.shape[1])
