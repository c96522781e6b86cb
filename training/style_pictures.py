"""The pictures of the default model's styles that the add-on's panel shows: one small render in each style.

warpnoise demo --frames 2 --output demo-job
python -m training.style_pictures demo-job/color/0001.png warpnoise_addon/pictures/styles
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from warpnoise.job import Settings
from warpnoise.media.png import read_png
from warpnoise.noise import make_noise
from warpnoise.sdedit import load_model

SIZE = 80
"""Pixels, square."""
STEPS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("render", type=Path, help="a 16-bit PNG, as in a job's color/")
    parser.add_argument("output", type=Path, help="the folder of the pictures, STYLE.png")
    parser.add_argument("--strength", type=float, default=0.4)
    given = parser.parse_args()
    picture = read_png(given.render)[..., :3].astype(np.float32) / 65535
    image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    editor = load_model("default", None, None)
    given.output.mkdir(parents=True, exist_ok=True)
    for style in editor.styles:
        settings = Settings(style=style, strength=given.strength, steps=STEPS)
        maps = editor.noise_maps(settings)
        noise = make_noise("warped", editor.noise_shape(*picture.shape[:2]), 0, torch.device("cpu"), maps)
        stylized = editor.edit(image, lambda index, noise=noise: noise.frame(index)[None], settings)[0]
        _write(given.output / f"{style}.png", stylized.cpu().numpy().transpose(1, 2, 0))


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
