"""The render passes for the motion, read from Blender's multilayer EXR files.

Up to Blender 4.5, a file has one part with channels like ``ViewLayer.Vector.X``. From 5.0 on, it has a part for each
pass. Both are read, with any name of the view layer.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import OpenEXR

from warpnoise.errors import MediaError
from warpnoise.media.exr_layout import (
    FLOAT,
    HALF,
    MAGIC,
    BadLayoutError,
    Channel,
    Layout,
    Part,
    as_single_part,
    read_layout,
)
from warpnoise.media.json_file import parse_json

Plane = npt.NDArray[np.float32]

_PASSES = {
    "depth": ("Depth", "Z", "turn on View Layer > Passes > Data > Z"),
    "vector": ("Vector", "XYZW", "turn on View Layer > Passes > Data > Vector, and motion blur off (Cycles only)"),
    "surface": ("CryptoObject00", "R", "turn on View Layer > Passes > Cryptomatte > Object (Cycles only)"),
    "combined": ("Combined", "RGBA", "turn on View Layer > Passes > Data > Combined"),
}
"""Of each plane, the pass in the file, its components, and how to get it in Blender."""


@dataclass(frozen=True)
class Passes:
    """One frame's passes, as Cycles writes them. All planes are (height, width) float32 unless said otherwise."""

    depth: Plane
    """Distance along the camera's axis; the background has 1e10."""
    vector: tuple[Plane, Plane, Plane, Plane]
    """X, Y: where it was in the previous frame minus where it is; Z, W: where it is minus where it will be in the next
    frame; pixels, Y up."""
    surface: npt.NDArray[np.int32]
    """The bits of the Cryptomatte object layer's first hash; 0: nothing."""
    manifest: Mapping[str, int]
    """Object names and their hashes, as in ``surface``."""
    combined: npt.NDArray[np.float32] | None
    """(height, width, 4) scene-linear RGBA with associated alpha, where it was asked for."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.depth.shape
        return width, height


def read_passes(path: Path, size: tuple[int, int] | None = None, *, combined: bool = False) -> Passes:
    """Reads one frame's passes. The header is checked first, then only the channels that are needed are decoded.

    Of several view layers the first is taken that has all of the passes.

    Args:
        size: the expected width and height in pixels. None: any.
        combined: whether to read the Combined pass too.

    Raises:
        MediaError: the file is missing, cut off, not an EXR, of half precision, cropped, of another size, or lacks a
            pass.
    """
    with _opened(path) as (file, layout):
        layer, channels = _find(path, layout, combined=combined)
        manifest = _manifest(path, layer, layout)
        found = [place for places in channels.values() for place in places]
        for index in sorted({index for index, _ in found}):
            _check_windows(path, layout.parts[index], size)
        planes = _decode(path, file, layout, found)
    x, y, z, w = (planes[place] for place in channels["vector"])
    return Passes(
        depth=planes[channels["depth"][0]],
        vector=(x, y, z, w),
        surface=np.ascontiguousarray(planes[channels["surface"][0]]).view(np.int32),
        manifest=manifest,
        combined=np.stack([planes[place] for place in channels["combined"]], axis=-1) if combined else None,
    )


def read_header(path: Path, *, passes: bool) -> Layout:
    """The file's structure; no pixels. With ``passes`` it has all that ``read_passes`` needs. Raises MediaError."""
    with _opened(path) as (_, layout):
        if passes:
            _find(path, layout, combined=False)
        return layout


_Place = tuple[int, str]
"""A channel: the number of its part, and its name there."""
_Layers = dict[str, dict[str, dict[str, tuple[int, Channel]]]]
"""View layer, pass and component (upper case) to the number of the part and the channel."""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, Layout]]:
    if not path.is_file():
        raise MediaError(f"There is no file {path}. Export this frame again.")
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
            if not start:
                raise MediaError(f"{path} is empty. Export this frame again.")
            if start != MAGIC:
                raise MediaError(f"{path} is not an EXR file. Export this frame again, as an OpenEXR MultiLayer file.")
            file.seek(0)
            yield file, read_layout(file)
    except OSError as refusal:
        raise MediaError(f"Cannot read {path}: {refusal.strerror or refusal}.") from refusal
    except BadLayoutError as failure:
        raise damaged(path, str(failure)) from None


