"""The render passes that motion is made of, out of Blender's multilayer EXR files.

Up to Blender 4.5 a file has one part with channels like ``ViewLayer.Vector.X``; from 5.0 it has a part for each pass.
Both are read, whatever the view layer's name.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR

from warpnoise.errors import MediaError

Plane = npt.NDArray[np.float32]

_PASSES = {
    "depth": ("Depth", "Z"),
    "vector": ("Vector", "XYZW"),
    "surface": ("CryptoObject00", "R"),
    "combined": ("Combined", "RGBA"),
}
_SWITCHES = {
    "depth": "turn on View Layer > Passes > Data > Z",
    "vector": "turn on View Layer > Passes > Data > Vector, and motion blur off (Cycles only)",
    "surface": "turn on View Layer > Passes > Cryptomatte > Object (Cycles only)",
    "combined": "turn on View Layer > Passes > Data > Combined",
}


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


def read_passes(path: Path, *, combined: bool = False) -> Passes:
    """Reads one frame's passes. ``combined``: the Combined pass too.

    Of several view layers the first is taken that has all of the passes.

    Raises:
        MediaError: the file is missing, cut off, not an EXR, of half precision, cropped, or lacks a pass.
    """
    parts = _read(path)
    layers = _layers(path, parts)
    wanted = [name for name in _PASSES if combined or name != "combined"]
    layer = _first_with(layers, wanted)
    if layer is None:
        # OpenEXR leaves channels out that it cannot decode: does the header have them?
        whole = _layers(path, _read(path, header_only=True))
        raise _damaged(path, "pixels are missing") if _first_with(whole, wanted) else _lacking(path, whole, wanted)
    planes = {name: _planes(path, layer, layers[layer], *_PASSES[name]) for name in wanted}
    x, y, z, w = planes["vector"]
    (depth,) = planes["depth"]
    (hashes,) = planes["surface"]
    return Passes(
        depth=depth,
        vector=(x, y, z, w),
        surface=np.ascontiguousarray(hashes).view(np.int32),
        manifest=_manifest(path, layer, [part.header for part in parts]),
        combined=np.stack(planes["combined"], axis=-1) if combined else None,
    )


_Layers = dict[str, dict[str, dict[str, npt.NDArray[Any] | None]]]
"""View layer, pass and component (upper case) to plane; None where only the header was read."""


def _read(path: Path, *, header_only: bool = False) -> list[Any]:
    """The file's parts. OpenEXR leaves the channels out that it cannot decode."""
    if not path.is_file():
        raise MediaError(f"There is no file {path}. Export this frame again.")
    if not path.stat().st_size:
        raise MediaError(f"{path} is empty. Export this frame again.")
    if not OpenEXR.isOpenExrFile(str(path)):
        raise MediaError(f"{path} is not an EXR file. Export this frame again, as an OpenEXR MultiLayer file.")
    try:
        parts: list[Any] = OpenEXR.File(str(path), header_only=True).parts
        if not header_only:
            parts = OpenEXR.File(str(path), separate_channels=True, num_threads=_threads(parts)).parts
    except (RuntimeError, ValueError, TypeError, OSError, MemoryError, OpenEXR.error) as failure:
        raise _damaged(path, " ".join(str(failure).split()) or type(failure).__name__) from None
    return parts


def _layers(path: Path, parts: list[Any]) -> _Layers:
    layers: _Layers = {}
    for part in parts:
        _check_windows(path, part.header)
        planes = {name: channel.pixels for name, channel in part.channels.items()}
        for name, plane in (planes or dict.fromkeys(channel.name for channel in part.header["channels"])).items():
            full = name if "." in name else f"{part.name()}.{name}"
            *layer, pass_name, component = full.split(".")
            passes = layers.setdefault(".".join(layer), {})
            passes.setdefault(pass_name, {})[component.upper()] = plane
    return layers


def _first_with(layers: _Layers, wanted: list[str]) -> str | None:
    return next((name for name, found in layers.items() if all(_PASSES[item][0] in found for item in wanted)), None)


