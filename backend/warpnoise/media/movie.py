"""Movies of display-referred pictures: H.264 in MP4, which every player and browser supports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from warpnoise.errors import MediaError
from warpnoise.media.atomic import replacing_by_name

Picture = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def write_movie(path: Path, pictures: Iterable[Picture], fps: Fraction, *, quality: int = 16) -> int:
    """Writes pictures to an MP4 file as they come, whole or not at all, and returns how many they were.

    Pixels are 4:2:0, limited range, with BT.709's matrix and primaries and sRGB's transfer curve, and tagged so. H.264
    with 4:2:0 has even sizes only: of an odd one the last row or column is there twice. Alpha is laid over black.
    Equal pictures make equal files.

    Args:
        pictures: (height, width, 3 or 4) uint8 or uint16 each, red first, straight alpha; all of one size.
        fps: Pictures per second.
        quality: x264's constant rate factor: 0 is lossless, larger is smaller and worse; 16 looks the same.

    Raises:
        MediaError: no pictures, sizes that differ, or the file cannot be written.
        ValueError: a picture of another shape or type.
    """
    with replacing_by_name(path) as beside, _errors(path):
        return _write(path, beside, pictures, fps, quality)


def _write(path: Path, beside: Path, pictures: Iterable[Picture], fps: Fraction, quality: int) -> int:
    reformatter = VideoReformatter()
    height, width, count = 0, 0, 0
    with av.open(str(beside), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: Any = None
        for picture in pictures:
            rgb = _even(_opaque(picture))
            if stream is None:
                height, width = picture.shape[:2]
                stream = _add_stream(container, rgb.shape[1], rgb.shape[0], fps, quality)
            elif picture.shape[:2] != (height, width):
                raise MediaError(
                    f"{path}: expected pictures of {width} x {height} pixels, like the first, "
                    f"got {picture.shape[1]} x {picture.shape[0]} for number {count + 1}."
                )
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb48le" if rgb.dtype == np.uint16 else "rgb24")
            frame = reformatter.reformat(
                frame,
                format="yuv420p",
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
            )
            frame.pts, frame.time_base = count, 1 / fps
            container.mux(stream.encode(frame))
            count += 1
        if stream is None:
            raise MediaError(f"{path}: a movie needs at least one picture, got none.")
        container.mux(stream.encode())
    return count


def _add_stream(container: Any, width: int, height: int, fps: Fraction, quality: int) -> Any:
    # x264's macroblock tree reads memory that nobody has written where the width in macroblocks is no round number, so
    # equal pictures gave different files (measured: 100 x 50 pixels, 12 of 40 encodings). The number of threads decides
    # bits too, so it is not the machine's.
    options = {"crf": str(quality), "preset": "medium", "x264-params": "mbtree=0:threads=4"}
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / fps
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.IEC61966_2_1
    context.color_range = ColorRange.MPEG
    return stream


def _opaque(picture: Picture) -> Picture:
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected (height, width, 3 or 4) uint8 or uint16, got {picture.shape} {picture.dtype}")
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.float32) / np.iinfo(picture.dtype).max
    laid = np.rint(picture[..., :3] * alpha)
    return laid.astype(np.uint8) if picture.dtype == np.uint8 else laid.astype(np.uint16)


def _even(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    return np.ascontiguousarray(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except av.error.FFmpegError as failure:
        if isinstance(failure, OSError) and failure.errno:  # a full disk, say: `replacing_by_name` knows what to advise
            raise OSError(failure.errno, failure.strerror) from failure
        raise MediaError(f"Cannot write {path}: {failure}.") from failure