def _find(path: Path, layout: Layout, *, combined: bool) -> tuple[str, dict[str, list[_Place]]]:
    """The first view layer that has all passes, and their channels. Raises MediaError."""
    wanted = [name for name in _PASSES if combined or name != "combined"]
    layers = _layers(layout)
    layer = next((name for name, found in layers.items() if all(_PASSES[item][0] in found for item in wanted)), None)
    if layer is None:
        raise _lacking(path, layers, wanted)
    return layer, {name: _components(path, layer, layers[layer], *_PASSES[name][:2]) for name in wanted}


def _layers(layout: Layout) -> _Layers:
    layers: _Layers = {}
    for index, part in enumerate(layout.parts):
        for channel in part.channels:
            full = channel.name if "." in channel.name else f"{part.name}.{channel.name}"
            *layer, pass_name, component = full.split(".")
            passes = layers.setdefault(".".join(layer), {})
            passes.setdefault(pass_name, {})[component.upper()] = index, channel
    return layers


def _components(
    path: Path,
    layer: str,
    passes: Mapping[str, Mapping[str, tuple[int, Channel]]],
    pass_name: str,
    components: str,
) -> list[_Place]:
    places = []
    for component in components:
        if component not in passes[pass_name]:
            found = ", ".join(passes[pass_name])
            raise MediaError(f"{path}: {layer}.{pass_name} has no channel {component}, only {found}. Export it again.")
        index, channel = passes[pass_name][component]
        if channel.kind != FLOAT:
            kind = "float16" if channel.kind == HALF else "uint32"
            raise MediaError(
                f"{path}: {layer}.{pass_name} has {kind} values, expected float32. "
                "Set Color Depth to Float (Full) and render this frame again."
            )
        if channel.sampling != (1, 1):
            raise MediaError(
                f"{path}: {layer}.{pass_name} is subsampled: it has no value for each pixel. Save it without chroma "
                "subsampling."
            )
        places.append((index, channel.name))
    return places


def _check_windows(path: Path, part: Part, size: tuple[int, int] | None) -> None:
    if part.data_window != part.display_window:
        raise MediaError(
            f"{path} holds the window {_window(part.data_window)} of a picture {_window(part.display_window)}: render "
            "the whole picture, without a border."
        )
    if size is not None and part.size != size:
        raise MediaError(
            f"{path}: expected {size[0]} x {size[1]} pixels, as job.json says, got {part.size[0]} x {part.size[1]}. "
            "Export this frame again."
        )


def _window(window: tuple[int, int, int, int]) -> str:
    return "({}, {}) to ({}, {})".format(*window)


def _decode(path: Path, file: BinaryIO, layout: Layout, places: Collection[_Place]) -> dict[_Place, Plane]:
    """The planes of these channels. OpenEXR leaves the channels out that it cannot decode."""
    planes: dict[_Place, Plane] = {}
    for index in sorted({index for index, _ in places}):
        part, names = layout.parts[index], [name for other, name in places if other == index]
        threads = _threads(part)
        try:
            source: Any = str(path)
            if layout.multipart:
                if not part.scan_lines:
                    raise BadLayoutError("its parts have tiles; expected scan lines")
                source = io.BytesIO(as_single_part(file, layout, index))
            if part.decoded_bytes > _LARGEST_DECODED:
                decoded = _read_some(source, part, names)
            else:
                decoded = OpenEXR.File(source, separate_channels=True, num_threads=threads).channels()
        except (RuntimeError, ValueError, TypeError, OSError, MemoryError, OpenEXR.error) as failure:
            raise damaged(path, " ".join(str(failure).split()) or "it cannot be decoded") from None
        width, height = part.size
        for name in names:
            pixels = None if name not in decoded else getattr(decoded[name], "pixels", decoded[name])
            if pixels is None or pixels.shape != (height, width) or pixels.dtype != np.float32:
                raise damaged(path, "pixels are missing")
            planes[index, name] = pixels
    return planes


