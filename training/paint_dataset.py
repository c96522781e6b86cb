"""Paints the rendered images in every painted style: `DATA/oil/00012_0.png` from `DATA/photo/00012_0.png`, and so on.

    python -m training.paint_dataset training/data [--watch]

Half of the pictures are painted from the plain twin, because renders of both kinds will be stylized. Existing pictures
are kept. The name and the style of a picture determine its seed.
"""

from __future__ import annotations

import argparse
import os
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from training.kuwahara import Image
from training.styles import PAINTERS, paint

PLAIN_SHARE = 0.5
JPEG_QUALITY = 85  # of sheets for the documentation; the data set is PNG


def read(path: Path) -> Image:
    """Reads an 8-bit RGB picture as (h, w, 3) float32 in [0, 1]."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise SystemExit(f"{path}: not a picture that can be read; delete it and render it again")
    return np.ascontiguousarray(pixels[..., ::-1], np.float32) / np.float32(255)


def write(path: Path, image: Image) -> None:
    """Writes (h, w, 3) floats in [0, 1] as 8 bits, in the format of the name. The file appears whole."""
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    pixels = np.ascontiguousarray(np.round(np.clip(image, 0, 1)[..., ::-1] * 255).astype(np.uint8))
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(beside), pixels, options):
        raise SystemExit(f"{beside}: could not be written")
    beside.replace(path)


def finished_views(data: Path) -> list[str]:
    """The names of the views of all completely rendered scenes, in order."""
    scenes = {path.stem for path in (data / "scenes").glob("[0-9]*.json")}
    return sorted(path.name for path in (data / "photo").glob("[0-9]*.png") if path.name.split("_")[0] in scenes)


def begin_painting(name: str, style: str) -> tuple[str, np.random.Generator]:
    """The folder of the picture from which a view is painted, "plain" or "photo", and the generator of its strokes."""
    rng = np.random.default_rng(zlib.crc32(f"{style}/{name}".encode()))
    return ("plain" if rng.random() < PLAIN_SHARE else "photo"), rng


def paint_view(data: Path, name: str, style: str) -> None:
    """Paints one view in one style, unless the picture exists."""
    target = data / style / name
    if target.exists():
        return
    folder, rng = begin_painting(name, style)
    target.parent.mkdir(exist_ok=True)
    write(target, paint(style, read(data / folder / name), rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--watch", action="store_true", help="go on as long as rendering does: until ten minutes bring nothing new"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    newest = time.monotonic()
    while True:
        todo = [(n, s) for n in finished_views(options.data) for s in PAINTERS if not (options.data / s / n).exists()]
        for name, style in tqdm(todo, desc="painting", unit="picture", disable=None):
            paint_view(options.data, name, style)
        if todo:
            newest = time.monotonic()
        if not options.watch or time.monotonic() - newest > 600:
            return
        time.sleep(20)


if __name__ == "__main__":
    main()
