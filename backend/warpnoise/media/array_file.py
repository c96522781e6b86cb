"""Arrays as files of other tools. They are written in parts along the first axis, so they never fill the memory.

npz           NumPy's archive: "noise" and "frames"
npy           NumPy's array: only the noise
safetensors   "noise" and "frames"
exr           a single picture, without parts

`Layout` gives the order of a frame's values, as models and tools have it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from warpnoise.errors import SettingsError

Format = Literal["npz", "npy", "safetensors", "exr"]
Array = npt.NDArray[np.float32]
Layout = Literal["planes", "last", "patches", "tokens"]

Write = Callable[[Array], object]
"""Takes an array in parts, along its first axis."""


def layout_shape(layout: Layout, channels: int, height: int, width: int) -> tuple[int, ...]:
    """The shape of one frame's noise in a layout.

    - ``planes``: (channels, height, width), as PyTorch has it: Stable Diffusion, SD 3, Wan.
    - ``last``: (height, width, channels), as the files of Go-with-the-Flow have it.
    - ``patches``: (4 channels, height / 2, width / 2), each 2 x 2 block in a position: FLUX.2's latents.
    - ``tokens``: (height / 2 * width / 2, 4 channels), the same blocks row by row: what FLUX, Qwen-Image and others
      feed their transformers.

    Blocks are in the order of channel, row, column, as diffusers packs them. Both are permutations of independent
    values, so the noise stays exact.

    Raises:
        SettingsError: a side is odd, and the layout has blocks.
    """
    if layout in ("patches", "tokens") and (height % 2 or width % 2):
        raise SettingsError(f"layout {layout}: the noise is {width} x {height}; blocks of 2 x 2 need even sides")
    return {
        "planes": (channels, height, width),
        "last": (height, width, channels),
        "patches": (4 * channels, height // 2, width // 2),
        "tokens": (height // 2 * (width // 2), 4 * channels),
    }[layout]


def arrange(noise: Array, layout: Layout) -> Array:
    """The noise (..., channels, height, width) in a layout of `layout_shape`; further axes stay in front."""
    *front, channels, height, width = noise.shape
    shape = (*front, *layout_shape(layout, channels, height, width))
    if layout == "last":
        return np.moveaxis(noise, -3, -1)
    if layout in ("patches", "tokens"):
        blocks = noise.reshape(-1, channels, height // 2, 2, width // 2, 2)
        axes = (0, 1, 3, 5, 2, 4) if layout == "patches" else (0, 2, 4, 1, 3, 5)
        return blocks.transpose(axes).reshape(shape)
    return noise


@contextlib.contextmanager
def open_writer(
    file: BinaryIO, kind: Literal["npz", "npy", "safetensors"], shape: tuple[int, ...], frames: Sequence[int]
) -> Iterator[Write]:
    """A writer for the array "noise", float32 of ``shape``, and the numbers of its ``frames``."""
    numbers = np.array(frames, dtype="<i8")
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    if kind == "npy":
        np.lib.format.write_array_header_1_0(file, header)
        yield functools.partial(_write_raw, file)
        return
    if kind == "npz":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            with archive.open("frames.npy", "w") as member:
                np.lib.format.write_array(member, numbers, allow_pickle=False)
            with archive.open("noise.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                yield functools.partial(_write_raw, member)
        return
    # safetensors: the header's length (8 bytes, little-endian), the header (JSON), then the tensors' bytes.
    split = numbers.nbytes
    tensors = {
        "frames": {"dtype": "I64", "shape": list(numbers.shape), "data_offsets": [0, split]},
        "noise": {
            "dtype": "F32",
            "shape": list(shape),
            "data_offsets": [split, split + 4 * int(np.prod(shape, dtype=np.int64))],
        },
    }
    text = json.dumps(tensors).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text + numbers.tobytes())
    yield functools.partial(_write_raw, file)


def _write_raw(file: IO[bytes], part: Array) -> None:
    file.write(np.ascontiguousarray(part, dtype="<f4").tobytes())


def write_exr(file: BinaryIO, noise: Array) -> None:
    """One frame's noise as an uncompressed 32-bit EXR picture, the first row on top.

    Up to four channels are R, G, B and A; more are ``noise.00``, ``noise.01``, ... Further maps are layers: ``map1.R``.

    Args:
        noise: (maps, channels, height, width) float32.
    """
    import OpenEXR

    channels = {
        f"{f'map{number}.' if number else ''}{'RGBA'[index] if noise.shape[1] <= 4 else f'noise.{index:02d}'}": plane
        for number, planes in enumerate(noise)
        for index, plane in enumerate(np.ascontiguousarray(planes, dtype=np.float32))
    }
    OpenEXR.File({"compression": OpenEXR.NO_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(file)