def _threads(parts: list[Any]) -> int:
    """How many of OpenEXR's threads to read with: only decompressing is worth any; copying takes twice the work so."""
    if all(part.compression() == OpenEXR.NO_COMPRESSION for part in parts):
        return 0
    return _pool()


@functools.cache
def _pool() -> int:
    """Starts OpenEXR's pool of threads, once, and returns its size."""
    threads = min(4, os.cpu_count() or 1)
    OpenEXR.set_global_thread_count(threads)
    return threads


def _check_windows(path: Path, header: Mapping[str, Any]) -> None:
    data, display = (np.asarray(header[window]).tolist() for window in ("dataWindow", "displayWindow"))
    if data != display:
        raise MediaError(
            f"{path} holds the window {data} of a picture {display}: render the whole picture, without a border."
        )


def _planes(
    path: Path, layer: str, passes: Mapping[str, Mapping[str, npt.NDArray[Any] | None]], pass_name: str, components: str
) -> list[Plane]:
    planes = []
    for component in components:
        plane = passes[pass_name].get(component)
        if plane is None:
            found = ", ".join(passes[pass_name])
            if component in passes[pass_name]:
                raise _damaged(path, "pixels are missing")
            raise MediaError(f"{path}: {layer}.{pass_name} has no channel {component}, only {found}. Export it again.")
        if plane.dtype != np.float32:
            raise MediaError(
                f"{path}: {layer}.{pass_name} has {plane.dtype} values, expected float32. "
                "Set Color Depth to Float (Full) and render this frame again."
            )
        planes.append(plane)
    return planes


def _damaged(path: Path, reason: str) -> MediaError:
    return MediaError(f"{path} is cut off or damaged ({reason}). Export this frame again.")


def _lacking(path: Path, layers: _Layers, wanted: list[str]) -> MediaError:
    # Of the layer that has the most of them: its lack is the likely mistake.
    layer = max(layers, key=lambda name: sum(_PASSES[item][0] in layers[name] for item in wanted))
    lacking = [item for item in wanted if _PASSES[item][0] not in layers[layer]]
    names = ", ".join(_PASSES[item][0] for item in lacking)
    advice = "; ".join(_SWITCHES[item] for item in lacking)
    found = ", ".join(sorted(layers[layer]))
    return MediaError(
        f"{path} lacks the pass {names} (view layer {layer!r} has {found}). In Blender, {advice}; then export again."
    )


def _manifest(path: Path, layer: str, headers: list[dict[str, Any]]) -> dict[str, int]:
    name = f"{layer}.CryptoObject".removeprefix(".")
    for header in headers:
        for key, value in header.items():
            prefix, _, field = key.rpartition("/")
            if field != "name" or not prefix.startswith("cryptomatte/") or value != name:
                continue
            try:
                content = _names(header, header.get(f"{prefix}/manifest", "{}"))
                hashes = np.array([int(digits, 16) for digits in content.values()], dtype=np.uint32)
            except (ValueError, TypeError, AttributeError, OverflowError):
                raise MediaError(f"{path}: the manifest of {name} is damaged. Export this frame again.") from None
            return dict(zip(content, _as_in_pixels(hashes).view(np.int32).tolist(), strict=True))
    return {}


def _as_in_pixels(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The bits that pixels hold for these hashes: a float whose exponent is clamped to 1..254, so that no hash is a
    denormal number, an infinity or a NaN (Cryptomatte specification 1.2.0; about one name in 128)."""
    exponent: npt.NDArray[np.uint32] = np.clip(hashes >> np.uint32(23) & np.uint32(0xFF), np.uint32(1), np.uint32(254))
    return (hashes & np.uint32(0x807FFFFF)) | exponent << np.uint32(23)


_ENTRY = re.compile(r'(?<=[{,])"(.*?)":"([0-9a-f]{8})"(?=[,}])', re.DOTALL)


def _names(header: dict[str, Any], manifest: str) -> dict[str, str]:
    # Blender writes names as they are, quotes and backslashes included: not JSON, but each ends before a hash.
    if "BlenderMultiChannel" in header and (found := _ENTRY.findall(manifest)):
        return dict(found)
    content: dict[str, str] = json.loads(manifest)
    return content
