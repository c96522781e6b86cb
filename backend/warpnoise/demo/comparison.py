"""Shows the render, the result with random noise and the result with warped noise side by side.

The difference is plain in motion: random noise makes every frame another picture, while warped noise moves with the
surfaces. In the still picture, it shows in successive frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from warpnoise.media.atomic import replacing
from warpnoise.media.movie import write_movie
from warpnoise.media.png import read_png

Picture = npt.NDArray[np.uint8]

PAPER, INK = (250, 250, 248), (40, 40, 44)
GAP, CAPTION = 4, 24
"""Pixels between pictures, and for a line of text."""


@dataclass(frozen=True)
class Strip:
    """One of the things compared: its caption and a picture for each frame."""

    caption: str
    frames: Sequence[Path]


def write_sheet(path: Path, strips: Sequence[Strip], numbers: Sequence[int], columns: int = 5) -> None:
    """A PNG with a row for each strip, of ``columns`` frames spread evenly over the animation."""
    chosen = np.linspace(0, len(numbers) - 1, min(columns, len(numbers))).round().astype(int)
    rows = [[("", load(strip.frames[index])) for index in chosen] for strip in strips]
    rows[0] = [(f"frame {numbers[index]}", picture) for index, (_, picture) in zip(chosen, rows[0], strict=True)]
    for strip, row in zip(strips, rows, strict=True):
        row[0] = strip.caption, row[0][1]
    with replacing(path) as file:
        _grid(rows).save(file, format="PNG", optimize=True)


def write_side_by_side(path: Path, strips: Sequence[Strip], rate: Fraction, repeats: int = 3) -> None:
    """A movie with the strips beside each other, forwards and backwards ``repeats`` times."""
    write_movie(path, (frame.astype(np.uint16) * 257 for frame in _there_and_back(strips) * repeats), rate)


def write_animation(path: Path, strips: Sequence[Strip], rate: Fraction, quality: int = 65) -> None:
    """The same as an animated WebP that repeats for ever: pages show it without a player."""
    first, *others = map(Image.fromarray, _there_and_back(strips))
    milliseconds = round(1000 / rate)
    with replacing(path) as file:
        first.save(file, "WEBP", save_all=True, append_images=others, duration=milliseconds, loop=0, quality=quality)


def _there_and_back(strips: Sequence[Strip]) -> list[Picture]:
    columns = zip(*(strip.frames for strip in strips), strict=True)
    captions = [strip.caption for strip in strips]
    frames = [np.asarray(_grid([[*zip(captions, map(load, paths), strict=True)]])) for paths in columns]
    return [*frames, *frames[-2:0:-1]]


def _grid(rows: Sequence[Sequence[tuple[str, Picture]]]) -> Image.Image:
    """Pictures of one size, each below its caption. The grid's size is even, as video codecs need it."""
    height, width = rows[0][0][1].shape[:2]
    size = (len(rows[0]) * (width + GAP) + GAP, len(rows) * (height + CAPTION + GAP) + GAP)
    grid = Image.new("RGB", (size[0] + size[0] % 2, size[1] + size[1] % 2), PAPER)
    draw, font = ImageDraw.Draw(grid), ImageFont.load_default(14)
    for row, pictures in enumerate(rows):
        for column, (caption, picture) in enumerate(pictures):
            left, top = GAP + column * (width + GAP), GAP + row * (height + CAPTION + GAP)
            draw.text((left + 2, top + CAPTION // 2), caption, INK, font, anchor="lm")
            grid.paste(Image.fromarray(picture), (left, top + CAPTION))
    return grid


def load(path: Path) -> Picture:
    """A frame as (h, w, 3) uint8; where it has alpha, over the paper's colour. Raises MediaError."""
    picture = read_png(path).astype(np.float32) / 65535
    if picture.shape[2] == 4:
        alpha = picture[..., 3:]
        picture = picture[..., :3] * alpha + np.array(PAPER, np.float32) / 255 * (1 - alpha)
    return (picture * 255 + 0.5).astype(np.uint8)
