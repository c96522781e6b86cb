"""Makes the pictures of the default model's styles for the add-on's panel: one small render in each style.

warpnoise demo --frames 2 --output demo-job
python -m training.style_pictures demo-job warpnoise_addon/pictures/styles
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from warpnoise.job import Settings, Shot
from warpnoise.media.png import read_png
from warpnoise.pipeline import stylize
from warpnoise.sdedit import ModelFolder

SIZE = 80
"""Pixels, square."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path, help="of which the first frame is taken")
    parser.add_argument("output", type=Path, help="the folder of the pictures, STYLE.png")
    parser.add_argument("--strength", type=float, default=0.5)
    given = parser.parse_args()
    shot = Shot.open(given.job)
    given.output.mkdir(parents=True, exist_ok=True)
    for style in ModelFolder.open("default").styles:
        settings = Settings(style=style, strength=given.strength)
        result = stylize(shot, settings, frames=shot.frames[:1], preview=True).result
        assert result is not None
        _write(given.output / f"{style}.png", read_png(result.frame(shot.frames[0]))[..., :3] / 65535)


def _write(path: Path, picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    small = cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    # 4 bits a channel: a third of the bytes, and little that can be seen at this size.
    coarse = np.round(np.clip(small, 0, 1) * 15) * 17
    cv2.imwrite(str(path), cv2.cvtColor(coarse.astype(np.uint8), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