_LARGEST_DECODED = 1 << 29
"""Bytes. Above, a part is read by OpenEXR's older interface, which keeps only the channels asked for."""


def _read_some(source: Any, part: Part, names: list[str]) -> dict[str, npt.NDArray[Any]]:
    width, height = part.size
    file = OpenEXR.InputFile(source)
    try:
        return {
            name: np.frombuffer(data, np.float32).reshape(height, width)
            for name, data in zip(names, file.channels(names), strict=True)
        }
    finally:
        file.close()


def _threads(part: Part) -> int:
    """How many of OpenEXR's threads to read with: only decompressing is worth any; copying takes twice the work so."""
    return 0 if part.attributes["compression"][1] == b"\0" else _pool()


@functools.cache
def _pool() -> int:
    """Starts OpenEXR's pool of threads, once, and returns its size."""
    threads = min(4, os.cpu_count() or 1)
    OpenEXR.set_global_thread_count(threads)
    return threads


def damaged(path: Path, reason: str) -> MediaError:
    """The error for a file that is not whole; ``reason``: the end of a sentence."""
    return MediaError(f"{path} is cut off or damaged ({reason}). Export this frame again.")


def _lacking(path: Path, layers: _Layers, wanted: list[str]) -> MediaError:
    if not layers:
        return damaged(path, "it has no channels")
    # Of the layer that has the most of them: its lack is the likely mistake.
    layer = max(layers, key=lambda name: sum(_PASSES[item][0] in layers[name] for item in wanted))
    lacking = [item for item in wanted if _PASSES[item][0] not in layers[layer]]
    names = ", ".join(_PASSES[item][0] for item in lacking)
    advice = "; ".join(_PASSES[item][2] for item in lacking)
    found = ", ".join(sorted(layers[layer])[:40])
    return MediaError(
        f"{path} lacks the pass {names} (view layer {layer!r} has {found}). In Blender, {advice}; then render again."
    )


def _manifest(path: Path, layer: str, layout: Layout) -> dict[str, int]:
    name = f"{layer}.CryptoObject".removeprefix(".")
    for part in layout.parts:
        for key in part.attributes:
            prefix, _, field = key.rpartition("/")
            if field != "name" or not prefix.startswith("cryptomatte/") or part.text(key) != name:
                continue
            text = part.text(f"{prefix}/manifest") or "{}"
            found = _unescaped(text) if "BlenderMultiChannel" in part.attributes else None
            if found is None:
                found = parse_json(text.encode(), f"{path}: the manifest of {name}", advice="Export this frame again.")
            if not isinstance(found, dict) or not all(
                isinstance(digits, str) and _HASH.fullmatch(digits) for digits in found.values()
            ):
                raise MediaError(f"{path}: the manifest of {name} is damaged. Export this frame again.")
            hashes = np.array([int(digits, 16) for digits in found.values()], dtype=np.uint32)
            return dict(zip(found, _as_in_pixels(hashes).view(np.int32).tolist(), strict=True))
    return {}


_HASH = re.compile("[0-9a-fA-F]{8}")
_END_OF_ENTRY = re.compile(r'":"([0-9a-f]{8})"(?=[,}])')


def _unescaped(text: str) -> dict[str, str] | None:
    """The entries of a manifest as Blender writes it: quotes and backslashes in names as they are, so no JSON, but each
    name ends before a hash. None: it is no such text."""
    entries: dict[str, str] = {}
    at = 0
    for end in _END_OF_ENTRY.finditer(text):
        if text[at : at + 2] not in ('{"', ',"'):
            return None
        entries[text[at + 2 : end.start()]] = end[1]
        at = end.end()
    return entries if text[at:] == "}" else None


def _as_in_pixels(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The bits that pixels hold for these hashes: a float whose exponent is clamped to 1..254, so that no hash is a
    denormal number, an infinity or a NaN (Cryptomatte specification 1.2.0; about one name in 128)."""
    exponent: npt.NDArray[np.uint32] = np.clip(hashes >> np.uint32(23) & np.uint32(0xFF), np.uint32(1), np.uint32(254))
    return (hashes & np.uint32(0x807FFFFF)) | exponent << np.uint32(23)
