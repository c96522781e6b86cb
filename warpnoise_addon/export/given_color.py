"""The colour of frames that are rendered already."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt

from .. import compat
from ..errors import ExportError
from .changes import Changes
from .exr_header import read_exr_header
from .numbered import numbered_files
from .png import write_png16
from .rendering import render_size
from .tiff import has_associated_alpha

DISPLAY_REFERRED = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
SCENE_REFERRED = (".exr",)


class GivenColor:
    """A folder of pictures. PNG, JPEG and TIFF are taken as the viewer sees them; EXR files are scene-linear, and go
    through the scene's view transform: their Combined pass (the first layer's), or the only picture that they hold.

    ``transparent``: whether the pictures have alpha. For EXR files, which always have it, the scene's film says so.

    Raises:
        ExportError: missing frames, two files for a frame, a file that is not a picture, or one of another size.
    """

    def __init__(self, scene: bpy.types.Scene, folder: Path, frames: range) -> None:
        self._scene = scene
        self._files = numbered_files(folder, DISPLAY_REFERRED + SCENE_REFERRED, frames)
        first = self._files[frames[0]]
        for path in self._files.values():
            if path.suffix.lower() in SCENE_REFERRED:
                header = read_exr_header(path)
                _check_size(path, (header.width, header.height), render_size(scene))
        if first.suffix.lower() in SCENE_REFERRED:
            self.transparent = scene.render.film_transparent
        else:
            with _loaded(first) as image:
                _check_size(first, tuple(image.size), render_size(scene))
                # Bits of a pixel: floats, which 16-bit files are loaded as, count fourfold.
                self.transparent = image.depth == (128 if image.is_float else 32)

    def write(self, frame: int, path: Path) -> None:
        """Writes the frame as the 16-bit PNG ``path``. Raises ExportError, OSError."""
        source = self._files[frame]
        if source.suffix.lower() in SCENE_REFERRED:
            self._through_view_transform(source, path)
            return
        with _loaded(source) as image:
            _check_size(source, tuple(image.size), render_size(self._scene))
            # Blender divides by alpha what it reads from 8 bits, and leaves what it reads from 16.
            multiplied = image.is_float and self.transparent and has_associated_alpha(source)
            write_png16(path, _pixels(image, 4 if self.transparent else 3, multiplied))

    def _through_view_transform(self, source: Path, path: Path) -> None:
        settings = self._scene.render.image_settings
        with Changes() as changes, _loaded(source, raw=False) as image:
            changes.set_output(settings, compat.png16(settings, self.transparent))
            try:
                image.save_render(str(path), scene=self._scene)
            except RuntimeError as error:
                raise ExportError(f"'{source}' could not be converted: {str(error).strip()}") from error


@contextlib.contextmanager
def _loaded(path: Path, raw: bool = True) -> Iterator[bpy.types.Image]:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise ExportError(f"'{path}' is not a picture that Blender can read: {str(error).strip()}") from error
    try:
        if raw:
            image.colorspace_settings.name = "Non-Color"
            image.alpha_mode = "CHANNEL_PACKED"  # alpha is not multiplied in
            if not image.has_data and 0 in tuple(image.size):
                raise ExportError(f"'{path}' is not a picture that Blender can read. Render or copy this frame again.")
        yield image
    finally:
        bpy.data.images.remove(image)


def _pixels(image: bpy.types.Image, channels: int, multiplied: bool) -> npt.NDArray[np.uint16]:
    """(height, width, ``channels``) uint16, the top row first, not ``multiplied`` by alpha any more."""
    width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(height, width, image.channels)[::-1]
    if image.channels < 3:  # grey
        values = np.repeat(values[..., :1], 3, axis=2)
    if values.shape[2] < channels:
        values = np.concatenate([values, np.ones_like(values[..., :1])], axis=2)
    if multiplied:
        values = values.copy()
        np.divide(values[..., :3], values[..., 3:], out=values[..., :3], where=values[..., 3:] > 0)
    return np.rint(np.clip(values[..., :channels], 0.0, 1.0) * 65535.0).astype(np.uint16)


def _check_size(path: Path, got: tuple[int, ...], expected: tuple[int, int]) -> None:
    if tuple(got) != expected:
        raise ExportError(
            f"'{path}' is {got[0]} x {got[1]} pixels, the scene renders {expected[0]} x {expected[1]}. Set the scene's "
            "resolution to that of the frames, or render them again."
        )
