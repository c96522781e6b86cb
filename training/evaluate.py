"""Measures how near results are to path-traced pictures: the sliced Wasserstein distance on held-out scenes.

    python -m training.evaluate training/data backend/warpnoise/models/default --output docs/images/model/distance.json

For each style: the distance from the plain inputs, and from the results at each strength, to the path-traced pictures
of the same views, or to the plain inputs as the style's painter paints them. The floor is the distance of as many true
pictures of other scenes. The controls need no model: the plain inputs plus white noise, or times noise with a natural
spectrum. A model that is not nearer than the best control has only learned that pictures have texture.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from warpnoise.compare.metrics.quality import PatchSampler, sliced_wasserstein
from warpnoise.job import Settings
from warpnoise.sdedit import load_model

from training.dataset import read_geometry, split
from training.kuwahara import Image
from training.paint_dataset import read
from training.pictures import edit
from training.styles import STYLES, paint

BATCH = 6
CONTROL_AMPLITUDES = (0.05, 0.1, 0.2, 0.3)


def distance(pictures: list[Image], target: list[Image]) -> float:
    """Sliced Wasserstein distance of two equally large sets of pictures, (h, w, 3) float32 in [0, 1], times 1000."""
    descriptors = []
    for chosen in (pictures, target):
        sampler = PatchSampler()
        for picture in chosen:
            sampler.add(picture)
        descriptors.append(sampler.descriptors())
    ours, targets = descriptors
    return sliced_wasserstein(ours, targets)


def pink_noise(height: int, width: int, random: np.random.Generator) -> Image:
    """Noise whose amplitude falls with the frequency, as in natural pictures: (height, width, 1)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / frequency
    field = np.fft.irfft2(spectrum, (height, width))
    return (field / field.std())[..., None].astype(np.float32)


def controls(pictures: list[Image], target: list[Image]) -> dict[str, float]:
    """The least distance to the target that pictures with noise of each kind have, over all amplitudes."""
    random = np.random.default_rng(0)
    white = [random.standard_normal(picture.shape).astype(np.float32) for picture in pictures]
    pink = [pink_noise(picture.shape[0], picture.shape[1], random) for picture in pictures]
    with_white = [[np.clip(p + a * n, 0, 1) for p, n in zip(pictures, white, strict=True)] for a in CONTROL_AMPLITUDES]
    with_pink = [
        [np.clip(p * (1 + a * n), 0, 1) for p, n in zip(pictures, pink, strict=True)] for a in CONTROL_AMPLITUDES
    ]
    return {
        "white control": min(distance(noisy, target) for noisy in with_white),
        "pink control": min(distance(noisy, target) for noisy in with_pink),
    }


def evaluate(
    data: Path, model: Path, strengths: list[float], steps: int | None, views: int
) -> dict[str, dict[str, float]]:
    """For each style {"plain": distance, "0.5": distance, ..., "floor": distance}, on `views` held-out views."""
    trained, held = split(data)
    chosen = held[:: max(1, len(held) // views)][:views]
    others = trained[:: max(1, len(trained) // views)][: len(chosen)]
    if not chosen or len(others) < len(chosen):
        raise SystemExit(
            f"{data}: {len(held)} held-out views and {len(trained)} others are too few; render more scenes"
        )
    plain = [read(data / "plain" / view) for view in chosen]
    geometry = [read_geometry(data, view) for view in chosen]
    editor = load_model(str(model), None, None)
    table: dict[str, dict[str, float]] = {}
    for style in STYLES:
        folder = data / ("photo" if style == "photoreal" else "plain")
        target, other = (
            [paint(style, read(folder / view), np.random.default_rng(0)) for view in names]
            for names in (chosen, others)
        )
        row = {"plain": distance(plain, target), **controls(plain, target)}
        for strength in strengths:
            settings = Settings(style=style, strength=strength, steps=steps)
            parts = [slice(i, i + BATCH) for i in range(0, len(plain), BATCH)]
            results = [p for part in parts for p in edit(editor, plain[part], geometry[part], settings)]
            row[f"{strength:g}"] = distance(results, target)
        row["floor"] = distance(other, target)
        table[style] = {name: round(value, 1) for name, value in row.items()}
        print(style, table[style], flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.4, 0.5, 0.6, 0.7])
    parser.add_argument("--steps", type=int, help="default: the model's own")
    parser.add_argument("--views", type=int, default=36, help="held-out views (default %(default)s)")
    parser.add_argument("--output", type=Path, help="JSON file for the table")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_grad_enabled(False)
    table = evaluate(options.data, options.model, options.strengths, options.steps, options.views)
    if options.output is not None:
        options.output.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
